package http1

import (
	"bytes"
	"maps"
	"net/http"
	"strings"
)

// Response is a response head of an upstream, with its field lines in order so
// that they can be passed on as they came. Its strings are substrings of one
// copy of the head. A Response may be used again for the next head.
type Response struct {
	Status int
	Reason string // as in "200 OK", without the number; may be empty
	// Body is nil when there is none. It is read until io.EOF or given up with its
	// connection. Who parses the head sets it.
	Body *body

	framing
	fields  []field
	upgrade string // value of Upgrade
	trailer bool   // the Trailer field announces some
	dated   bool   // there is a Date

	byConnection bool // the server asks for credentials that are for the connection
}

// parse takes in a whole head, answering a request with method. It copies raw once.
func (p *Response) parse(raw []byte, method string, limits *Limits) error {
	clear(p.fields)
	*p = Response{fields: p.fields[:0]}
	f := fieldReader{raw: raw, text: string(raw)}
	if err := p.parseLine(&f); err != nil {
		return err
	}
	for {
		more, err := f.next()
		if err != nil {
			return err
		}
		if !more {
			break
		}
		if len(p.fields) == limits.Fields {
			return errTooManyFields
		}
		name := f.name
		if !f.canonical {
			if known := commonNames.find(f.rawName); known != "" {
				name = known
			}
		}
		if err := p.take(name, f.value); err != nil {
			return err
		}
	}
	return p.finish(method)
}

// parseLine takes in "HTTP/1.1 200 OK". The reason, and the space before it, are
// often left out.
func (p *Response) parseLine(f *fieldReader) error {
	end := bytes.IndexByte(f.raw, '\n')
	if end <= 0 || f.raw[end-1] != '\r' {
		return errBareLF
	}
	f.at = end + 1
	line := f.text[:end-1]
	const statusAt, reasonAt = len("HTTP/1.x "), len("HTTP/1.x 200 ")
	if len(line) < reasonAt-1 || line[statusAt-1] != ' ' || len(line) >= reasonAt && line[reasonAt-1] != ' ' {
		return errStatusLine
	}
	minor, err := parseVersion(line[:statusAt-1])
	if err != nil {
		return err
	}
	p.start(minor)
	digits := line[statusAt : statusAt+3]
	if !allBytes(digits, digitByte) || digits[0] == '0' {
		return errStatusLine
	}
	p.Status = int(digits[0]-'0')*100 + int(digits[1]-'0')*10 + int(digits[2]-'0')
	if len(line) > reasonAt {
		p.Reason = line[reasonAt:]
	}
	return checkValue(f.raw[statusAt : end-1])
}

func (p *Response) take(name, value string) error {
	hop := false
	switch name {
	case nameContentLength, nameTransferEncoding, nameConnection:
		hop = true
		if err := p.note(name, value); err != nil {
			return err
		}
	case nameUpgrade:
		hop = true
		p.upgrade = value
	case nameTrailer:
		hop = true
		p.trailer = true
	case nameKeepAlive, nameProxyConnection, nameTE:
		hop = true
	case nameDate:
		p.dated = true
	default:
		if len(name) == len(nameWWWAuthenticate) && strings.EqualFold(name, nameWWWAuthenticate) {
			p.byConnection = p.byConnection || ByConnection(value)
		}
	}
	p.fields = append(p.fields, field{name, value, hop})
	return nil
}

// finish does what needs all fields.
func (p *Response) finish(method string) error {
	if err := p.framing.finish(); err != nil {
		return err
	}
	if p.nominates {
		p.dropNominated()
	}
	switch {
	case hasNoBody(method, p.Status):
		p.kind = bodyNone
	case p.kind == bodyNone && p.length < 0:
		p.kind, p.close = bodyClose, true
	}
	return nil
}

// dropNominated marks the lines whose names the Connection field lists.
func (p *Response) dropNominated() {
	for _, f := range p.fields {
		if f.name != nameConnection {
			continue
		}
		eachElement(f.value, func(element string) bool {
			for i := range p.fields {
				if strings.EqualFold(p.fields[i].name, element) {
					p.fields[i].hop = true
				}
			}
			return true
		})
	}
}

// Header adds the fields that may be passed on to h, in canonical form. What h has
// already takes the place of fields of the same name, as in WriteRaw.
func (p *Response) Header(h http.Header) {
	ours := maps.Clone(h)
	for i := range p.fields {
		f := &p.fields[i]
		if f.hop {
			continue
		}
		name := http.CanonicalHeaderKey(f.name)
		if _, ok := ours[name]; !ok || name == nameSetCookie {
			h[name] = append(h[name], f.value)
		}
	}
}

// StatusCode implements responsehead.Received.
func (p *Response) StatusCode() int { return p.Status }

// Get implements responsehead.Received.
func (p *Response) Get(name string) string {
	for i := range p.fields {
		if f := &p.fields[i]; f.is(name) {
			return f.value
		}
	}
	return ""
}

// Values implements responsehead.Received.
func (p *Response) Values(name string) []string {
	var values []string
	for i := range p.fields {
		if f := &p.fields[i]; f.is(name) {
			values = append(values, f.value)
		}
	}
	return values
}

// Each implements responsehead.Received.
func (p *Response) Each(visit func(name, value string)) {
	for i := range p.fields {
		if f := &p.fields[i]; !f.hop {
			visit(http.CanonicalHeaderKey(f.name), f.value)
		}
	}
}

// is tells whether a field may be passed on and has a name.
func (f *field) is(name string) bool {
	return len(f.name) == len(name) && !f.hop && strings.EqualFold(f.name, name)
}

// Length returns the length of the body as it was announced, or -1. The response
// to HEAD has one without having a body.
func (p *Response) Length() int64 { return p.length }

// announced returns the names of trailers that the head promises, or nil.
func (p *Response) announced() http.Header {
	if !p.trailer || p.kind != bodyChunks {
		return nil
	}
	var names http.Header
	for _, f := range p.fields {
		if f.name == nameTrailer {
			_ = declareTrailers(&names, f.value) // names that are none are not promised on
		}
	}
	return names
}
