package accesslog

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"fairway/internal/headername"
)

// A line has one of two shapes. One of JSON has all fields that are kept and known, with
// their names. One of text is a template: literals, and between them fields and headers,
// with a dash for what is not known. The formats common and genericCLF are templates that
// nobody has to write.

// The lines of genericCLF, which Apache calls combined, and of common: Traefik's, with the
// count of requests, router, server and duration behind.
const (
	genericLine = `${ClientHost} - ${ClientUsername} [${StartUTC}] "${RequestMethod} ${RequestPath} ${RequestProtocol}" ` +
		`${DownstreamStatus} ${DownstreamContentSize} "${request_Referer}" "${request_User-Agent}"`
	commonLine = genericLine + ` ${RequestCount} "${RouterName}" "${ServiceURL}" ${Duration}ms`
)

// form is what all lines of a log have in common.
type form struct {
	json   bool
	modes  *modes
	parts  []part
	groups []group // of the parts; JSON
}

// group are parts that are made of the same.
type group struct {
	of    groupOf
	parts []part
}

// part of a line: what stands before a value, and the value.
type part struct {
	before []byte
	append func(dst []byte, x *line) []byte // nil: there is no value
	redact bool
	quick  quantity // JSON: the value is this, and not redacted
	quoted bool     // text: the value stands between double quotes
	absent string   // text: what stands for a value that is not known
	header bool     // the value is that of a header
}

// newJSON takes the fields that are kept.
func newJSON(m *modes) *form {
	f := &form{json: true, modes: m, parts: make([]part, 0, len(fields))}
	for i := range fields {
		field := &fields[i]
		got := m.ofField(field)
		if got == drop {
			continue
		}
		p := part{before: []byte(`,"` + field.Name + `":`), append: field.append, redact: got == redact}
		if got == keep {
			p.quick = field.quantity
		}
		f.parts = append(f.parts, p)
		last := len(f.parts) - 1
		if n := len(f.groups); n > 0 && f.groups[n-1].of == field.group {
			f.groups[n-1].parts = f.parts[last-len(f.groups[n-1].parts) : last+1]
		} else {
			f.groups = append(f.groups, group{of: field.group, parts: f.parts[last:]})
		}
	}
	return f
}

func (x *line) appendJSON(dst []byte) []byte {
	dst = append(dst, `{"level":"info","msg":""`...)
	for i := range x.groups {
		dst = x.appendGroup(dst, x.groups[i].of, x.groups[i].parts)
	}
	if start := x.rec.Start; !start.IsZero() {
		dst = x.end.appendSecond(append(dst, `,"time":"`...), start.Add(x.e.Duration))
		dst = append(dst, '"')
	}
	dst = x.headers.appendJSON(dst, x)
	return append(dst, '}', '\n')
}

// appendParts adds the fields of JSON that are known.
func (x *line) appendParts(dst []byte, parts []part) []byte {
	for i := range parts {
		p := &parts[i]
		if p.quick != noQuantity {
			dst = x.appendQuick(dst, p)
			continue
		}
		dst = append(dst, p.before...)
		from := len(dst)
		dst = p.append(dst, x)
		if len(dst) == from {
			dst = dst[:from-len(p.before)]
		} else if p.redact {
			dst = append(dst[:from], `"`+redacted+`"`...)
		}
	}
	return dst
}

// newText reads a template. The words of one are the operator's (own): they choose fields
// by naming them.
func newText(m *modes, template string, own bool) (*form, error) {
	if template == "" {
		return nil, errors.New("is empty")
	}
	if i := strings.IndexAny(template, "\r\n"); i >= 0 {
		return nil, fmt.Errorf("at offset %d: there is a line break", i)
	}
	if own {
		m = m.named()
	}
	f := &form{modes: m}
	quoted := false
	for offset := 0; offset < len(template); {
		rest := template[offset:]
		literal, after, found := strings.Cut(rest, "${")
		quoted = quoted != (strings.Count(literal, `"`)%2 == 1)
		p := part{before: []byte(literal), quoted: quoted, absent: "-"}
		if !found {
			f.parts = append(f.parts, p)
			break
		}
		name, _, closed := strings.Cut(after, "}")
		if !closed {
			return nil, fmt.Errorf("at offset %d: the brace of ${ is not closed", offset+len(literal))
		}
		if err := p.value(m, name); err != nil {
			return nil, fmt.Errorf("at offset %d: %w", offset+len(literal), err)
		}
		f.parts = append(f.parts, p)
		offset += len(literal) + len("${") + len(name) + len("}")
	}
	return f, nil
}

// value finds what a name in braces stands for.
func (p *part) value(m *modes, name string) error {
	if header, ok := strings.CutPrefix(name, "request_"); ok {
		return p.headerValue(m, header, requestHeader)
	}
	if header, ok := strings.CutPrefix(name, "origin_"); ok {
		return p.headerValue(m, header, originHeader)
	}
	if header, ok := strings.CutPrefix(name, "downstream_"); ok {
		return p.headerValue(m, header, downstreamHeader)
	}
	field := fieldOf(name)
	if field == nil {
		return unknownField(name)
	}
	got := m.ofField(field)
	if field.Named {
		got = m.fields.of(field.Name)
	}
	p.append, p.redact = field.append, got == redact
	if got == drop {
		p.append = nothing
		if field.Name == nameStartUTC && m.fields.of(nameStartLocal) == keep { // as in Traefik
			p.append = func(dst []byte, x *line) []byte { return x.startLocal(dst) }
		}
	}
	if field.Name == nameDuration {
		p.absent = "0" // what reads these lines expects a number
	}
	return nil
}

func (p *part) headerValue(m *modes, name string, read func(string, *modes) func([]byte, *line) []byte) error {
	if !headername.Valid(name) {
		return fmt.Errorf("%q is no name of a header", name)
	}
	name = http.CanonicalHeaderKey(name)
	switch m.ofHeader(name) {
	case keep:
		p.append, p.header = read(name, m), true
	case redact:
		p.append, p.header, p.redact = read(name, m), true, true
	case drop:
		p.append = nothing
	}
	return nil
}

func nothing(dst []byte, _ *line) []byte { return dst }

func (x *line) appendText(dst []byte) []byte {
	for i := range x.parts {
		p := &x.parts[i]
		dst = append(dst, p.before...)
		if p.append == nil {
			continue
		}
		x.plain = &plainWord
		if p.quoted {
			x.plain = &plainText
		}
		from := len(dst)
		dst = p.append(dst, x)
		if len(dst) == from {
			dst = append(dst, p.absent...)
		} else if p.redact {
			dst = append(dst[:from], redacted...)
		}
	}
	return append(dst, '\n')
}

// readsHeaders tells whether a line may have headers.
func (f *form) readsHeaders() bool {
	for i := range f.parts {
		if f.parts[i].header {
			return true
		}
	}
	return f.json && f.modes.anyHeader()
}
