// Package hmac lets requests pass that are signed by a key that it knows (HTTP Message
// Signatures, RFC 9421): with a secret that both sides share, or with the key of the client.
//
// config.go is what the operator writes and key.go has the keys; base.go puts together what a
// signature is about, digest.go compares the body, hmac.go puts a request through all of it.
package hmac

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/traefik/paerser/types"

	"fairway/internal/consumers"
	"fairway/internal/secret"
	"fairway/middlewares"
)

// Config is the hmac middleware. It stands in front of middlewares that change the request:
// clients sign what they send.
type Config struct {
	// Keys by which requests may be signed. At least one is required.
	Keys []Key `json:"keys,omitempty"`
	// RequiredComponents are what a signature has to cover (RFC 9421, section 2), headers in
	// lower case. Default: @method, @authority, @path, @query.
	RequiredComponents []string `json:"requiredComponents,omitempty"`
	// RequireDigest has the signatures of requests with a body cover content-digest, which the
	// body has to go with (RFC 9530). Default: true.
	RequireDigest bool `json:"requireDigest,omitempty"`
	// MaxBody is how many bytes of a body are held to compare them with their digest. A longer
	// one is answered 413. Default: 1048576.
	MaxBody int64 `json:"maxBody,omitempty"`
	// MaxAge is how old a signature may be, by its parameter created, which it has to have.
	// Default: 5m.
	MaxAge types.Duration `json:"maxAge,omitempty"`
	// Leeway is how far the clock of a client may be ahead. Default: 30s.
	Leeway types.Duration `json:"leeway,omitempty"`
	// RequireNonce asks for the parameter nonce. One that is there is taken once only in any
	// case, by this instance of fairway. Of one key 100000 are remembered: who signs more within
	// maxAge has the oldest signatures refused. Default: false.
	RequireNonce bool `json:"requireNonce,omitempty"`
	// Tag is what the parameter tag has to be, if it is given: it names what a signature is for.
	Tag string `json:"tag,omitempty"`
	// Optional lets requests pass that are not signed at all. Default: false.
	Optional bool `json:"optional,omitempty"`
}

// Key is a key by which requests may be signed.
type Key struct {
	// ID is the parameter keyid of its signatures. Required.
	ID string `json:"id,omitempty"`
	// Algorithm is hmac-sha256, ed25519, ecdsa-p256-sha256, ecdsa-p384-sha384, rsa-pss-sha512 or
	// rsa-v1_5-sha256. Default: hmac-sha256 with a secret, else what goes with the public key
	// (rsa-pss-sha512 for RSA).
	Algorithm string `json:"algorithm,omitempty"`
	// Secret is what both sides know. It has 32 bytes at least.
	Secret secret.String `json:"secret,omitempty"`
	// PublicKey is that of the client, as PEM text, or the path of a file with it.
	PublicKey string `json:"publicKey,omitempty"`
	// Consumer is the name of the consumer whose key it is. Default: none; the user is then the
	// ID.
	Consumer string `json:"consumer,omitempty"`
}

const (
	defaultMaxBody = 1 << 20
	defaultMaxAge  = 5 * time.Minute
	defaultLeeway  = 30 * time.Second
)

var defaultComponents = []string{"@method", "@authority", "@path", "@query"}

// SetDefaults fills in what is not zero by default.
func (c *Config) SetDefaults() {
	c.RequireDigest, c.MaxBody, c.MaxAge, c.Leeway = true, defaultMaxBody, types.Duration(defaultMaxAge), types.Duration(defaultLeeway)
}

// NamesConsumers returns whose the keys are, with that provider where none is written.
func (c *Config) NamesConsumers(provider string) []string {
	var names []string
	for i := range c.Keys {
		if c.Keys[i].Consumer != "" {
			names = append(names, c.Keys[i].Consumer)
		}
	}
	return consumers.Qualified(names, provider)
}

// New implements middlewares.Config.
func (c *Config) New(_ context.Context, env middlewares.Env, next http.Handler) (http.Handler, error) {
	h := &handler{
		keys: map[string]*key{}, required: c.RequiredComponents, digest: c.RequireDigest, maxBody: c.MaxBody, maxAge: time.Duration(c.MaxAge),
		leeway: time.Duration(c.Leeway), needsNonce: c.RequireNonce, tag: c.Tag, optional: c.Optional, consumers: env.Consumers, next: next,
	}
	switch {
	case len(c.Keys) == 0:
		return nil, errors.New("keys: there has to be one")
	case c.MaxAge <= 0 || c.Leeway < 0:
		return nil, errors.New("maxAge and leeway: are times")
	case c.MaxBody < 0:
		return nil, errors.New("maxBody: is less than nothing")
	}
	if len(h.required) == 0 {
		h.required = defaultComponents
	}
	for _, name := range h.required {
		if !coverable(name) {
			return nil, fmt.Errorf("requiredComponents: %q is neither a header in lower case nor one of %s", name, strings.Join(derived, ", "))
		}
	}
	provider := env.Name[strings.LastIndexByte(env.Name, '@')+1:]
	for i := range c.Keys {
		k, err := c.Keys[i].build(provider)
		if err != nil {
			return nil, fmt.Errorf("keys[%d]: %w", i, err)
		}
		if h.keys[c.Keys[i].ID] != nil {
			return nil, fmt.Errorf("keys[%d]: there are two of the id %q", i, c.Keys[i].ID)
		}
		h.keys[c.Keys[i].ID] = k
	}
	h.nonces = env.Keep(func() any { return &nonces{} }).(*nonces)
	return h, nil
}

func coverable(name string) bool {
	if strings.HasPrefix(name, "@") {
		return slices.Contains(derived, name)
	}
	return name != "" && name == strings.ToLower(name) && !strings.ContainsAny(name, " \t\"")
}
