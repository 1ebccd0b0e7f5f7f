package http1

import (
	"bytes"
	"net/http"
	"net/url"
)

// request is a request head, parsed into an http.Request just as
// http.ReadRequest would, Body left out. It is used again for the next request of
// the connection: what has been read from it is then gone.
type request struct {
	http   *http.Request
	blank  *http.Request // with the context only
	header http.Header
	url    url.URL
	values []string  // the backing array of one-line fields
	coding [1]string // of http.TransferEncoding
	framing

	host     string
	hosts    int
	expect   string
	pragma   bool
	trailers bool
	seen     uint64 // of which names a line has been, by a hash
}

// newRequest returns a request whose http.Request has the context of blank.
func newRequest(blank *http.Request) *request {
	return &request{blank: blank, http: new(http.Request), header: make(http.Header, 16), values: make([]string, 0, 24)}
}

// forget lets go of everything that belongs to the last request.
func (q *request) forget() {
	q.header = emptied(q.header)
	clear(q.values)
	q.values = q.values[:0]
	*q.http = *q.blank
	q.url = url.URL{}
	q.host, q.hosts, q.expect, q.coding[0] = "", 0, "", ""
	q.pragma, q.trailers, q.seen = false, false, 0
}

// emptied returns h without entries, or another map when it has grown large: maps
// do not shrink.
func emptied(h http.Header) http.Header {
	const large = 64
	if len(h) > large {
		return make(http.Header, 16)
	}
	clear(h)
	return h
}

// parse takes in a whole head. It copies raw once.
func (q *request) parse(raw []byte, limits *Limits) error {
	q.forget()
	f := fieldReader{raw: raw, text: string(raw)}
	if err := q.parseLine(&f, limits); err != nil {
		return err
	}
	for n := 0; ; n++ {
		more, err := f.next()
		if err != nil {
			return err
		}
		if !more {
			break
		}
		if n == limits.Fields {
			return errTooManyFields
		}
		name := f.name
		if !f.canonical {
			name = canonicalName(f.rawName, name)
		}
		if err := q.take(name, f.value); err != nil {
			return err
		}
	}
	return q.finish()
}

// parseLine takes in "GET /path HTTP/1.1".
func (q *request) parseLine(f *fieldReader, limits *Limits) error {
	end := bytes.IndexByte(f.raw, '\n')
	if end <= 0 || f.raw[end-1] != '\r' {
		return errBareLF
	}
	f.at = end + 1
	end--
	m := bytes.IndexByte(f.raw[:end], ' ')
	if m <= 0 {
		return errRequestLine
	}
	v := bytes.LastIndexByte(f.raw[:end], ' ')
	if v <= m+1 {
		return errRequestLine
	}
	method, target, version := f.text[:m], f.text[m+1:v], f.text[v+1:end]
	if !isToken(method) {
		return errMethod
	}
	minor, err := parseVersion(version)
	if err != nil {
		return err
	}
	q.start(minor)
	if len(target) > limits.URIBytes {
		return errURITooLong
	}
	r := q.http
	r.Method, r.RequestURI = commonMethod(method), target
	r.Proto, r.ProtoMajor, r.ProtoMinor = protoOf(minor), 1, minor
	return q.parseTarget(target)
}

// commonMethod returns a string that does not keep the head in memory.
func commonMethod(method string) string {
	switch method {
	case http.MethodGet:
		return http.MethodGet
	case http.MethodPost:
		return http.MethodPost
	case http.MethodHead:
		return http.MethodHead
	case http.MethodPut:
		return http.MethodPut
	case http.MethodDelete:
		return http.MethodDelete
	case http.MethodPatch:
		return http.MethodPatch
	case http.MethodOptions:
		return http.MethodOptions
	case http.MethodConnect:
		return http.MethodConnect
	}
	return method
}

// parseVersion returns the minor version of "HTTP/1.x".
func parseVersion(s string) (int, error) {
	switch s {
	case "HTTP/1.1":
		return 1, nil
	case "HTTP/1.0":
		return 0, nil
	}
	if len(s) == len("HTTP/x.x") && s[:5] == "HTTP/" && is(s[5], digitByte) && s[6] == '.' && is(s[7], digitByte) {
		return 0, errVersion
	}
	return 0, errRequestLine
}

func protoOf(minor int) string {
	if minor == 0 {
		return "HTTP/1.0"
	}
	return "HTTP/1.1"
}

// take puts one field into the header map, or where else it belongs.
func (q *request) take(name, value string) error {
	switch name {
	case nameHost:
		if q.hosts++; q.hosts > 1 {
			return errSeveralHosts
		}
		q.host = value
		return nil
	case nameContentLength, nameConnection:
		if err := q.note(name, value); err != nil {
			return err
		}
	case nameTransferEncoding:
		return q.note(name, value)
	case nameExpect:
		q.expect = value
	case nameTrailer:
		q.trailers = true
	case namePragma:
		q.pragma = true
	}
	// A bit that is set already means that there may have been such a line.
	bit := uint64(1) << ((len(name)*7 + int(name[0]) + 3*int(name[len(name)-1])) & 63)
	if q.seen&bit != 0 {
		if before, again := q.header[name]; again {
			q.header[name] = append(before, value)
			return nil
		}
	}
	q.seen |= bit
	q.header[name] = q.one(value)
	return nil
}

// one returns a slice of one string, cut from the backing array. Appending to it
// copies it, as it must.
func (q *request) one(value string) []string {
	n := len(q.values)
	if n == cap(q.values) {
		q.values, n = make([]string, 0, 2*n), 0 // the old array belongs to the map now
	}
	q.values = append(q.values, value)
	return q.values[n : n+1 : n+1]
}

// finish does what needs all fields.
func (q *request) finish() error {
	if err := q.framing.finish(); err != nil {
		return err
	}
	if err := q.finishHost(); err != nil {
		return err
	}
	r := q.http
	r.Close, r.Header, r.URL = q.close, q.header, &q.url
	switch q.kind {
	case bodyChunks:
		q.coding[0] = "chunked"
		r.TransferEncoding, r.ContentLength = q.coding[:], -1
		if q.trailers {
			if err := q.finishTrailers(); err != nil {
				return err
			}
		}
	case bodyLength:
		r.ContentLength = q.length
	}
	if q.pragma && q.header[namePragma][0] == "no-cache" && q.header[nameCacheControl] == nil {
		q.header[nameCacheControl] = q.one("no-cache") // RFC 9111, section 5.4
	}
	return nil
}

func (q *request) finishTrailers() error {
	for _, list := range q.header[nameTrailer] {
		if err := declareTrailers(&q.http.Trailer, list); err != nil {
			return err
		}
	}
	delete(q.header, nameTrailer)
	return nil
}
