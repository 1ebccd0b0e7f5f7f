package certs

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"fairway/internal/secret"
)

// authority signs certificates.
type authority struct {
	*testing.T
	cert *x509.Certificate
	key  crypto.Signer
}

var serials atomic.Int64 //nolint:gochecknoglobals // numbers of certificates must not repeat

func newKey(t *testing.T) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func newAuthority(t *testing.T, name string) *authority {
	t.Helper()
	key := newKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serials.Add(1)), Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &authority{t, cert, key}
}

func (a *authority) pem() string { return text("CERTIFICATE", a.cert.Raw) }

func text(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

// issue makes a certificate for names, as a configuration has it.
func (a *authority) issue(change func(*x509.Certificate), names ...string) *Certificate {
	return a.issueFor(newKey(a.T), change, names...)
}

func (a *authority) issueFor(key crypto.Signer, change func(*x509.Certificate), names ...string) *Certificate {
	a.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serials.Add(1)), DNSNames: names,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(12 * time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	if change != nil {
		change(template)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		a.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.Fatal(err)
	}
	return &Certificate{CertFile: text("CERTIFICATE", der), KeyFile: secret.String(text("PRIVATE KEY", keyDER))}
}

func (a *authority) rsa(names ...string) *Certificate {
	a.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		a.Fatal(err)
	}
	return a.issueFor(key, nil, names...)
}

// revokes makes a list of revoked certificates.
func (a *authority) revokes(certs ...*Certificate) string {
	a.Helper()
	return a.revokesWith(func(*x509.RevocationList) {}, certs...)
}

func (a *authority) revokesWith(change func(*x509.RevocationList), certs ...*Certificate) string {
	a.Helper()
	list := &x509.RevocationList{Number: big.NewInt(serials.Add(1)), ThisUpdate: time.Now(), NextUpdate: time.Now().Add(time.Hour)}
	for _, c := range certs {
		if c == nil {
			continue
		}
		list.RevokedCertificateEntries = append(list.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: pair509(a.T, c).SerialNumber, RevocationTime: time.Now()})
	}
	change(list)
	der, err := x509.CreateRevocationList(rand.Reader, list, a.cert, a.key)
	if err != nil {
		a.Fatal(err)
	}
	return text("X509 CRL", der)
}

func pair509(t *testing.T, c *Certificate) *x509.Certificate { return loadPair(t, c).Leaf }

func loadPair(t *testing.T, c *Certificate) *tls.Certificate {
	t.Helper()
	cert, err := c.Load()
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// file writes a file and returns its name.
func file(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	rewrite(t, path, content)
	return path
}

// rewrite gives a file another content, and a time of change that is another one, too.
func rewrite(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	at := time.Unix(1e9+serials.Add(1), 0)
	if err := os.Chtimes(path, at, at); err != nil {
		t.Fatal(err)
	}
}

func newStore(t *testing.T, sources ...Source) (*Certificates, *bytes.Buffer) {
	t.Helper()
	own, err := NewDefault()
	if err != nil {
		t.Fatal(err)
	}
	log := logrus.New()
	said := &bytes.Buffer{}
	log.SetOutput(said)
	return NewCertificates(log, own, sources...), said
}

// meeting is how a handshake ended.
type meeting struct {
	state  tls.ConnectionState // of the client
	server tls.ConnectionState
	err    error // of either side
}

// handshake meets a server over a real connection: the client reads a byte, so that it
// learns what the server thinks of its certificate, and gets its tickets.
func handshake(t *testing.T, server, client *tls.Config) meeting {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	served := make(chan meeting, 1)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			served <- meeting{err: err}
			return
		}
		defer func() { _ = conn.Close() }()
		c := tls.Server(conn, server)
		if err := c.Handshake(); err != nil {
			served <- meeting{err: err}
			return
		}
		_, err = c.Write([]byte("x"))
		served <- meeting{server: c.ConnectionState(), err: err}
	}()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	c := tls.Client(conn, client)
	_, err = io.ReadFull(c, make([]byte, 1))
	m := <-served
	m.state, m.err = c.ConnectionState(), errors.Join(err, m.err)
	return m
}

// visitor is a client that takes every certificate.
func visitor(name string) *tls.Config {
	return &tls.Config{ServerName: name, InsecureSkipVerify: true}
}

// only is a policy for all hosts.
func only(p *Policy) func(string) *Policy { return func(string) *Policy { return p } }

func policyOf(t *testing.T, o Options) *Policy {
	t.Helper()
	p, err := o.New("test")
	if err != nil {
		t.Fatal(err)
	}
	return p
}
