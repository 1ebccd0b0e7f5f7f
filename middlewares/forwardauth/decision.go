package forwardauth

import (
	"maps"
	"net/http"
	"slices"

	"fairway/internal/clientip"
	"fairway/internal/headername"
	"fairway/internal/responsehead"
	"fairway/internal/trailers"
)

// decision is what an answer of 2xx says. Nobody changes it.
type decision struct {
	user    string
	fields  http.Header // for the request
	cookies []string    // values of Set-Cookie, for the response
}

func (h *handler) decide(res *http.Response) *decision {
	headername.RemoveHop(res.Header)
	d := &decision{fields: http.Header{}}
	if h.userHeader != "" {
		d.user = res.Header.Get(h.userHeader)
	}
	for _, name := range h.responseHeaders {
		if values := res.Header[name]; len(values) > 0 {
			d.fields[name] = values
		}
	}
	if h.responseRegex != nil {
		for name, values := range res.Header {
			if !headername.Framing(name) && h.responseRegex.MatchString(name) {
				d.fields[name] = values
			}
		}
	}
	if len(h.cookies) > 0 {
		for _, line := range res.Header["Set-Cookie"] {
			if name, ok := cookieName(line); ok && h.cookies[name] {
				d.cookies = append(d.cookies, line)
			}
		}
	}
	return d
}

// withFields returns r with what the authentication server has said of it. Headers
// that only the authentication server may set are removed first, under every
// spelling, so that no client can say them instead.
func (h *handler) withFields(r *http.Request, d *decision) *http.Request {
	if len(h.responseHeaders) == 0 && h.responseRegex == nil {
		return r
	}
	r2 := new(http.Request)
	*r2 = *r
	r2.Header = maps.Clone(r.Header)
	maps.DeleteFunc(r2.Header, func(name string, _ []string) bool { return h.ofServer(name) })
	maps.Copy(r2.Header, d.fields)
	return trailers.Without(r2, h.ofServer)
}

// ofServer tells whether only the authentication server may set a field.
func (h *handler) ofServer(name string) bool {
	plain := headername.Plain(name)
	if slices.ContainsFunc(h.responseHeaders, func(own string) bool { return headername.Plain(own) == plain }) {
		return true
	}
	return h.responseRegex != nil && !headername.Framing(name) && (h.responseRegex.MatchString(name) || h.responseRegex.MatchString(plain))
}

// cookies of an answer of the authentication service that the client gets.
type cookies []string

// EditHead sets them in place of those of the same names.
func (c cookies) EditHead(h responsehead.Head) {
	named := map[string]bool{}
	for _, line := range c {
		name, _ := cookieName(line)
		named[name] = true
	}
	var lines []string
	for _, line := range h.Header["Set-Cookie"] {
		if name, ok := cookieName(line); !ok || !named[name] {
			lines = append(lines, line)
		}
	}
	h.Put("Set-Cookie", append(lines, c...))
}

// InParts implements responsehead.Picky: cookies cannot be taken out of what is sent on
// as it came.
func (c cookies) InParts(responsehead.Received) bool { return true }

// cookieName is the name in a Set-Cookie (RFC 6265, section 4.1).
func cookieName(line string) (string, bool) {
	c, err := http.ParseSetCookie(line)
	if err != nil {
		return "", false
	}
	return c.Name, true
}

func peer(r *http.Request) string {
	if addr := clientip.Peer(r); addr.IsValid() {
		return addr.String()
	}
	return ""
}
