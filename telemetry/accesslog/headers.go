package accesslog

import (
	"net/http"
	"slices"
	"strings"
)

// headers collects those that are written in JSON, in the order of their names. Whatever
// the number of lines of a head, it does not take more than sorting them.
type headers struct {
	pairs   []pair
	visit   func(name, value string)
	modes   *modes
	any     bool
	decided map[string]mode // by name: telling credentials by their name takes a while
}

type pair struct {
	name, value string
	redact      bool
}

// mostDecided bounds what is remembered of names that clients make up.
const mostDecided = 256

func (h *headers) init(m *modes) {
	h.modes, h.any, h.decided = m, m.anyHeader(), map[string]mode{}
	h.visit = h.add
}

func (h *headers) forget() {
	clear(h.pairs)
	h.pairs = h.pairs[:0]
}

func (h *headers) mode(name string) mode {
	m, ok := h.decided[name]
	if !ok {
		m = h.modes.ofHeader(name)
		if len(h.decided) >= mostDecided {
			clear(h.decided)
		}
		h.decided[strings.Clone(name)] = m
	}
	return m
}

func (h *headers) add(name, value string) {
	if m := h.mode(name); m != drop {
		h.pairs = append(h.pairs, pair{name, value, m == redact})
	}
}

func (h *headers) addAll(all http.Header) {
	for name, values := range all {
		for _, value := range values {
			h.add(name, value)
		}
	}
}

func (h *headers) appendJSON(dst []byte, x *line) []byte {
	if !h.any {
		return dst
	}
	h.addAll(x.r.Header)
	dst = h.append(dst, x, `"request_`)
	h.addAll(x.rec.Origin.Header)
	dst = h.append(dst, x, `"origin_`)
	if x.e.Response != nil {
		x.e.Response.Each(h.visit)
		dst = h.append(dst, x, `"downstream_`)
	}
	return dst
}

// append adds what was collected. Values of one name are put together, with a comma.
func (h *headers) append(dst []byte, x *line, prefix string) []byte {
	slices.SortStableFunc(h.pairs, func(a, b pair) int { return strings.Compare(a.name, b.name) })
	last := ""
	for i := range h.pairs {
		p := &h.pairs[i]
		switch {
		case i > 0 && p.name == last && p.redact:
			continue
		case i > 0 && p.name == last:
			dst = append(dst[:len(dst)-1], ',')
		default:
			dst = append(append(dst, ','), prefix...)
			dst = append(escapeJSON(dst, p.name), `":"`...)
		}
		switch last = p.name; {
		case p.redact:
			dst = append(dst, redacted...)
		case hasQuery(p.name):
			dst = x.modes.query.appendURL(dst, x, p.value)
		default:
			dst = escapeJSON(dst, p.value)
		}
		dst = append(dst, '"')
	}
	h.forget()
	return dst
}

// requestHeader makes the part of a template for a header of the request.
func requestHeader(name string, m *modes) func([]byte, *line) []byte {
	return headerOf(name, m, func(x *line) http.Header { return x.r.Header })
}

// originHeader makes the part of a template for a header that the server answered.
func originHeader(name string, m *modes) func([]byte, *line) []byte {
	return headerOf(name, m, func(x *line) http.Header { return x.rec.Origin.Header })
}

func headerOf(name string, m *modes, of func(*line) http.Header) func([]byte, *line) []byte {
	address := hasQuery(name)
	return func(dst []byte, x *line) []byte {
		for i, value := range of(x)[name] {
			if i > 0 {
				dst = append(dst, ',')
			}
			if address {
				dst = m.query.appendURL(dst, x, value)
			} else {
				dst = x.escape(dst, value)
			}
		}
		return dst
	}
}

// downstreamHeader makes the part of a template for a header of the response.
func downstreamHeader(name string, m *modes) func([]byte, *line) []byte {
	address := hasQuery(name)
	return func(dst []byte, x *line) []byte {
		if x.e.Response == nil {
			return dst
		}
		value := x.e.Response.Get(name)
		if address {
			return m.query.appendURL(dst, x, value)
		}
		return x.escape(dst, value)
	}
}
