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
	"time"

	"github.com/go-acme/lego/v4/certcrypto"
	legolog "github.com/go-acme/lego/v4/log"
	"github.com/sirupsen/logrus"

	"fairway/internal/nearest"
	"fairway/internal/secret"
)

// New checks everything and reads local files. It neither dials nor writes. The Resolver is
// never nil: with an error it is one that is out of use, so that a mistake in one resolver
// stops nobody. It orders nothing, serves what is in its storage, if that can be opened,
// and its Status has the error for everything that is wanted.
func (c *Config) New(env Env) (*Resolver, error) {
	r, err := c.open(env)
	if err == nil {
		err = r.prepare()
	}
	if err == nil {
		err = r.prepareProofs()
	}
	if err != nil {
		r.out, r.outSince = err, time.Now()
	}
	if r.store != nil {
		r.load()
		r.inspectMounts()
	}
	return r, err
}

// load reads what is in the storage.
func (r *Resolver) load() {
	r.look(false)
	r.readTraefik()
	r.mu.Lock()
	r.publish()
	r.mu.Unlock()
}

// open makes a Resolver that can do no more than work on its storage.
func (c *Config) open(env Env) (*Resolver, error) {
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
	r.cfg.complete()
	var err error
	if r.store, err = openStorage(r.cfg.Storage, env.Name); err != nil {
		err = fmt.Errorf("storage: %w", err)
	}
	r.tokens = &tokens{store: r.store, answers: map[string]answer{}}
	r.account = &accounts{r: r}
	return r, err
}

// prepare makes what talks to the authority.
func (r *Resolver) prepare() (err error) {
	if err := r.cfg.check(); err != nil {
		return err
	}
	r.keyType = keyTypes[r.cfg.KeyType]
	r.base, err = r.cfg.transport()
	return err
}

// prepareProofs makes what proves that names are ours.
func (r *Resolver) prepareProofs() (err error) {
	if err := r.cfg.checkChallenges(); err != nil {
		return err
	}
	if r.dns, err = newDNSSolver(r.cfg.DNSChallenge); err != nil {
		return fmt.Errorf("dnsChallenge.%w", err)
	}
	if r.ask, err = newAsker(r.cfg.OnDemand); err != nil {
		return fmt.Errorf("onDemand.ask: %w", err)
	}
	return nil
}

// keyTypes are the values of keyType.
var keyTypes = map[string]certcrypto.KeyType{
	"EC256": certcrypto.EC256, "EC384": certcrypto.EC384,
	"RSA2048": certcrypto.RSA2048, "RSA4096": certcrypto.RSA4096, "RSA8192": certcrypto.RSA8192,
}

// complete fills in what decoding may have left empty.
func (c *Config) complete() {
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
	c.KeyType = strings.ToUpper(c.KeyType)
}

// check finds what is wrong.
func (c *Config) check() error {
	if u, err := url.Parse(c.CAServer); err != nil || u.Scheme != "https" || u.Host == "" {
		return fmt.Errorf("caServer: %q is no https URL", secret.URL(c.CAServer))
	}
	if keyTypes[c.KeyType] == "" {
		known := slices.Sorted(maps.Keys(keyTypes))
		return fmt.Errorf("keyType: %q is none of %s%s", c.KeyType, strings.Join(known, ", "), meant(c.KeyType, known))
	}
	for i, address := range append([]string{c.Email}, c.EmailAddresses...) {
		if _, err := mail.ParseAddress(address); address != "" && err != nil {
			return fmt.Errorf("%s: %q is no address", map[bool]string{true: "email", false: "emailAddresses"}[i == 0], address)
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
	return nil
}

func (c *Config) checkChallenges() error {
	switch {
	case c.HTTPChallenge == nil && c.TLSChallenge == nil && c.DNSChallenge == nil:
		return errors.New("httpChallenge, tlsChallenge or dnsChallenge is missing")
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
