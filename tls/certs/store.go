package certs

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sirupsen/logrus"

	"fairway/internal/pemtext"
)

// Source has certificates beside those of the operator: a certificate resolver.
type Source interface {
	// Certificate is for a server name in lower case; nil: there is none. It is called at
	// each handshake.
	Certificate(name string) *tls.Certificate
	// OnDemand may get a certificate while the client waits; nil: it does not.
	OnDemand(hello *tls.ClientHelloInfo) (*tls.Certificate, error)
	// Challenge answers an authority that looks whether a name is ours (RFC 8737); nil: it
	// is not this source that has asked.
	Challenge(hello *tls.ClientHelloInfo) *tls.Certificate
}

// Certificates are all that entry points answer with. What was loaded is replaced as a
// whole; the rest of the gateway keeps one Certificates for its life.
type Certificates struct {
	log     logrus.FieldLogger
	own     *tls.Certificate // that fairway signs itself
	sources []Source
	loaded  atomic.Pointer[loaded]

	complained atomic.Int64 // when a line about a stranger was logged, in Unix time

	mu       sync.Mutex
	pairs    map[string]*pair // by what the operator wrote
	wanted   []*pair          // in the order written
	standard *pair            // of the default store; nil: none
	generate atomic.Pointer[func() *tls.Certificate]
	policies map[*Policy]bool
	awaited  []string // files of options that could not be used
	stamp    string   // of awaited
	again    func()
}

// loaded are certificates by name.
type loaded struct {
	exact, wildcard map[string][]*tls.Certificate
	standard        *tls.Certificate
}

// NewCertificates makes a store. own stands in where there is no other certificate.
func NewCertificates(log logrus.FieldLogger, own *tls.Certificate, sources ...Source) *Certificates {
	c := &Certificates{log: log, own: own, sources: sources, pairs: map[string]*pair{}}
	c.loaded.Store(&loaded{standard: own})
	return c
}

// pair is a certificate of the operator's.
type pair struct {
	config *Certificate
	files  []string
	stamp  string
	cert   *tls.Certificate // nil: it could not be loaded
	err    error

	stapleAt  time.Time // when its issuer is to be asked, if the certificate demands it
	stapleErr error
}

func (p *pair) load() {
	p.stamp, p.stapleAt, p.stapleErr = stampOf(p.files), time.Time{}, nil
	p.cert, p.err = p.config.Load()
}

// Load reads the certificate and its key.
func (c *Certificate) Load() (*tls.Certificate, error) {
	chain, err := pemtext.Read(c.CertFile)
	if err != nil {
		return nil, fmt.Errorf("certFile: %w", err)
	}
	key, err := pemtext.Read(c.KeyFile.Reveal())
	if err != nil {
		return nil, fmt.Errorf("keyFile: %w", err)
	}
	cert, err := tls.X509KeyPair(chain, key)
	if err != nil {
		return nil, err
	}
	return &cert, nil
}

// stampOf changes when one of the files does.
func stampOf(files []string) string {
	var b strings.Builder
	for _, f := range files {
		if info, err := os.Stat(f); err == nil {
			fmt.Fprintf(&b, "%d %d|", info.ModTime().UnixNano(), info.Size())
		} else {
			b.WriteString("?|")
		}
	}
	return b.String()
}

// Set takes over the certificates of a configuration, and of its default store, which
// may be nil. The errors are those of the certificates, in their order, nil for good
// ones; that of the default certificate is the last.
func (c *Certificates) Set(list []*Certificate, store *Store) (errs []error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	before := c.pairs
	c.pairs, c.wanted, c.standard = map[string]*pair{}, nil, nil
	take := func(cert *Certificate) *pair {
		key := cert.CertFile + "\n" + cert.KeyFile.Reveal()
		p := c.pairs[key]
		if p == nil {
			old := before[key]
			if p = old; p == nil || p.err != nil {
				p = newPair(cert)
				if old != nil && p.cert == nil {
					p.cert = old.cert // the last good one
				}
			}
			c.pairs[key] = p
		}
		errs = append(errs, p.err)
		return p
	}
	for _, cert := range list {
		c.wanted = append(c.wanted, take(cert))
	}
	if store != nil && store.DefaultCertificate != nil {
		c.standard = take(store.DefaultCertificate)
	} else {
		errs = append(errs, nil)
	}
	c.publish()
	return errs
}

func newPair(cert *Certificate) *pair {
	p := &pair{config: cert}
	for _, f := range []string{cert.CertFile, cert.KeyFile.Reveal()} {
		if !pemtext.IsText(f) {
			p.files = append(p.files, f)
		}
	}
	p.load()
	return p
}

// Generated is where the default certificate comes from when the operator has given
// none: nil for the one that fairway signs itself.
func (c *Certificates) Generated(from func() *tls.Certificate) {
	c.generate.Store(&from)
}

// publish puts what is loaded in force. The caller holds the lock.
func (c *Certificates) publish() {
	l := &loaded{exact: map[string][]*tls.Certificate{}, wildcard: map[string][]*tls.Certificate{}, standard: c.own}
	for _, p := range c.wanted {
		if p.cert != nil {
			l.add(p.cert)
		}
	}
	if c.standard != nil && c.standard.cert != nil {
		l.standard = c.standard.cert
		l.add(l.standard)
	}
	c.loaded.Store(l)
}

func (l *loaded) add(cert *tls.Certificate) {
	for _, name := range namesOf(cert.Leaf) {
		if parent, ok := strings.CutPrefix(name, "*"); ok {
			l.wildcard[parent] = append(l.wildcard[parent], cert)
		} else {
			l.exact[name] = append(l.exact[name], cert)
		}
	}
}

// namesOf are the names that a certificate is for, in lower case. Where there are none,
// the common name counts, as it did once.
func namesOf(leaf *x509.Certificate) (names []string) {
	for _, name := range leaf.DNSNames {
		names = append(names, strings.ToLower(name))
	}
	for _, ip := range leaf.IPAddresses {
		names = append(names, ip.String())
	}
	if len(names) == 0 && leaf.Subject.CommonName != "" {
		names = append(names, strings.ToLower(leaf.Subject.CommonName))
	}
	return names
}

// Covers tells whether the operator has given a certificate for a name, which may be a
// wildcard, that has not run out.
func (c *Certificates) Covers(name string) bool {
	l, now := c.loaded.Load(), time.Now()
	good := func(cert *tls.Certificate) bool { return inForce(cert, now) }
	if parent, ok := strings.CutPrefix(name, "*"); ok {
		return slices.ContainsFunc(l.wildcard[parent], good)
	}
	return slices.ContainsFunc(l.exact[name], good) || slices.ContainsFunc(l.wildcard[parentOf(name)], good)
}

// inForce tells whether a certificate is valid at a time.
func inForce(cert *tls.Certificate, now time.Time) bool {
	return cert.Leaf == nil || !now.Before(cert.Leaf.NotBefore) && !now.After(cert.Leaf.NotAfter)
}

// parentOf is what a wildcard for a name ends with: ".example.com".
func parentOf(name string) string {
	if at := strings.IndexByte(name, '.'); at >= 0 {
		return name[at:]
	}
	return ""
}

// Config is for connections to an entry point. policy finds how TLS is spoken with a
// host; its name is in lower case, and empty when the client names none.
func (c *Certificates) Config(policy func(host string) *Policy) *tls.Config {
	base := &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}}
	base.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		if len(hello.SupportedProtos) == 1 && hello.SupportedProtos[0] == acmeTLS {
			return c.challenge(hello)
		}
		return policy(serverName(hello)).configFor(c), nil
	}
	base.GetCertificate = func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) { return c.choose(hello, false) }
	return base
}

// challenge answers an authority (RFC 8737, section 3).
func (c *Certificates) challenge(hello *tls.ClientHelloInfo) (*tls.Config, error) {
	for _, s := range c.sources {
		if cert := s.Challenge(hello); cert != nil {
			return &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{acmeTLS}, Certificates: []tls.Certificate{*cert}}, nil
		}
	}
	return nil, fmt.Errorf("nobody has been asked to show that %q is ours", hello.ServerName)
}

func serverName(hello *tls.ClientHelloInfo) string {
	return strings.ToLower(strings.TrimSuffix(hello.ServerName, "."))
}

// choose finds the certificate for a client: the operator's own for just that name, one
// of a resolver, the operator's wildcard, one that is got on demand, the default.
func (c *Certificates) choose(hello *tls.ClientHelloInfo, strict bool) (*tls.Certificate, error) {
	l, name := c.loaded.Load(), serverName(hello)
	if name == "" && hello.Conn != nil {
		if a, ok := hello.Conn.LocalAddr().(*net.TCPAddr); ok {
			name = a.IP.String()
		}
	}
	now := time.Now()
	var late *tls.Certificate // for the last resort: one that has run out
	for _, cert := range []*tls.Certificate{supported(l.exact[name], hello, now), c.resolved(name, now), supported(l.wildcard[parentOf(name)], hello, now)} {
		switch {
		case cert == nil:
		case inForce(cert, now):
			return cert, nil
		case late == nil:
			late = cert
		}
	}
	for _, s := range c.sources {
		cert, err := s.OnDemand(hello)
		if err != nil && c.complains(now) {
			c.log.WithError(err).WithField("host", name).Warn("no certificate on demand")
		}
		if cert != nil {
			return cert, nil
		}
	}
	if late != nil {
		return late, nil
	}
	if strict {
		return nil, fmt.Errorf("there is no certificate for %q, and sniStrict refuses others", name)
	}
	return c.fallback(l), nil
}

// resolved is what the resolvers have for a name: of several the one that is valid for
// longest.
func (c *Certificates) resolved(name string, now time.Time) (best *tls.Certificate) {
	for _, s := range c.sources {
		cert := s.Certificate(name)
		switch {
		case cert == nil:
		case best == nil, inForce(cert, now) && (!inForce(best, now) || cert.Leaf.NotAfter.After(best.Leaf.NotAfter)):
			best = cert
		}
	}
	return best
}

// complains tells whether a line may be logged about what a stranger has asked for: one in
// ten seconds.
func (c *Certificates) complains(now time.Time) bool {
	last := c.complained.Load()
	return now.Unix() >= last+10 && c.complained.CompareAndSwap(last, now.Unix())
}

// fallback is the default certificate.
func (c *Certificates) fallback(l *loaded) *tls.Certificate {
	if l.standard != c.own {
		return l.standard
	}
	if generate := c.generate.Load(); generate != nil && *generate != nil {
		if cert := (*generate)(); cert != nil {
			return cert
		}
	}
	return c.own
}

// supported is the first that the client can use, and that is in force: one name may have
// certificates with keys of several kinds.
func supported(list []*tls.Certificate, hello *tls.ClientHelloInfo, now time.Time) (best *tls.Certificate) {
	for _, cert := range list {
		fits := len(list) == 1 || hello.SupportsCertificate(cert) == nil
		if fits && inForce(cert, now) {
			return cert
		}
		if best == nil || fits {
			best = cert
		}
	}
	return best
}

// Policies takes over those that are in use, so that their files are looked at.
func (c *Certificates) Policies(list map[*Policy]bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.policies = list
}

// Await calls again when one of the files changes, or comes into being: options that name
// them could not be used. It replaces what was awaited before.
func (c *Certificates) Await(files []string, again func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.awaited, c.stamp, c.again = files, stampOf(files), again
}

// lookEvery is how often files are looked at.
const lookEvery = 2 * time.Second

// Run reads files again that have changed, until ctx ends.
func (c *Certificates) Run(ctx context.Context) {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	var stapling sync.WaitGroup
	defer stapling.Wait()
	stapling.Go(func() { c.keepStapled(ctx) }) // it waits for the network
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			c.refresh()
			if again := c.arrived(); again != nil {
				again()
			}
		}
	}
}

// arrived returns what is to be done when a file that was awaited has changed, or nil.
func (c *Certificates) arrived() func() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.awaited) == 0 || stampOf(c.awaited) == c.stamp {
		return nil
	}
	c.stamp = stampOf(c.awaited)
	return c.again
}

// refresh looks at the files. A pair of which one half is new does not fit together: the
// last good one stays in force until the other half has come.
func (c *Certificates) refresh() {
	c.mu.Lock()
	defer c.mu.Unlock()
	changed := false
	for _, p := range c.pairs {
		if len(p.files) == 0 || stampOf(p.files) == p.stamp {
			continue
		}
		good := p.cert
		p.load()
		log := c.log.WithField("file", shown(p.config.CertFile))
		if p.err != nil {
			log.WithError(p.err).Warn("a changed certificate is not usable: the last good one stays in force")
			p.cert = good
			continue
		}
		log.Info("read a changed certificate")
		changed = true
	}
	if changed {
		c.publish()
	}
	for p := range c.policies {
		if fresh, err := p.refresh(); err != nil {
			c.log.WithError(err).WithField("options", p.Name()).Warn("a changed file of TLS options is not usable: its last good content stays in force")
		} else if fresh {
			c.log.WithField("options", p.Name()).Info("read a changed file of TLS options")
		}
	}
}

// shown is the path of a file, if it is sure to be one.
func shown(fileOrText string) string {
	if pemtext.IsText(fileOrText) || !pemtext.IsPath(fileOrText) {
		return ""
	}
	return fileOrText
}

// Info is what is shown of a certificate.
type Info struct {
	Names     []string  `json:"names"`
	File      string    `json:"file,omitempty"` // where it is from; empty: its text was given
	Issuer    string    `json:"issuer,omitempty"`
	Serial    string    `json:"serial,omitempty"`
	NotBefore time.Time `json:"notBefore"`
	NotAfter  time.Time `json:"notAfter"`
	Default   bool      `json:"default,omitempty"`
	Error     string    `json:"error,omitempty"`  // why it cannot be used as it is now
	Staple    string    `json:"staple,omitempty"` // why an answer of its issuer, which it demands, cannot be had

	Leaf *x509.Certificate `json:"-"` // nil: there is none yet
}

// List has the certificates of the operator.
func (c *Certificates) List() (list []Info) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.wanted {
		list = append(list, p.info())
	}
	if c.standard != nil {
		i := c.standard.info()
		i.Default = true
		list = append(list, i)
	}
	return list
}

func (p *pair) info() Info {
	i := Info{File: shown(p.config.CertFile)}
	if p.stapleErr != nil {
		i.Staple = p.stapleErr.Error()
	}
	if p.err != nil {
		i.Error = p.err.Error()
	}
	if p.cert != nil {
		leaf := p.cert.Leaf
		i.Leaf = leaf
		i.Names, i.Issuer, i.Serial, i.NotBefore, i.NotAfter = namesOf(leaf), leaf.Issuer.String(), fmt.Sprintf("%x", leaf.SerialNumber), leaf.NotBefore, leaf.NotAfter
	}
	return i
}
