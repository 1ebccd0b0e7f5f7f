// Package bearer finds tokens in requests and refuses requests as RFC 6750 asks for.
package bearer

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"fairway/internal/answer"
	"fairway/internal/headername"
	"fairway/internal/requesthead"
)

// Places are where a token may be in a request, in the order in which they are looked at.
type Places []place

type place struct{ kind, name string }

// NewPlaces reads places as "header:Authorization", "cookie:session" or "query:access_token".
func NewPlaces(list []string) (Places, error) {
	if len(list) == 0 {
		list = []string{"header:Authorization"}
	}
	var all Places
	for _, text := range list {
		kind, name, found := strings.Cut(strings.TrimSpace(text), ":")
		kind = strings.ToLower(kind)
		switch {
		case !found || kind != "header" && kind != "cookie" && kind != "query":
			return nil, fmt.Errorf("%q is not written as header:NAME, cookie:NAME or query:NAME", text)
		case kind == "query" && name == "", kind != "query" && !headername.Valid(name):
			return nil, fmt.Errorf("%q is no name of a %s", name, kind)
		case kind == "header":
			name = http.CanonicalHeaderKey(name)
		}
		all = append(all, place{kind, name})
	}
	return all, nil
}

// Find returns the token of a request, and the number of its place; below 0: there is none.
// In the header Authorization it stands behind the word Bearer; in others it may. Where a
// place has several, the request has none: which of them counts, others may see differently.
func (ps Places) Find(r *http.Request) (token string, at int) {
	for i, p := range ps {
		if token = p.find(r); token != "" {
			return token, i
		}
	}
	return "", -1
}

func (p place) find(r *http.Request) string {
	switch p.kind {
	case "cookie":
		if list := r.CookiesNamed(p.name); len(list) == 1 {
			return list[0].Value
		}
	case "query":
		if r.URL.RawQuery == "" {
			return ""
		}
		if list := r.URL.Query()[p.name]; len(list) == 1 {
			return list[0]
		}
	default:
		values := r.Header[p.name]
		if len(values) != 1 {
			return ""
		}
		scheme, token, found := strings.Cut(values[0], " ")
		switch {
		case found && strings.EqualFold(scheme, "Bearer"):
			return strings.TrimLeft(token, " ")
		case !found && p.name != "Authorization":
			return values[0]
		}
	}
	return ""
}

// Strip takes what is at a place out of a request. It returns the request to go on with, and
// appends to undo what puts its head back.
func (ps Places) Strip(r *http.Request, at int, undo []requesthead.Field) (*http.Request, []requesthead.Field) {
	p := ps[at]
	switch p.kind {
	case "header":
		return r, append(undo, requesthead.Remove(r.Header, p.name))
	case "cookie":
		rest := withoutCookie(r.Header["Cookie"], p.name)
		if len(rest) == 0 {
			return r, append(undo, requesthead.Remove(r.Header, "Cookie"))
		}
		return r, append(undo, requesthead.Set(r.Header, "Cookie", rest))
	}
	r2 := new(http.Request)
	*r2 = *r
	u := *r.URL
	u.RawQuery = withoutParameter(u.RawQuery, p.name)
	r2.URL = &u
	r2.RequestURI = u.RequestURI()
	return r2, undo
}

func withoutCookie(lines []string, name string) []string {
	var kept []string
	for _, line := range lines {
		for part := range strings.SplitSeq(line, ";") {
			part = strings.TrimSpace(part)
			if n, _, _ := strings.Cut(part, "="); part != "" && strings.TrimSpace(n) != name {
				kept = append(kept, part)
			}
		}
	}
	if len(kept) == 0 {
		return nil
	}
	return []string{strings.Join(kept, "; ")}
}

// withoutParameter leaves the other parameters as they are written.
func withoutParameter(query, name string) string {
	var kept []string
	for part := range strings.SplitSeq(query, "&") {
		n, _, _ := strings.Cut(part, "=")
		if plain, err := url.QueryUnescape(n); err == nil && plain == name {
			continue
		}
		kept = append(kept, part)
	}
	return strings.Join(kept, "&")
}

// Elsewhere tells whether the header Authorization has no credentials of a scheme: it is not
// there, or has those of one other scheme, which are for somebody else to look at.
func Elsewhere(r *http.Request, scheme string) bool {
	values := r.Header["Authorization"]
	if len(values) > 1 {
		return false
	}
	if len(values) == 0 {
		return true
	}
	other, _, _ := strings.Cut(strings.TrimLeft(values[0], " \t"), " ")
	return !strings.EqualFold(strings.TrimSpace(other), scheme)
}

// Realm is what challenges name.
const Realm = "fairway"

// Missing refuses a request that has no token: 401, with a challenge that says no more (RFC
// 6750, section 3.1).
func Missing(w http.ResponseWriter, r *http.Request, cause string) {
	w.Header().Add("WWW-Authenticate", `Bearer realm="`+Realm+`"`)
	answer.Refuse(w, r, http.StatusUnauthorized, cause)
}

// Invalid refuses a request whose token is no good: 401. What was wrong is for the operator
// only.
func Invalid(w http.ResponseWriter, r *http.Request, cause string) {
	w.Header().Add("WWW-Authenticate", `Bearer realm="`+Realm+`", error="invalid_token"`)
	answer.Refuse(w, r, http.StatusUnauthorized, cause)
}

// Insufficient refuses a request whose token is good, and does not reach that far: 403. scope
// is what would; it may be empty.
func Insufficient(w http.ResponseWriter, r *http.Request, scope, cause string) {
	challenge := `Bearer realm="` + Realm + `", error="insufficient_scope"`
	if scope != "" {
		challenge += `, scope="` + scope + `"`
	}
	w.Header().Add("WWW-Authenticate", challenge)
	answer.Refuse(w, r, http.StatusForbidden, cause)
}

// ValidScope tells whether a scope may be named (RFC 6749, section 3.3).
func ValidScope(scope string) bool {
	for i := range len(scope) {
		if c := scope[i]; c <= ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return scope != ""
}
