package httpcache

import (
	"net/http"
	"strings"
)

// Condition is what a conditional request comes to.
type Condition int

// The conditions.
const (
	Unconditional Condition = iota // the whole response
	NotModified                    // 304
)

// Evaluate tells whether the client has e already (RFC 9110, section 13.2.2): If-None-Match
// counts, or else If-Modified-Since.
func Evaluate(h http.Header, e *Entry) Condition {
	if lines := h["If-None-Match"]; len(lines) > 0 {
		if matches(lines, e.Get("Etag")) {
			return NotModified
		}
		return Unconditional
	}
	since, err := http.ParseTime(h.Get("If-Modified-Since"))
	if err != nil {
		return Unconditional
	}
	changed, err := http.ParseTime(e.Get("Last-Modified"))
	if err != nil { // the time it came from the server is the best there is
		if changed, err = http.ParseTime(e.Get("Date")); err != nil {
			return Unconditional
		}
	}
	if changed.After(since) {
		return Unconditional
	}
	return NotModified
}

// matches compares entity tags weakly (RFC 9110, section 8.8.3.2).
func matches(lines []string, tag string) bool {
	for _, item := range elements(lines) {
		if item == "*" || tag != "" && opaque(item) == opaque(tag) {
			return true
		}
	}
	return false
}

func opaque(tag string) string { return strings.TrimPrefix(tag, "W/") }

// conditions are the fields that make a request conditional, or one for a part.
var conditions = []string{"If-None-Match", "If-Modified-Since", "If-Match", "If-Unmodified-Since", "If-Range", "Range"}

// Unconditionally takes the conditions out of h, which is a copy.
func Unconditionally(h http.Header) {
	for _, name := range conditions {
		delete(h, name)
	}
}

// IsConditional tells whether h has conditions that only the server can tell about.
func IsConditional(h http.Header) bool { return len(h["If-Match"])+len(h["If-Unmodified-Since"]) > 0 }

// Validate makes h ask whether e is still what the server would answer (RFC 9111, section
// 4.3.1). It returns false if e has nothing to ask by.
func Validate(h http.Header, e *Entry) bool {
	tag, changed := e.Get("Etag"), e.Get("Last-Modified")
	if tag != "" {
		h["If-None-Match"] = []string{tag}
	}
	if changed != "" {
		h["If-Modified-Since"] = []string{changed}
	}
	return tag != "" || changed != ""
}

// kept are fields that a 304 does not change: they are about the stored body.
func keptOf(name string) bool {
	switch name {
	case "Content-Encoding", "Content-Length", "Content-Md5", "Content-Range", "Content-Digest", "Etag":
		return true
	}
	return false
}

// Freshen is e with the fields of a 304 (RFC 9111, section 3.2), newly judged. It takes none of
// those that a stored response has not: a cookie is for the client that the 304 is for, and so
// is what private and no-cache name. If the verdict is not to store it, it is for that client
// only, too.
func (p *Policy) Freshen(e *Entry, r *Response, each func(visit func(name, value string))) (*Entry, Verdict) {
	newer := map[string]bool{}
	var fields []Field
	d, _ := ResponseDirectives(r.Lines, p.Targets)
	each(func(name, value string) {
		if keptOf(name) || !Storable(name) || name == "Set-Cookie" && !p.Cookies || withheld(d.Withheld, name) {
			return
		}
		newer[name] = true
		fields = append(fields, Field{name, value})
	})
	if !newer["Date"] { // RFC 9110, section 6.6.1
		newer["Date"] = true
		fields = append(fields, Field{"Date", r.Came.UTC().Format(http.TimeFormat)})
	}
	fresh := *e
	fresh.Fields = nil
	for _, f := range e.Fields {
		if !newer[f.Name] && !withheld(d.Withheld, f.Name) {
			fresh.Fields = append(fresh.Fields, f)
		}
	}
	fresh.Fields = append(fresh.Fields, fields...)
	judged := *r
	judged.Status = e.Status
	judged.Lines = func(name string) []string {
		if name == "Age" {
			return r.Lines(name)
		}
		return fresh.Values(name)
	}
	v := p.Judge(&judged)
	fresh.judge(v, r.Came)
	fresh.Init()
	return &fresh, v
}
