package certs

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"fairway/internal/secret"
)

// served is the certificate that a client gets which asks for a name.
func served(t *testing.T, c *Certificates, p *Policy, name string) *x509.Certificate {
	t.Helper()
	m := handshake(t, c.Config(only(p)), visitor(name))
	if m.err != nil {
		t.Fatalf("%q: %v", name, m.err)
	}
	return m.state.PeerCertificates[0]
}

// resolver is a source that has certificates, or gets them while the client waits.
type resolver struct {
	has, gets map[string]*tls.Certificate
	challenge *tls.Certificate
}

func (r *resolver) Certificate(name string) *tls.Certificate { return r.has[name] }

func (r *resolver) OnDemand(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	if hello.ServerName == "broken.test" {
		return nil, errors.New("the authority is away")
	}
	return r.gets[hello.ServerName], nil
}

func (r *resolver) Challenge(hello *tls.ClientHelloInfo) *tls.Certificate {
	if hello.ServerName == "asked.test" {
		return r.challenge
	}
	return nil
}

func TestCertificates_TheNearestNameCounts(t *testing.T) {
	a := newAuthority(t, "CA")
	fromResolver := func(name string) *tls.Certificate { return loadPair(t, a.issue(nil, name, "by-resolver")) }
	c, said := newStore(t, &resolver{
		has:  map[string]*tls.Certificate{"auto.test": fromResolver("auto.test"), "both.test": fromResolver("both.test"), "auto.wild.test": fromResolver("auto.wild.test")},
		gets: map[string]*tls.Certificate{"demand.test": fromResolver("demand.test")},
	})
	ip := a.issue(func(c *x509.Certificate) { c.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)} }, "by-address")
	old := a.issue(func(c *x509.Certificate) { c.Subject.CommonName = "common.test" })
	errs := c.Set([]*Certificate{a.issue(nil, "One.test", "two.test"), a.issue(nil, "*.wild.test"), a.issue(nil, "exact.wild.test"), a.issue(nil, "both.test"), ip, old}, nil)
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	plain := DefaultPolicy()
	for name, want := range map[string]string{
		"one.test": "One.test two.test", "TWO.test.": "One.test two.test", "x.wild.test": "*.wild.test", "exact.wild.test": "exact.wild.test",
		"a.b.wild.test": "fairway.invalid", "wild.test": "fairway.invalid", "other.test": "fairway.invalid", "": "by-address",
		"auto.test": "auto.test by-resolver", "both.test": "both.test", "auto.wild.test": "auto.wild.test by-resolver",
		"demand.test": "demand.test by-resolver", "broken.test": "fairway.invalid", "common.test": "",
	} {
		if got := strings.Join(served(t, c, plain, name).DNSNames, " "); got != want {
			t.Errorf("%q: got the certificate for %q, want %q", name, got, want)
		}
	}
	if !strings.Contains(said.String(), "the authority is away") {
		t.Errorf("the log has %q", said)
	}
	for name, want := range map[string]bool{"one.test": true, "x.wild.test": true, "*.wild.test": true, "*.test": false, "other.test": false, "auto.test": false} {
		if c.Covers(name) != want {
			t.Errorf("covers %s: got %v", name, !want)
		}
	}
	strict := policyOf(t, Options{SniStrict: true})
	if got := served(t, c, strict, "one.test").DNSNames[0]; got != "One.test" {
		t.Errorf("strict: got %q", got)
	}
	if m := handshake(t, c.Config(only(strict)), visitor("other.test")); m.err == nil {
		t.Error("sniStrict: another name got a certificate")
	}
}

func TestCertificates_DefaultOnes(t *testing.T) {
	a := newAuthority(t, "CA")
	c, _ := newStore(t)
	plain := DefaultPolicy()
	generated := loadPair(t, a.issue(nil, "generated"))
	c.Set(nil, &Store{})
	c.Generated(func() *tls.Certificate { return nil }) // it has not come yet
	if got := served(t, c, plain, "x.test").Subject.CommonName; got != "FAIRWAY DEFAULT CERT" {
		t.Errorf("got %s", got)
	}
	c.Generated(func() *tls.Certificate { return generated })
	if got := served(t, c, plain, "x.test").DNSNames[0]; got != "generated" {
		t.Errorf("got %s", got)
	}
	c.Set(nil, &Store{DefaultCertificate: a.issue(nil, "standard.test")})
	if got := served(t, c, plain, "x.test").DNSNames[0]; got != "standard.test" {
		t.Errorf("got %s", got)
	}
	if list := c.List(); len(list) != 1 || !list[0].Default || list[0].Names[0] != "standard.test" || list[0].Issuer != "CN=CA" {
		t.Errorf("got %+v", list)
	}
}

func TestCertificates_OneNameTwoKindsOfKeys(t *testing.T) {
	a := newAuthority(t, "CA")
	c, _ := newStore(t)
	c.Set([]*Certificate{a.issue(nil, "one.test"), a.rsa("one.test")}, nil)
	old := visitor("one.test")
	old.MaxVersion, old.CipherSuites = tls.VersionTLS12, []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}
	for want, client := range map[x509.PublicKeyAlgorithm]*tls.Config{x509.ECDSA: visitor("one.test"), x509.RSA: old} {
		m := handshake(t, c.Config(only(DefaultPolicy())), client)
		if m.err != nil || m.state.PeerCertificates[0].PublicKeyAlgorithm != want {
			t.Errorf("want %s: got %v", want, m.err)
		}
	}
}

func TestCertificates_ChangedFilesAreReadAgain(t *testing.T) {
	a := newAuthority(t, "CA")
	first, second := a.issue(nil, "first.test"), a.issue(nil, "second.test")
	cert, key := file(t, "cert.pem", first.CertFile), file(t, "key.pem", first.KeyFile.Reveal())
	c, said := newStore(t)
	if err := errors.Join(c.Set([]*Certificate{{CertFile: cert, KeyFile: "/nowhere.pem"}, {CertFile: cert, KeyFile: first.KeyFile}}, nil)...); err == nil || !strings.Contains(err.Error(), "keyFile: open /nowhere.pem") {
		t.Errorf("got %v", err)
	}
	both := &Certificate{CertFile: cert, KeyFile: secret.String(key)}
	if err := errors.Join(c.Set([]*Certificate{both}, nil)...); err != nil {
		t.Fatal(err)
	}
	c.refresh()
	rewrite(t, cert, second.CertFile) // half of it is new
	c.refresh()
	if got := served(t, c, DefaultPolicy(), "first.test").DNSNames[0]; got != "first.test" {
		t.Errorf("between the halves: got %s", got)
	}
	if !strings.Contains(said.String(), "the last good one stays in force") || c.List()[0].Error == "" {
		t.Errorf("the log has %q, the list %+v", said, c.List())
	}
	rewrite(t, key, second.KeyFile.Reveal())
	c.refresh()
	if got := served(t, c, DefaultPolicy(), "second.test").DNSNames[0]; got != "second.test" {
		t.Errorf("after both: got %s", got)
	}
	if list := c.List(); list[0].Error != "" || list[0].File != cert || !list[0].NotAfter.After(time.Now()) {
		t.Errorf("got %+v", list)
	}
}

func TestCertificates_ChallengesAreAnswered(t *testing.T) {
	a := newAuthority(t, "CA")
	c, _ := newStore(t, &resolver{challenge: loadPair(t, a.issue(nil, "challenge"))})
	asks := visitor("asked.test")
	asks.NextProtos = []string{"acme-tls/1"}
	strict := policyOf(t, Options{SniStrict: true, ClientAuth: ClientAuth{ClientAuthType: "RequireAnyClientCert"}})
	if m := handshake(t, c.Config(only(strict)), asks); m.err != nil || m.state.PeerCertificates[0].DNSNames[0] != "challenge" || m.state.NegotiatedProtocol != "acme-tls/1" {
		t.Errorf("got %v, %q", m.err, m.state.NegotiatedProtocol)
	}
	asks.ServerName = "never.test"
	if m := handshake(t, c.Config(only(DefaultPolicy())), asks); m.err == nil {
		t.Error("a challenge that nobody has asked for was answered")
	}
}

// What has run out is shown only where there is nothing else.
func TestCertificates_WhatIsInForceGoesFirst(t *testing.T) {
	a := newAuthority(t, "CA")
	over := func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }
	marked := func(change func(*x509.Certificate), mark string, names ...string) *Certificate {
		return a.issue(func(c *x509.Certificate) {
			c.Subject.CommonName = mark
			if change != nil {
				change(c)
			}
		}, names...)
	}
	long := func(c *x509.Certificate) { c.NotAfter = time.Now().Add(20 * time.Hour) }
	c, _ := newStore(t,
		&resolver{has: map[string]*tls.Certificate{"moved.test": loadPair(t, marked(over, "old", "moved.test")), "x.wild.test": loadPair(t, marked(over, "old", "x.wild.test")), "both.test": loadPair(t, marked(nil, "short", "both.test"))}},
		&resolver{has: map[string]*tls.Certificate{"moved.test": loadPair(t, marked(nil, "new", "moved.test")), "own.test": loadPair(t, marked(nil, "new", "own.test")), "both.test": loadPair(t, marked(long, "long", "both.test"))}})
	c.Set([]*Certificate{marked(nil, "wild", "*.wild.test"), marked(over, "own", "own.test"), marked(over, "last", "last.test")}, nil)
	for name, want := range map[string]string{"moved.test": "new", "x.wild.test": "wild", "own.test": "new", "both.test": "long", "last.test": "last"} {
		if got := served(t, c, DefaultPolicy(), name).Subject.CommonName; got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	if c.Covers("own.test") || !c.Covers("x.wild.test") {
		t.Error("a certificate that has run out covers its names")
	}
}

func TestCertificates_TheLastGoodOneStaysOverReloads(t *testing.T) {
	a := newAuthority(t, "CA")
	first, second := a.issue(nil, "first.test"), a.issue(nil, "second.test")
	both := &Certificate{CertFile: file(t, "cert.pem", first.CertFile), KeyFile: secret.String(file(t, "key.pem", first.KeyFile.Reveal()))}
	c, _ := newStore(t)
	c.Set([]*Certificate{both}, nil)
	rewrite(t, both.CertFile, second.CertFile) // half of it is new
	c.refresh()
	for range 2 {
		if errs := c.Set([]*Certificate{both}, nil); errs[0] == nil {
			t.Error("nothing is said")
		}
		if got := served(t, c, DefaultPolicy(), "first.test").DNSNames[0]; got != "first.test" {
			t.Errorf("got %s", got)
		}
	}
}

func TestCertificates_KeysAreNotShown(t *testing.T) {
	a := newAuthority(t, "CA")
	good := a.issue(nil, "one.test")
	body := strings.ReplaceAll(strings.TrimPrefix(good.KeyFile.Reveal(), "-----BEGIN PRIVATE KEY-----"), "\n", "")
	for _, key := range []string{body, "----BEGIN PRIVATE KEY-----" + body, "/" + body, body[:100], strings.TrimPrefix(good.KeyFile.Reveal(), "-")} {
		c, said := newStore(t)
		errs := c.Set([]*Certificate{{CertFile: good.CertFile, KeyFile: secret.String(key)}}, nil)
		c.refresh()
		if text := fmt.Sprint(errs, c.List(), said); errs[0] == nil || strings.Contains(text, body[10:40]) {
			t.Errorf("the key is shown, or nothing is said: %s", text)
		}
	}
}

func TestCertificates_FilesOfOptionsAreAwaited(t *testing.T) {
	c, _ := newStore(t)
	path := file(t, "ca.pem", "x")
	calls := 0
	c.Await([]string{path, path + ".new"}, func() { calls++ })
	if c.arrived() != nil {
		t.Error("nothing has changed")
	}
	rewrite(t, path+".new", "y")
	if again := c.arrived(); again == nil {
		t.Error("a new file is not noticed")
	} else if again(); calls != 1 || c.arrived() != nil {
		t.Errorf("%d calls", calls)
	}
}

func TestCertificates_StrangersDoNotFillTheLog(t *testing.T) {
	c, said := newStore(t, &resolver{})
	for range 20 {
		served(t, c, DefaultPolicy(), "broken.test")
	}
	if n := strings.Count(said.String(), "no certificate on demand"); n != 1 {
		t.Errorf("%d lines", n)
	}
}
