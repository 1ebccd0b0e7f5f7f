package acme

import (
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net/mail"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/go-acme/lego/v4/certcrypto"
	legolog "github.com/go-acme/lego/v4/log"
	"github.com/sirupsen/logrus"

	"fairway/internal/nearest"
)

// New checks everything and reads local files. It neither dials nor writes.
func (c *Config) New(env Env) (*Resolver, error) {
	if env.Log == nil {
		env.Log = logrus.StandardLogger()
	}
	r := &Resolver{
		cfg: *c, env: env, log: env.Log.WithField("resolver", env.Name), pace: normalPace(),
		kick: make(chan struct{}, 1), slots: make(chan struct{}, workers),
		entries: map[string]*entry{}, busy: map[string]bool{}, flights: map[string]*flight{}, unread: map[string]string{},
	}
	r.snapshot.Store(&snapshot{})
	quietLego.Do(func() { legolog.Logger = debugLog{env.Log} })
	if err := r.cfg.check(); err != nil {
		return nil, err
	}
	r.keyType = keyTypes[r.cfg.KeyType]
	var err error
	if r.base, err = r.cfg.transport(); err != nil {
		return nil, err
	}
	if r.dns, err = newDNSSolver(r.cfg.DNSChallenge); err != nil {
		return nil, fmt.Errorf("dnsChallenge.%w", err)
	}
	if r.ask, err = newAsker(r.cfg.OnDemand); err != nil {
		return nil, fmt.Errorf("onDemand.ask: %w", err)
	}
	if r.store, err = openStorage(r.cfg.Storage, env.Name); err != nil {
		return nil, fmt.Errorf("storage: %w", err)
	}
	r.tokens = &tokens{store: r.store, answers: map[string]answer{}}
	r.account = &accounts{r: r}
	r.look(false)
	r.readTraefik()
	r.mu.Lock()
	r.publish()
	r.mu.Unlock()
	return r, nil
}

// keyTypes are the values of keyType.
var keyTypes = map[string]certcrypto.KeyType{
	"EC256": certcrypto.EC256, "EC384": certcrypto.EC384,
	"RSA2048": certcrypto.RSA2048, "RSA4096": certcrypto.RSA4096, "RSA8192": certcrypto.RSA8192,
}

// check finds what is wrong, and completes what decoding may have left empty.
func (c *Config) check() error {
	var defaults Config
	defaults.SetDefaults()
	for _, option := range []struct {
		value *string
		fill  string
	}{{&c.CAServer, defaults.CAServer}, {&c.Storage, defaults.Storage}, {&c.KeyType, defaults.KeyType}} {
		if *option.value == "" {
			*option.value = option.fill
		}
	}
	if u, err := url.Parse(c.CAServer); err != nil || u.Scheme != "https" || u.Host == "" {
		return fmt.Errorf("caServer: %q is no https URL", c.CAServer)
	}
	c.KeyType = strings.ToUpper(c.KeyType)
	if keyTypes[c.KeyType] == "" {
		known := slices.Sorted(maps.Keys(keyTypes))
		return fmt.Errorf("keyType: %q is none of %s%s", c.KeyType, strings.Join(known, ", "), meant(c.KeyType, known))
	}
	for _, address := range append([]string{c.Email}, c.EmailAddresses...) {
		if _, err := mail.ParseAddress(address); address != "" && err != nil {
			return fmt.Errorf("email: %q is no address", address)
		}
	}
	for _, option := range []struct {
		name  string
		value int64
	}{
		{"certificatesDuration", int64(c.CertificatesDuration)},
		{"clientTimeout", int64(c.ClientTimeout)},
		{"clientResponseHeaderTimeout", int64(c.ClientResponseHeaderTimeout)},
		{"certificateTimeout", int64(c.CertificateTimeout)},
	} {
		if option.value < 0 {
			return fmt.Errorf("%s: must not be negative", option.name)
		}
	}
	if c.EAB != nil {
		if err := c.EAB.check(); err != nil {
			return fmt.Errorf("eab.%w", err)
		}
	}
	return c.checkChallenges()
}

func (c *Config) checkChallenges() error {
	switch {
	case c.HTTPChallenge == nil && c.TLSChallenge == nil && c.DNSChallenge == nil:
		return errors.New("none of httpChallenge, tlsChallenge and dnsChallenge is set")
	case c.HTTPChallenge != nil && c.HTTPChallenge.EntryPoint == "":
		return errors.New("httpChallenge.entryPoint: is required")
	case c.HTTPChallenge != nil && c.HTTPChallenge.Delay < 0:
		return errors.New("httpChallenge.delay: must not be negative")
	case c.TLSChallenge != nil && c.TLSChallenge.Delay < 0:
		return errors.New("tlsChallenge.delay: must not be negative")
	case c.OnDemand != nil && c.HTTPChallenge == nil && c.TLSChallenge == nil:
		return errors.New("onDemand: needs httpChallenge or tlsChallenge")
	}
	return nil
}

func (e *EAB) check() error {
	if e.Kid == "" {
		return errors.New("kid: is required")
	}
	hmac := strings.TrimRight(e.HmacEncoded.Reveal(), "=")
	if decoded, err := base64.RawURLEncoding.DecodeString(hmac); err != nil || len(decoded) == 0 {
		return errors.New("hmacEncoded: is no Base64 in the URL alphabet")
	}
	return nil
}

// meant suggests what somebody may have meant.
func meant(got string, known []string) string {
	if name := nearest.Name(got, known); name != "" {
		return "; did you mean " + name + "?"
	}
	return ""
}

// quietLego guards the one logger that the library has for the whole program.
var quietLego sync.Once

// debugLog is for the library, which tells of each step at the level of a notice.
type debugLog struct{ logrus.FieldLogger }

func (l debugLog) Print(args ...any)                 { l.Debug(args...) }
func (l debugLog) Println(args ...any)               { l.Debugln(args...) }
func (l debugLog) Printf(format string, args ...any) { l.Debugf(format, args...) }
