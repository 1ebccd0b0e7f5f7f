// Package digestauth lets requests pass whose client proves to know the password of a
// user, without sending it (HTTP Digest authentication, RFC 7616).
//
// users.go reads the users, credentials.go what a client sends, nonces.go makes and
// checks the numbers that stand against repeated requests. Only qop=auth is spoken,
// with MD5 and SHA-256; a user has the algorithms for which there is a hash.
package digestauth

import (
	"context"
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"path"
	"strings"

	"fairway/internal/bearer"
	"fairway/internal/consumers"
	"fairway/internal/headername"
	"fairway/internal/record"
	"fairway/internal/secret"
	"fairway/internal/trailers"
	"fairway/middlewares"
)

// Config is the digestAuth middleware. It stands in front of middlewares that change
// the path: clients sign the path that they ask for.
type Config struct {
	// Users lists the users as "name:realm:hash", the way `htdigest` prints them. The
	// hash is that of "name:realm:password", by MD5 (32 digits) or by SHA-256 (64
	// digits); a user may be listed with both. At least one user, here or in usersFile,
	// is required.
	Users []secret.String `json:"users,omitempty"`
	// UsersFile is the path of a file with one "name:realm:hash" per line; those of
	// other realms are passed over. A user that users lists as well has the hash given
	// there. The file is read again within a second of a change; while what is in it is
	// not usable, its last good content stays in force.
	UsersFile string `json:"usersFile,omitempty"`
	// Realm is the name of the protected area that browsers show when they ask for the
	// password. It is part of every hash. Default "traefik".
	Realm string `json:"realm,omitempty"`
	// RemoveHeader keeps the Authorization header from the service. Default false.
	RemoveHeader bool `json:"removeHeader,omitempty"`
	// HeaderField is the name of a header in which the service is told the name of the
	// user, as in "X-WebAuth-User". Empty, the default, sends none.
	HeaderField string `json:"headerField,omitempty"`
	// Optional lets requests pass that bring no such credentials at all; they may bring some of
	// another kind. Default false.
	Optional bool `json:"optional,omitempty"`
}

const defaultRealm = "traefik"

// SetDefaults fills in what is not zero by default.
func (c *Config) SetDefaults() { c.Realm = defaultRealm }

// algorithm is a way to hash.
type algorithm struct {
	name string
	hash func(string) string
}

// algorithms has the one to be preferred first (RFC 7616, section 3.7).
var algorithms = []algorithm{
	{"SHA-256", func(s string) string { sum := sha256.Sum256([]byte(s)); return hex.EncodeToString(sum[:]) }},
	{"MD5", func(s string) string { sum := md5.Sum([]byte(s)); return hex.EncodeToString(sum[:]) }},
}

type handler struct {
	users        func() *users
	known        *consumers.Live
	nonces       *nonces
	realm        string
	opaque       string
	removeHeader bool
	headerField  string
	optional     bool
	next         http.Handler
}

// New implements middlewares.Config.
func (c *Config) New(_ context.Context, env middlewares.Env, next http.Handler) (http.Handler, error) {
	users, err := c.open(env.Log)
	if err != nil {
		return nil, err
	}
	if c.HeaderField != "" {
		if err := headername.Settable(c.HeaderField); err != nil {
			return nil, fmt.Errorf("headerField: %w", err)
		}
	}
	kept, _ := env.Keep(func() any { return newNonces() }).(*nonces)
	return &handler{
		users: users, known: env.Consumers, nonces: kept, realm: c.realm(), opaque: kept.sign("opaque", c.realm()),
		removeHeader: c.RemoveHeader, headerField: c.HeaderField, optional: c.Optional, next: next,
	}, nil
}

func (c *Config) realm() string {
	if c.Realm == "" {
		return defaultRealm
	}
	return c.Realm
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if h.optional && bearer.Elsewhere(r, "Digest") {
		h.next.ServeHTTP(w, h.forward(r, ""))
		return
	}
	user, stale, cause := h.check(r)
	if cause != "" {
		h.challenge(w, stale)
		record.From(r.Context()).SetAuth(false)
		middlewares.Refuse(w, r, http.StatusUnauthorized, "digestAuth: "+cause)
		return
	}
	rec := record.From(r.Context())
	rec.SetAuth(true)
	rec.SetIdentity(h.known.Now().User("digestAuth", user))
	h.next.ServeHTTP(w, h.forward(r, user))
}

// challenge asks for credentials (RFC 7616, section 3.3): once for each algorithm
// that somebody has a hash for.
func (h *handler) challenge(w http.ResponseWriter, stale bool) {
	realm := strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(h.realm)
	nonce := h.nonces.issue(h.realm)
	us := h.users()
	w.Header().Del("WWW-Authenticate")
	for _, a := range algorithms {
		if len(us.hashes[a.name]) == 0 {
			continue
		}
		line := `Digest realm="` + realm + `", qop="auth", algorithm=` + a.name + `, nonce="` + nonce + `", opaque="` + h.opaque + `"`
		if stale {
			line += ", stale=true"
		}
		w.Header().Add("WWW-Authenticate", line)
	}
}

// check returns the user that a request is from, or the cause why it is refused; it
// is stale when only the nonce is too old (RFC 7616, section 3.4).
func (h *handler) check(r *http.Request) (user string, stale bool, cause string) {
	lines := r.Header["Authorization"]
	if len(lines) == 0 {
		return "", false, "no credentials were sent"
	}
	c, err := parse(lines[0])
	if err != nil || len(lines) > 1 {
		return "", false, "malformed credentials"
	}
	algorithm, ok := named(c.algorithm)
	switch {
	case !ok:
		return "", false, "an algorithm that was not offered"
	case !strings.EqualFold(c.qop, "auth"), c.cnonce == "", c.nc == 0:
		return "", false, "credentials without qop=auth"
	case c.realm != h.realm:
		return "", false, "credentials for another realm"
	case !sameTarget(c.uri, r):
		return "", false, "credentials for another URI"
	}
	us := h.users()
	ha1, known := us.hashes[algorithm.name][c.user]
	if !known {
		ha1 = us.decoy
	}
	ha2 := algorithm.hash(r.Method + ":" + c.uri)
	want := algorithm.hash(strings.Join([]string{ha1, c.nonce, c.ncText, c.cnonce, c.qop, ha2}, ":"))
	if subtle.ConstantTimeCompare([]byte(want), []byte(strings.ToLower(c.response))) != 1 || !known {
		return "", false, "wrong user or password"
	}
	switch { // the password is right: the client need not ask for it again
	case !h.nonces.ours(c.nonce, h.realm), c.opaque != h.opaque:
		return "", true, "a nonce that is not known" // such as one from before a restart
	case !h.nonces.use(c.nonce, c.nc):
		return "", true, "a nonce that is too old, or was used already"
	}
	return c.user, false, ""
}

func named(name string) (algorithm, bool) {
	if name == "" {
		name = "MD5"
	}
	for _, a := range algorithms {
		if strings.EqualFold(a.name, name) {
			return a, true
		}
	}
	return algorithm{}, false
}

// sameTarget tells whether the signed URI is that of the request. The gateway has
// cleaned the path and may have written the query anew, so that both are compared by
// what they mean.
func sameTarget(uri string, r *http.Request) bool {
	if uri == r.RequestURI {
		return true
	}
	u, err := url.ParseRequestURI(uri)
	if err != nil {
		return false
	}
	clean := func(p string) string { return path.Clean("/" + p) }
	query := strings.NewReplacer(";", "&", "%3B", "&").Replace
	return clean(u.Path) == clean(r.URL.Path) && query(u.RawQuery) == query(r.URL.RawQuery)
}

// forward returns the request the service gets; without a user there were no credentials.
func (h *handler) forward(r *http.Request, user string) *http.Request {
	remove := h.removeHeader && user != ""
	if !remove && h.headerField == "" {
		return r
	}
	r2 := new(http.Request)
	*r2 = *r
	r2.Header = maps.Clone(r.Header)
	if remove {
		r2.Header.Del("Authorization")
	}
	if h.headerField != "" {
		headername.Remove(r2.Header, h.headerField) // nobody but us says who it is
		r2 = trailers.Without(r2, headername.Same(h.headerField))
		if user != "" {
			r2.Header.Set(h.headerField, user)
		}
	}
	return r2
}

// mac is a keyed hash as text.
func mac(key []byte, parts ...string) string {
	m := hmac.New(sha256.New, key)
	for _, part := range parts {
		_, _ = m.Write([]byte(part))
		_, _ = m.Write([]byte{0})
	}
	return hex.EncodeToString(m.Sum(nil)[:16])
}
