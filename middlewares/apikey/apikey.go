// Package apikey lets requests pass that bring the key of a consumer, or one of its own list.
package apikey

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"fairway/internal/answer"
	"fairway/internal/bearer"
	"fairway/internal/consumers"
	"fairway/internal/identity"
	"fairway/internal/record"
	"fairway/internal/requesthead"
	"fairway/internal/secret"
	"fairway/middlewares"
)

// Config is the apiKey middleware.
type Config struct {
	// Keys are let in beside those of consumers, as name=sha256:HASH, where HASH is what
	// `printf %s KEY | sha256sum` prints. The name goes to the log. Keys have to be long and
	// random: a hash of something that can be guessed protects nothing.
	Keys []secret.String `json:"keys,omitempty"`
	// Consumers lets the keys of consumers in. Default: true.
	Consumers bool `json:"consumers,omitempty"`
	// KeyFrom are the places where a key may be, as header:NAME, cookie:NAME or query:NAME. A
	// request with keys in several is refused. Keys in queries get into logs of others. Default:
	// header:X-API-Key.
	KeyFrom []string `json:"keyFrom,omitempty"`
	// StripKey keeps the key from the service: all of keyFrom is taken away. Default: true.
	StripKey bool `json:"stripKey,omitempty"`
	// Optional lets requests pass that bring no key at all. One that nobody has is refused
	// nevertheless. Default: false.
	Optional bool `json:"optional,omitempty"`
}

// SetDefaults fills in what is not zero by default.
func (c *Config) SetDefaults() { c.Consumers, c.StripKey = true, true }

const defaultPlace = "header:X-API-Key"

type handler struct {
	places    bearer.Places
	keys      *consumers.Registry // of the middleware's own
	consumers *consumers.Live     // nil: they are not let in
	strip     bool
	optional  bool
	next      http.Handler
}

// New implements middlewares.Config.
func (c *Config) New(_ context.Context, env middlewares.Env, next http.Handler) (_ http.Handler, err error) {
	h := &handler{strip: c.StripKey, optional: c.Optional, next: next}
	from := c.KeyFrom
	if len(from) == 0 {
		from = []string{defaultPlace}
	}
	if h.places, err = bearer.NewPlaces(from); err != nil {
		return nil, fmt.Errorf("keyFrom: %w", err)
	}
	if h.keys, err = c.own(); err != nil {
		return nil, err
	}
	if c.Consumers {
		h.consumers = env.Consumers
	} else if len(c.Keys) == 0 {
		return nil, errors.New("nobody can have a key: there are no keys, and those of consumers are not let in")
	}
	return h, nil
}

// own are the keys of the middleware, as those of consumers that nobody else knows.
func (c *Config) own() (_ *consumers.Registry, err error) {
	all := map[string]*consumers.Config{}
	for i, text := range c.Keys {
		name, hash, found := strings.Cut(text.Reveal(), "=")
		if !found || name == "" {
			return nil, fmt.Errorf("keys[%d]: is not written as name=sha256:HASH", i)
		}
		if all[name] == nil {
			all[name] = &consumers.Config{}
		}
		all[name].APIKeys = append(all[name].APIKeys, secret.String(hash))
	}
	r := consumers.New(all, func(name string, e error) { err = fmt.Errorf("keys: %s: %w", name, e) })
	return r, err
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rec := record.From(r.Context())
	key, at := h.places.Find(r)
	if at == bearer.None && h.optional {
		h.pass(w, r)
		return
	}
	rec.SetAuth(false)
	switch at {
	case bearer.None:
		refuse(w, r, "apiKey: no key was sent")
		return
	case bearer.Several:
		refuse(w, r, "apiKey: more than one key was sent, or one that is not written as such")
		return
	}
	who := h.owner(key)
	if who == nil {
		refuse(w, r, "apiKey: nobody has this key")
		return
	}
	rec.SetAuth(true)
	rec.SetIdentity(who)
	h.pass(w, r)
}

// pass hands a request on, without what is at the places of keys.
func (h *handler) pass(w http.ResponseWriter, r *http.Request) {
	if !h.strip {
		h.next.ServeHTTP(w, r)
		return
	}
	var room [2]requesthead.Field
	out, undo := h.places.Strip(r, room[:0])
	h.next.ServeHTTP(w, out)
	for _, f := range slices.Backward(undo) {
		f.PutBack()
	}
}

// owner is who has a key, or nil. The consumers go first: what is known of them is more.
func (h *handler) owner(key string) *identity.Identity {
	if c := h.consumers.Now().ByAPIKey(key); c != nil {
		return c.Of("apiKey", c.Name)
	}
	if c := h.keys.ByAPIKey(key); c != nil {
		return &identity.Identity{Method: "apiKey", Subject: c.Name}
	}
	return nil
}

func refuse(w http.ResponseWriter, r *http.Request, cause string) {
	w.Header().Add("WWW-Authenticate", `ApiKey realm="`+bearer.Realm+`"`)
	answer.Refuse(w, r, http.StatusUnauthorized, cause)
}
