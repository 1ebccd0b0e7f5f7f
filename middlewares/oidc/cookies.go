package oidc

import (
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A browser takes about 4096 bytes of a cookie (RFC 6265, section 6.1), name and attributes
// included. A longer text is cut into chunks: NAME, NAME.1, NAME.2; the first one says how
// many there are. They are of one piece: a chunk of another text breaks the seal.
const (
	chunkBytes = 3800
	mostChunks = 5
)

// jar knows the names and attributes of the cookies.
type jar struct {
	name   string // without prefix
	domain string // empty: the host alone
	scheme string // of all requests; empty: as they come

	protected string // the name of the session's cookie where browsers come by https
}

// newJar names the cookies. With its prefix a browser takes one by TLS only, and from this host
// only (RFC 6265bis, section 4.1.3).
func newJar(name, domain, scheme string) *jar {
	j := &jar{name: name, domain: domain, scheme: scheme, protected: "__Host-" + name}
	if domain != "" {
		j.protected = "__Secure-" + name
	}
	return j
}

// secure tells whether browsers reach the gateway by https. X-Forwarded-Proto has been removed
// at the entry point unless a trusted proxy wrote it.
func (j *jar) secure(r *http.Request) bool {
	if j.scheme != "" {
		return j.scheme == "https"
	}
	proto, _, _ := strings.Cut(r.Header.Get("X-Forwarded-Proto"), ",")
	switch strings.ToLower(strings.TrimSpace(proto)) {
	case "https", "wss":
		return true
	case "http", "ws":
		return false
	}
	return r.TLS != nil
}

// origin is what browsers call this host.
func (j *jar) origin(r *http.Request) string {
	if j.secure(r) {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

// session is the name of the session's cookie.
func (j *jar) session(r *http.Request) string {
	if j.secure(r) {
		return j.protected
	}
	return j.name
}

// attempt is how names of cookies for logins under way begin.
func (j *jar) attempt(r *http.Request) string {
	if j.secure(r) {
		return "__Host-" + j.name + "_login_"
	}
	return j.name + "_login_"
}

// find returns the text of the session; empty: there is none, or a part of it is missing. A
// cookie that is there twice is none: which of them counts, nobody can tell.
func (j *jar) find(r *http.Request) string {
	lines := r.Header["Cookie"]
	if len(lines) == 0 {
		return ""
	}
	name := j.session(r)
	first, ok := cookieValue(lines, name)
	if !ok {
		return ""
	}
	count, text, found := strings.Cut(first, ".")
	if !found {
		return first
	}
	n, err := strconv.Atoi(count)
	if err != nil || n < 2 || n > mostChunks {
		return ""
	}
	var whole strings.Builder
	whole.WriteString(text)
	for i := 1; i < n; i++ {
		part, ok := cookieValue(lines, name+"."+strconv.Itoa(i))
		if !ok {
			return ""
		}
		whole.WriteString(part)
	}
	return whole.String()
}

// cookieValue is the value of a cookie that is there once.
func cookieValue(lines []string, name string) (value string, ok bool) {
	for _, line := range lines {
		for part := range strings.SplitSeq(line, ";") {
			n, v, _ := strings.Cut(part, "=")
			if strings.TrimSpace(n) != name {
				continue
			}
			if ok {
				return "", false
			}
			value, ok = strings.TrimSpace(v), true
		}
	}
	return value, ok && value != ""
}

// put has the browser keep a text until then. It tells whether there is room for it.
func (j *jar) put(w http.ResponseWriter, r *http.Request, text string, until time.Duration) bool {
	name := j.session(r)
	n := (len(text) + chunkBytes - 1) / chunkBytes
	if n > mostChunks {
		return false
	}
	kept := map[string]bool{}
	for i := range n {
		part, own := text[i*chunkBytes:min(len(text), (i+1)*chunkBytes)], name
		switch {
		case i > 0:
			own += "." + strconv.Itoa(i)
		case n > 1:
			part = strconv.Itoa(n) + "." + part
		}
		j.set(w, r, own, part, j.domain, until)
		kept[own] = true
	}
	for own := range j.chunks(r) {
		if !kept[own] {
			j.set(w, r, own, "", j.domain, -1)
		}
	}
	return true
}

// drop has the browser forget the session, if it has one. There may be one of before the option
// cookieDomain, too: of two that have the same name none is good.
func (j *jar) drop(w http.ResponseWriter, r *http.Request) {
	for own := range j.chunks(r) {
		j.set(w, r, own, "", j.domain, -1)
		if j.domain != "" {
			j.set(w, r, own, "", "", -1)
		}
	}
}

// keeps tells whether browsers keep the cookie for the host of a request (RFC 6265, section
// 5.3).
func (j *jar) keeps(r *http.Request) bool {
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host, domain := strings.ToLower(host), strings.ToLower(strings.TrimPrefix(j.domain, "."))
	return domain == "" || host == domain || strings.HasSuffix(host, "."+domain)
}

// chunks are the names of those that the browser has sent.
func (j *jar) chunks(r *http.Request) map[string]bool {
	name, found := j.session(r), map[string]bool{}
	for _, n := range cookieNames(r, func(n string) bool { return j.isChunk(n, name) }) {
		found[n] = true
	}
	return found
}

func (j *jar) isChunk(n, name string) bool {
	rest, ok := strings.CutPrefix(n, name)
	return ok && (rest == "" || len(rest) == 2 && rest[0] == '.' && rest[1] > '0' && rest[1] < '0'+mostChunks)
}

func (j *jar) set(w http.ResponseWriter, r *http.Request, name, value, domain string, lasts time.Duration) {
	age := int((lasts + time.Second - 1) / time.Second)
	if lasts < 0 {
		age = -1
	}
	//nolint:gosec // where browsers come by http, they take no cookie that is Secure
	c := http.Cookie{Name: name, Value: value, Path: "/", Domain: domain, MaxAge: age, Secure: j.secure(r), HttpOnly: true, SameSite: http.SameSiteLaxMode}
	w.Header().Add("Set-Cookie", c.String())
}

// mine tells whether a cookie is one of this middleware's.
func (j *jar) mine(name string) bool {
	if !strings.Contains(name, j.name) {
		return false
	}
	name = strings.TrimPrefix(strings.TrimPrefix(name, "__Host-"), "__Secure-")
	return j.isChunk(name, j.name) || strings.HasPrefix(name, j.name+"_login_")
}

// others are the lines of Cookie without the cookies of this middleware. changed is false
// where none was there.
func (j *jar) others(lines []string) (rest []string, changed bool) {
	for _, line := range lines {
		if !strings.Contains(line, j.name) {
			rest = append(rest, line)
			continue
		}
		var kept []string
		for part := range strings.SplitSeq(line, ";") {
			n, _, _ := strings.Cut(part, "=")
			if j.mine(strings.TrimSpace(n)) {
				changed = true
				continue
			}
			kept = append(kept, part)
		}
		if text := strings.TrimLeft(strings.Join(kept, ";"), " "); text != "" {
			rest = append(rest, text)
		}
	}
	return rest, changed
}

// mostNames bounds the cookies of this middleware's own that are looked at in a request: a head
// has room for thousands.
const mostNames = 16

// cookieNames are those that a browser has sent of one kind, each once.
func cookieNames(r *http.Request, is func(name string) bool) (names []string) {
	for _, line := range r.Header["Cookie"] {
		for part := range strings.SplitSeq(line, ";") {
			n, _, _ := strings.Cut(part, "=")
			if n = strings.TrimSpace(n); n == "" || !is(n) || slices.Contains(names, n) {
				continue
			}
			if names = append(names, n); len(names) == mostNames {
				return names
			}
		}
	}
	return names
}
