package certs

import (
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"fairway/internal/pemtext"
)

// Policy is how TLS is spoken with some hosts: options that have been understood. Its
// settings change when files that the options name change, and when it is time for new
// keys for session tickets; it stays itself over reloads as long as the options do.
type Policy struct {
	name     string
	options  *Options
	template *tls.Config // all but certificates and client authentication
	demand   tls.ClientAuthType
	strict   bool
	files    []string
	trust    atomic.Pointer[trust]
	tickets  tickets
	mu       sync.Mutex // held by who makes settings anew
	stamp    string     // of the files when they were last read
	current  atomic.Pointer[settings]
}

// settings are a policy with the certificates of a store.
type settings struct {
	config *tls.Config
	of     *Certificates
}

// DefaultPolicy is what is spoken where no options say otherwise.
func DefaultPolicy() *Policy {
	o := &Options{}
	o.SetDefaults()
	p, err := o.New("default")
	if err != nil {
		panic(err) // the defaults are our own
	}
	return p
}

// New makes the policy. It reads files.
func (o *Options) New(name string) (*Policy, error) {
	p := &Policy{name: name, options: o, strict: o.SniStrict}
	var err error
	if p.template, err = o.template(); err != nil {
		return nil, err
	}
	if p.demand, err = o.ClientAuth.demand(); err != nil {
		return nil, err
	}
	for _, f := range slices.Concat(o.ClientAuth.CAFiles, o.ClientAuth.CRLFiles) {
		if !pemtext.IsText(f) {
			p.files = append(p.files, f)
		}
	}
	p.stamp = stampOf(p.files)
	t, err := o.ClientAuth.load()
	if err != nil {
		return nil, fmt.Errorf("clientAuth.%w", err)
	}
	p.trust.Store(t)
	return p, nil
}

func (o *Options) template() (c *tls.Config, err error) {
	c = &tls.Config{MinVersion: tls.VersionTLS12, SessionTicketsDisabled: o.DisableSessionTickets}
	if o.MinVersion != "" {
		if c.MinVersion, err = Version("minVersion", o.MinVersion); err != nil {
			return nil, err
		}
	}
	if o.MaxVersion != "" {
		if c.MaxVersion, err = Version("maxVersion", o.MaxVersion); err != nil {
			return nil, err
		}
		if c.MaxVersion < c.MinVersion {
			return nil, fmt.Errorf("maxVersion %s is below the lowest version, %s", o.MaxVersion, tls.VersionName(c.MinVersion))
		}
	}
	if c.CipherSuites, err = CipherSuites(o.CipherSuites); err != nil {
		return nil, err
	}
	if len(c.CipherSuites) == 0 {
		c.CipherSuites = defaultSuites()
	}
	if c.CurvePreferences, err = curveIDs(o.CurvePreferences); err != nil {
		return nil, err
	}
	for _, protocol := range o.ALPNProtocols {
		if protocol == "" || len(protocol) > 255 {
			return nil, fmt.Errorf("alpnProtocols: %q is no name of a protocol", protocol)
		}
		if protocol != acmeTLS {
			c.NextProtos = append(c.NextProtos, protocol)
		}
	}
	if len(o.ALPNProtocols) == 0 {
		c.NextProtos = []string{"h2", "http/1.1"}
	}
	return c, nil
}

// acmeTLS is the protocol of challenges (RFC 8737), which the store answers by itself.
const acmeTLS = "acme-tls/1"

// defaultSuites are those of Go's that have forward secrecy and are authenticated
// encryption: CBC is left out, as current recommendations have it.
func defaultSuites() (ids []uint16) {
	for _, s := range tls.CipherSuites() {
		switch s.ID {
		case tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, tls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA,
			tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA, tls.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA:
		default:
			ids = append(ids, s.ID)
		}
	}
	return ids
}

var demands = map[string]tls.ClientAuthType{
	"NoClientCert": tls.NoClientCert, "RequestClientCert": tls.RequestClientCert, "RequireAnyClientCert": tls.RequireAnyClientCert,
	"VerifyClientCertIfGiven": tls.VerifyClientCertIfGiven, "RequireAndVerifyClientCert": tls.RequireAndVerifyClientCert,
}

func (c *ClientAuth) demand() (tls.ClientAuthType, error) {
	demand, ok := demands[c.ClientAuthType]
	switch {
	case c.ClientAuthType == "" && len(c.CAFiles) > 0:
		return tls.RequireAndVerifyClientCert, nil
	case c.ClientAuthType == "":
		return tls.NoClientCert, nil
	case !ok:
		known := []string{"NoClientCert", "RequestClientCert", "RequireAnyClientCert", "VerifyClientCertIfGiven", "RequireAndVerifyClientCert"}
		return 0, unknown("clientAuth.clientAuthType", c.ClientAuthType, known)
	case demand >= tls.VerifyClientCertIfGiven && len(c.CAFiles) == 0:
		return 0, fmt.Errorf("clientAuth: %s needs caFiles, the authorities to verify by", c.ClientAuthType)
	}
	return demand, nil
}

// Together is the policy of a host whose routers have several: connections are made by
// the first one, and clients are asked for a certificate if any of them does, or any of
// beside, which are those of routers for all hosts. Which client may do what is then
// decided by each router (Admit). It fails when versions of TLS exclude each other.
func Together(list, beside []*Policy) (*Policy, error) {
	asks := func(p *Policy) bool { return p.demand != tls.NoClientCert }
	if len(list) == 1 && !slices.ContainsFunc(beside, asks) {
		return list[0], nil
	}
	first := list[0]
	p := &Policy{name: first.name, options: first.options, template: first.template}
	p.trust.Store(&trust{})
	for _, m := range list {
		p.strict = p.strict || m.strict
		p.template = stricter(p.template, m.template)
	}
	if slices.ContainsFunc(list, asks) || slices.ContainsFunc(beside, asks) {
		p.demand = tls.RequestClientCert
	}
	if c := p.template; c.MaxVersion != 0 && c.MaxVersion < c.MinVersion {
		return nil, fmt.Errorf("no version of TLS is left: %s at least, and %s at most", tls.VersionName(c.MinVersion), tls.VersionName(c.MaxVersion))
	}
	return p, nil
}

// stricter is a, with the versions that both allow.
func stricter(a, b *tls.Config) *tls.Config {
	c := a.Clone()
	c.MinVersion = max(a.MinVersion, b.MinVersion)
	if b.MaxVersion != 0 && (a.MaxVersion == 0 || b.MaxVersion < a.MaxVersion) {
		c.MaxVersion = b.MaxVersion
	}
	c.SessionTicketsDisabled = a.SessionTicketsDisabled || b.SessionTicketsDisabled
	return c
}

// Name is that of the options.
func (p *Policy) Name() string { return p.name }

// Options are what the policy was made of.
func (p *Policy) Options() *Options { return p.options }

// Speaks tells whether the options name the protocols that may be spoken (ALPN), as they do not by default.
func (p *Policy) Speaks() bool {
	if p.options == nil || len(p.options.ALPNProtocols) == 0 {
		return false
	}
	usual := &Options{}
	usual.SetDefaults()
	return !slices.Equal(p.options.ALPNProtocols, usual.ALPNProtocols)
}

// Files are those that the options name.
func (p *Policy) Files() []string { return p.files }

// Notes are what the operator should know of the files as they are now.
func (p *Policy) Notes() []string { return p.trust.Load().notes }

// Asks tells whether clients are asked for certificates.
func (p *Policy) Asks() bool { return p.demand != tls.NoClientCert }

// Insists tells whether no connection without a certificate can have been made by it.
func (p *Policy) Insists() bool {
	return p.demand == tls.RequireAnyClientCert || p.demand == tls.RequireAndVerifyClientCert
}

// Demands tells whether Admit may refuse anybody.
func (p *Policy) Demands() bool {
	return p != nil && p.demand != tls.NoClientCert && p.demand != tls.RequestClientCert
}

// Admit tells whether the client of a connection may use a router with this policy. The
// connection may have been made by another one: that of a host which several routers
// share, or one before a reload.
func (p *Policy) Admit(state *tls.ConnectionState) error {
	if !p.Demands() {
		return nil
	}
	if len(state.PeerCertificates) == 0 {
		if p.demand == tls.VerifyClientCertIfGiven {
			return nil
		}
		return errors.New("the client has shown no certificate")
	}
	if p.demand == tls.RequireAnyClientCert {
		return nil
	}
	return p.trust.Load().remembered(state.PeerCertificates, time.Now())
}

// configFor returns the settings for connections that are answered with the
// certificates of a store.
func (p *Policy) configFor(of *Certificates) *tls.Config {
	if s := p.current.Load(); s != nil && s.of == of && !p.tickets.due(time.Now()) {
		return s.config
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if s := p.current.Load(); s == nil || s.of != of {
		p.current.Store(&settings{config: p.config(of), of: of})
	}
	c := p.current.Load().config
	if !c.SessionTicketsDisabled {
		c.SetSessionTicketKeys(p.tickets.keys(time.Now()))
	}
	return c
}

func (p *Policy) config(of *Certificates) *tls.Config {
	c := p.template.Clone()
	strict := p.strict
	c.GetCertificate = func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) { return of.choose(hello, strict) }
	t := p.trust.Load()
	c.ClientCAs, c.ClientAuth = t.roots, p.demand
	if p.demand >= tls.VerifyClientCertIfGiven {
		// Go verifies the chain; what was revoked it does not know. This is called for
		// sessions that are resumed, too.
		c.VerifyConnection = func(state tls.ConnectionState) error {
			if len(state.PeerCertificates) == 0 {
				return nil // ClientAuth has decided
			}
			return p.trust.Load().verify(state.PeerCertificates)
		}
	}
	return c
}

// refresh reads files anew that have changed. What cannot be used leaves the last good
// content in force.
func (p *Policy) refresh() (changed bool, err error) {
	if len(p.files) == 0 {
		return false, nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	stamp := stampOf(p.files)
	if stamp == p.stamp {
		return false, nil
	}
	p.stamp = stamp // a content that is not usable is told of once
	t, err := p.options.ClientAuth.load()
	if err != nil {
		return false, err
	}
	p.trust.Store(t)
	if s := p.current.Load(); s != nil {
		p.current.Store(&settings{config: p.config(s.of), of: s.of})
		p.current.Load().config.SetSessionTicketKeys(p.tickets.keys(time.Now()))
	}
	return true, nil
}
