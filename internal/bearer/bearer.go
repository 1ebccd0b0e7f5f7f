// Package bearer finds tokens in requests and refuses requests as RFC 6750 asks for.
package bearer

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"fairway/internal/answer"
	"fairway/internal/headername"
	"fairway/internal/record"
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

// None and Several are in the place of a place: a request has no token, or it is not certain
// which one counts.
const (
	None    = -1
	Several = -2
)

// Find returns the token of a request, and the number of its place. In the header
// Authorization it stands behind the word Bearer, and credentials of another scheme are none
// of these; in other headers the word may be left out. A request that has more than one token,
// in one place or in several, is to be refused (RFC 6750, section 2): which of them counts,
// others may see differently. So is one whose token is not written as one.
func (ps Places) Find(r *http.Request) (token string, at int) {
	at = None
	for i, p := range ps {
		value, n := p.find(r)
		switch {
		case n == 0:
			continue
		case n > 1 || value == "" || at != None:
			return "", Several
		}
		token, at = value, i
	}
	return token, at
}

// find returns what is at a place, and how many there are.
func (p place) find(r *http.Request) (value string, n int) {
	var values []string
	switch p.kind {
	case "cookie":
		if r.Header["Cookie"] == nil {
			return "", 0
		}
		for _, c := range r.CookiesNamed(p.name) {
			values = append(values, c.Value)
		}
	case "query":
		if r.URL.RawQuery == "" {
			return "", 0
		}
		if values = r.URL.Query()[p.name]; len(values) > 0 {
			record.From(r.Context()).Hide(p.name)
		}
	default:
		values = r.Header[p.name]
	}
	if len(values) != 1 {
		return "", len(values)
	}
	if p.kind == "header" {
		return p.field(values[0])
	}
	return values[0], min(1, len(values[0]))
}

// field is the token in a field of the head.
func (p place) field(text string) (value string, n int) {
	scheme, token, found := strings.Cut(text, " ")
	switch {
	case scheme == "Bearer" && found: // as nearly all write it
		return strings.Trim(token, " "), 1
	case strings.EqualFold(scheme, "Bearer") && (found || p.name == "Authorization"):
		return strings.Trim(token, " "), 1
	case p.name == "Authorization" || text == "":
		return "", 0
	case found: // another scheme, in a header that is for tokens
		return "", 1
	}
	return text, 1
}

// Strip takes the tokens out of a request, at all places where there may be one: what is
// there beside the token that counts is for nobody. Credentials of another scheme stay. It
// returns the request to go on with, and appends to undo what puts its head back.
func (ps Places) Strip(r *http.Request, undo []requesthead.Field) (*http.Request, []requesthead.Field) {
	for _, p := range ps {
		switch {
		case p.kind == "query":
			r = p.stripQuery(r)
		case p.kind == "cookie":
			switch rest, had := withoutCookie(r.Header["Cookie"], p.name); {
			case had && len(rest) == 0:
				undo = append(undo, requesthead.Remove(r.Header, "Cookie"))
			case had:
				undo = append(undo, requesthead.Set(r.Header, "Cookie", rest))
			}
		case p.name != "Authorization" || !Elsewhere(r, "Bearer"):
			undo = append(undo, requesthead.Remove(r.Header, p.name))
		}
	}
	return r, undo
}

func (p place) stripQuery(r *http.Request) *http.Request {
	rest := withoutParameter(r.URL.RawQuery, p.name)
	if rest == r.URL.RawQuery {
		return r
	}
	r2 := new(http.Request)
	*r2 = *r
	u := *r.URL
	u.RawQuery = rest
	r2.URL = &u
	r2.RequestURI = u.RequestURI()
	return r2
}

// withoutCookie are the other cookies; had tells whether it was there.
func withoutCookie(lines []string, name string) (rest []string, had bool) {
	var kept []string
	for _, line := range lines {
		for part := range strings.SplitSeq(line, ";") {
			part = strings.TrimSpace(part)
			n, _, _ := strings.Cut(part, "=")
			switch {
			case part == "":
			case strings.TrimSpace(n) == name:
				had = true
			default:
				kept = append(kept, part)
			}
		}
	}
	if len(kept) == 0 {
		return nil, had
	}
	return []string{strings.Join(kept, "; ")}, had
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

// Ambiguous refuses a request that has more than one token, or one that is not written as
// such: 400 (RFC 6750, section 3.1).
func Ambiguous(w http.ResponseWriter, r *http.Request, cause string) {
	w.Header().Add("WWW-Authenticate", `Bearer realm="`+Realm+`", error="invalid_request"`)
	answer.Refuse(w, r, http.StatusBadRequest, cause)
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
