package balance

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash/fnv"
	"net/http"
	"slices"
	"strings"

	"fairway/internal/nearest"
)

// Sticky keeps a client at the server that it had first.
type Sticky struct {
	// Cookie is what the client is known by. `sticky=true` is enough.
	Cookie *Cookie `json:"cookie,omitempty" label:"allowEmpty" file:"allowEmpty"`
}

// SetDefaults implements the defaults documented at the fields.
func (s *Sticky) SetDefaults() {
	s.Cookie = &Cookie{}
	s.Cookie.SetDefaults()
}

// Cookie is what a client is known by.
type Cookie struct {
	// Name of the cookie. Default: an underscore and five characters, made of the name of
	// the service.
	Name string `json:"name,omitempty"`
	// Secure lets the client send it by TLS only. Default: false.
	Secure bool `json:"secure,omitempty"`
	// HTTPOnly keeps it from scripts. Default: false.
	HTTPOnly bool `json:"httpOnly,omitempty"`
	// SameSite is none, lax or strict. Default: not said.
	SameSite string `json:"sameSite,omitempty"`
	// MaxAge is for how many seconds the client keeps it. Default: 0, until it is
	// closed. A negative number makes it forget the cookie at once.
	MaxAge int `json:"maxAge,omitempty"`
	// Path below which the client sends it. Default: /.
	Path string `json:"path,omitempty"`
	// Domain that the client sends it to. Default: the host of the request.
	Domain string `json:"domain,omitempty"`
}

// SetDefaults implements the defaults documented at the fields.
func (c *Cookie) SetDefaults() { c.Path = "/" }

// Stickiness is a Sticky at work. Names and values are those of Traefik, so that
// clients keep their server when they move over.
type Stickiness struct {
	name    string
	options Cookie
	site    http.SameSite
}

func (k *Stickiness) cookie(value string) *http.Cookie {
	o := &k.options
	return &http.Cookie{ //nolint:gosec // as careful as the operator asks
		Name: k.name, Value: value, Path: o.Path, Domain: o.Domain, MaxAge: o.MaxAge,
		Secure: o.Secure, HttpOnly: o.HTTPOnly, SameSite: k.site,
	}
}

var sameSites = map[string]http.SameSite{
	"": 0, "none": http.SameSiteNoneMode, "lax": http.SameSiteLaxMode, "strict": http.SameSiteStrictMode,
}

// New makes the Stickiness of a service, or nil when there is none.
func (s *Sticky) New(service string) (*Stickiness, error) {
	if s == nil {
		return nil, nil
	}
	c := s.Cookie
	if c == nil {
		c = &Cookie{Path: "/"}
	}
	site, ok := sameSites[strings.ToLower(c.SameSite)]
	if !ok {
		reason := fmt.Errorf("sticky.cookie.sameSite: %q is none of none, lax and strict", c.SameSite)
		if near := nearest.Name(c.SameSite, []string{"none", "lax", "strict"}); near != "" {
			reason = fmt.Errorf("%w; did you mean %q?", reason, near)
		}
		return nil, reason
	}
	k := &Stickiness{name: cookieName(c.Name, service), options: *c, site: site}
	if k.options.Path == "" {
		k.options.Path = "/"
	}
	if err := k.cookie("x").Valid(); err != nil {
		return nil, fmt.Errorf("sticky.cookie: %w", err)
	}
	return k, nil
}

// cookieName is the name that was given, without what may not stand in one, or made
// of the name of the service.
func cookieName(given, service string) string {
	if given == "" {
		sum := sha1.Sum([]byte("_TRAEFIK_BACKEND_" + service))
		return "_" + hex.EncodeToString(sum[:])[:5]
	}
	return strings.Map(func(c rune) rune {
		if c < 0x7f && (c == '_' || 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9' || strings.ContainsRune("!#$%&'*+-.^`|~", c)) {
			return c
		}
		return '_'
	}, given)
}

// Mark is the value by which a candidate is known, made of what tells it: the URL of
// a server, the name of a service.
func Mark(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:8])
}

// Marks are all values that stand for a candidate: clients of older versions of
// Traefik have others.
func Marks(key string) []string {
	old := fnv.New64a()
	_, _ = old.Write([]byte(key))
	return []string{Mark(key), fmt.Sprintf("%x", old.Sum64()), key}
}

// Of returns the value that a request came with, or "".
func (k *Stickiness) Of(r *http.Request) string {
	if len(r.Header["Cookie"]) == 0 {
		return ""
	}
	c, err := r.Cookie(k.name)
	if err != nil {
		return ""
	}
	return c.Value
}

// Give makes the response tell the client its value, unless it has come with that.
// Another one that was given to this response before, for a server that failed, is taken
// back.
func (k *Stickiness) Give(h http.Header, r *http.Request, mark string) {
	if k.Of(r) == mark {
		return
	}
	start := k.name + "="
	h["Set-Cookie"] = slices.DeleteFunc(slices.Clone(h["Set-Cookie"]), func(v string) bool { return strings.HasPrefix(v, start) })
	h["Set-Cookie"] = append(h["Set-Cookie"], k.cookie(mark).String())
}
