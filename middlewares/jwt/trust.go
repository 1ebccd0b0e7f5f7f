package jwt

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/sirupsen/logrus"

	"fairway/internal/freshfile"
	"fairway/internal/jwks"
	"fairway/internal/pemtext"
	"fairway/internal/secret"
	"fairway/internal/sharing"
	"fairway/middlewares"
)

// trust is an issuer, with the keys that its tokens are verified by.
type trust struct {
	issuer     string
	algorithms []string
	parser     *jwt.Parser
	secret     func() []byte
	keys       keySource
	secretFile func() uint64 // another number when the secret is another; nil: it stays
}

// keySource has public keys. again looks for those that are missing.
type keySource struct {
	now   func(context.Context) ([]jwks.Key, error)
	again func(context.Context) ([]jwks.Key, error)
	fresh func() uint64 // another number when the keys are others; asks for them if they are old
}

// common is what all instances of a middleware have in common. Keys and lists outlast a
// change of options that are not about them.
type common struct {
	verifiers sharing.ByOptions[*verifier]
	keys      sharing.ByOptions[*jwks.Source]
	revoked   sharing.ByOptions[*revocation]
}

// origin is where a verifier has keys and lists from.
type origin struct {
	ctx    context.Context
	kept   *common
	env    middlewares.Env
	tls    *tls.Config // nil: as the system has it
	trusts string      // the same as text
}

// client asks for keys and lists; it has no more to do when ctx ends.
func (o *origin) client(ctx context.Context) *http.Client {
	c := &http.Client{Timeout: 10 * time.Second}
	if o.tls != nil {
		transport := http.DefaultTransport.(*http.Transport).Clone()
		transport.TLSClientConfig = o.tls.Clone()
		context.AfterFunc(ctx, transport.CloseIdleConnections)
		c.Transport = transport
	}
	return c
}

func (o *origin) source(issuer, address string) *jwks.Source {
	s, _ := o.kept.keys.Use(o.ctx, sharing.Options([]any{issuer, address, o.trusts}), func(ctx context.Context) (*jwks.Source, error) {
		return &jwks.Source{Issuer: issuer, Address: address, Client: o.client(ctx), Failed: func(err error) {
			o.env.Log.Warnf("jwt: the keys of the issuer cannot be had, those that are known stay: %v", err)
		}}, nil
	})
	return s
}

var (
	asymmetric = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
	symmetric  = []string{"HS256", "HS384", "HS512"}
)

// minSecret is the least that RFC 7518, section 3.2, asks of HS256.
const minSecret = 32

// trust makes it. Nothing is asked of anybody yet.
func (i *Issuer) trust(h *verifier, from *origin) (*trust, error) {
	t := &trust{issuer: i.Issuer}
	var err error
	if t.secret, t.secretFile, err = i.sharedSecret(from.env.Log); err != nil {
		return nil, err
	}
	if t.keys, err = i.keys(from, t.secret != nil); err != nil {
		return nil, err
	}
	if t.keys.now != nil {
		t.algorithms = append(t.algorithms, asymmetric...)
	}
	if t.secret != nil {
		t.algorithms = append(t.algorithms, symmetric...)
	}
	if len(i.Algorithms) > 0 {
		for _, alg := range i.Algorithms {
			if !slices.Contains(t.algorithms, alg) {
				return nil, fmt.Errorf("algorithms: %q is none of %s, which the keys given are for", alg, strings.Join(t.algorithms, ", "))
			}
		}
		t.algorithms = i.Algorithms
	}
	t.parser = jwt.NewParser(h.parserOptions(i, t.algorithms)...)
	return t, nil
}

func (h *verifier) parserOptions(i *Issuer, algorithms []string) []jwt.ParserOption {
	options := []jwt.ParserOption{
		jwt.WithValidMethods(algorithms), jwt.WithStrictDecoding(), jwt.WithJSONNumber(), jwt.WithLeeway(h.leeway), jwt.WithIssuedAt(),
	}
	if h.expiry {
		options = append(options, jwt.WithExpirationRequired())
	}
	if i.Issuer != "" {
		options = append(options, jwt.WithIssuer(i.Issuer))
	}
	if len(i.Audiences) > 0 {
		options = append(options, jwt.WithAudience(i.Audiences...))
	}
	return options
}

// sharedSecret returns the function that has the secret at any time, or nil, and that which
// tells when it is another.
func (i *Issuer) sharedSecret(log logrus.FieldLogger) (now func() []byte, version func() uint64, err error) {
	check := func(text []byte) ([]byte, error) {
		if text = bytes.TrimSuffix(bytes.TrimSuffix(text, []byte("\n")), []byte("\r")); len(text) < minSecret {
			return nil, fmt.Errorf("the secret has less than %d bytes: it could be guessed", minSecret)
		}
		return text, nil
	}
	switch {
	case i.Secret != "" && i.SecretFile != "":
		return nil, nil, errors.New("only one of secret and secretFile can be given")
	case i.Secret != "":
		text := []byte(i.Secret.Reveal())
		if len(text) < minSecret {
			return nil, nil, fmt.Errorf("secret: has less than %d bytes: it could be guessed", minSecret)
		}
		return func() []byte { return text }, nil, nil
	case i.SecretFile != "":
		file, err := freshfile.Open(i.SecretFile, check, log)
		if err != nil {
			return nil, nil, fmt.Errorf("secretFile: %w", err)
		}
		return file.Value, file.Version, nil
	}
	return nil, nil, nil
}

// keys finds where the public keys come from. Without any, and without a secret, they are
// found by the issuer.
func (i *Issuer) keys(from *origin, hasSecret bool) (keySource, error) {
	given := 0
	for _, is := range []bool{i.JWKSURL != "", i.JWKS != "", len(i.PublicKeys) > 0} {
		if is {
			given++
		}
	}
	switch {
	case given > 1:
		return keySource{}, errors.New("only one of jwksURL, jwks and publicKeys can be given")
	case i.JWKS != "":
		return i.written(from.env.Log)
	case len(i.PublicKeys) > 0:
		return i.pem()
	case i.JWKSURL == "" && hasSecret:
		return keySource{}, nil
	case i.JWKSURL == "" && i.Issuer == "":
		return keySource{}, errors.New("there is nothing to verify tokens by: issuer, jwksURL, jwks, publicKeys or secret")
	}
	address := i.JWKSURL
	if address == "" {
		address = i.Issuer
	}
	if u, err := url.Parse(address); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return keySource{}, fmt.Errorf("%q is no URL that begins with http:// or https://, so that no keys can be found", secret.URL(address))
	}
	s := from.source(i.Issuer, i.JWKSURL)
	from.env.Start(func(ctx context.Context) { _, _ = s.Keys(ctx) }) // before the first request
	return keySource{now: s.Keys, again: s.Again, fresh: s.Fresh}, nil
}

// written are keys of the option jwks.
func (i *Issuer) written(log logrus.FieldLogger) (keySource, error) {
	if strings.HasPrefix(strings.TrimSpace(i.JWKS), "{") {
		list, err := jwks.Parse([]byte(i.JWKS))
		if err != nil {
			return keySource{}, fmt.Errorf("jwks: %w", err)
		}
		return fixed(list), nil
	}
	file, err := freshfile.Open(i.JWKS, jwks.Parse, log)
	if err != nil {
		return keySource{}, fmt.Errorf("jwks: %w", err)
	}
	now := func(context.Context) ([]jwks.Key, error) { return file.Value(), nil }
	return keySource{now: now, fresh: file.Version}, nil
}

func (i *Issuer) pem() (keySource, error) {
	var all []jwks.Key
	for n, text := range i.PublicKeys {
		raw, err := pemtext.Read(text)
		if err != nil {
			return keySource{}, fmt.Errorf("publicKeys[%d]: %w", n, err)
		}
		list, err := jwks.ParsePEM(raw)
		if err != nil {
			return keySource{}, fmt.Errorf("publicKeys[%d]: %w", n, err)
		}
		all = append(all, list...)
	}
	return fixed(all), nil
}

func fixed(list []jwks.Key) keySource {
	return keySource{now: func(context.Context) ([]jwks.Key, error) { return list, nil }, fresh: func() uint64 { return 0 }}
}

// version is another number when tokens have to be verified anew.
func (t *trust) version() (n uint64) {
	if t.keys.fresh != nil {
		n = t.keys.fresh()
	}
	if t.secretFile != nil {
		n += t.secretFile() // both only grow
	}
	return n
}

// unavailableError is a reason that is not the token's.
type unavailableError struct{ error }

// candidates are the keys that a token may be verified by, for its algorithm and the key
// that it names.
func (t *trust) candidates(ctx context.Context, token *jwt.Token) (any, error) {
	alg := token.Method.Alg()
	if slices.Contains(symmetric, alg) {
		if t.secret == nil {
			return nil, errors.New("signed by a shared secret, and there is none")
		}
		return t.secret(), nil
	}
	if t.keys.now == nil {
		return nil, errors.New("signed by a key, and there are none")
	}
	list, err := t.keys.now(ctx)
	if err != nil {
		return nil, &unavailableError{err}
	}
	kid, _ := token.Header["kid"].(string)
	if set := fitting(list, alg, kid); len(set.Keys) > 0 {
		return set, nil
	}
	if t.keys.again != nil {
		if list, err = t.keys.again(ctx); err != nil {
			return nil, &unavailableError{err}
		}
	}
	if set := fitting(list, alg, kid); len(set.Keys) > 0 {
		return set, nil
	}
	return nil, errors.New("the issuer has no key of that name and kind")
}

// fitting are the keys for an algorithm that have a name; where one of both has none, all.
func fitting(list []jwks.Key, alg, kid string) (set jwt.VerificationKeySet) {
	for i := range list {
		if k := &list[i]; k.Fits(alg) && (kid == "" || k.ID == "" || k.ID == kid) {
			set.Keys = append(set.Keys, k.Public)
		}
	}
	return set
}
