package proxy

import (
	"crypto/tls"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/traefik/paerser/types"

	"fairway/internal/secret"
)

// through sends one request by a transport, and returns its error.
func through(tb testing.TB, c *ServersTransport, address string) (*httptest.ResponseRecorder, error) {
	tb.Helper()
	e, err := c.New()
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(e.CloseIdle)
	u, err := url.Parse(address)
	if err != nil {
		tb.Fatal(err)
	}
	target := &Target{URL: u}
	target.Use(tb.Context())
	w := httptest.NewRecorder()
	return w, e.Forward(w, httptest.NewRequest(http.MethodGet, "/", nil), target, Options{PassHost: true})
}

func certificatePEM(s *httptest.Server) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}))
}

func newSecure(tb testing.TB, edit func(*tls.Config)) *httptest.Server {
	tb.Helper()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Proto+" "+r.TLS.ServerName)
		if len(r.TLS.PeerCertificates) > 0 {
			_, _ = io.WriteString(w, " with a certificate")
		}
	}))
	s.EnableHTTP2 = true
	s.TLS = &tls.Config{}
	if edit != nil {
		edit(s.TLS)
	}
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	tb.Cleanup(s.Close)
	return s
}

func TestServersTransport_TLS(t *testing.T) {
	s := newSecure(t, nil)
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, []byte(certificatePEM(s)), 0o600); err != nil {
		t.Fatal(err)
	}
	only12 := newSecure(t, func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12; c.NextProtos = []string{"http/1.1"} })
	asks := newSecure(t, func(c *tls.Config) { c.ClientAuth = tls.RequireAnyClientCert })
	cert, key := keyPair(t)
	for _, tt := range []struct {
		name      string
		transport ServersTransport
		server    *httptest.Server
		body, err string
	}{
		{"nobody's certificate", ServersTransport{}, s, "", "certificate"},
		{"taken without a look", ServersTransport{InsecureSkipVerify: true}, s, "HTTP/2.0 ", ""},
		{"an authority as text", ServersTransport{RootCAs: []string{certificatePEM(s)}}, s, "HTTP/2.0 ", ""},
		{"an authority in a file", ServersTransport{RootCAs: []string{file}, ServerName: "example.com"}, s, "HTTP/2.0 example.com", ""},
		{"another name", ServersTransport{RootCAs: []string{file}, ServerName: "other.test"}, s, "", "other.test"},
		{"without HTTP/2", ServersTransport{InsecureSkipVerify: true, DisableHTTP2: true}, s, "HTTP/1.1 ", ""},
		{"lowest version", ServersTransport{InsecureSkipVerify: true, MinVersion: "VersionTLS13"}, only12, "", "protocol version"},
		{"highest version", ServersTransport{InsecureSkipVerify: true, MaxVersion: "VersionTLS12", CipherSuites: []string{"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"}}, s, "HTTP/2.0 ", ""},
		{"no certificate to show", ServersTransport{InsecureSkipVerify: true}, asks, "", "forward to "},
		{"a certificate to show", ServersTransport{InsecureSkipVerify: true, Certificates: []ClientCertificate{{CertFile: cert, KeyFile: secret.String(key)}}}, asks, "HTTP/2.0  with a certificate", ""},
		{"a URI that it does not have", ServersTransport{RootCAs: []string{file}, PeerCertURI: "spiffe://a/b"}, s, "", "is not for spiffe://a/b"},
	} {
		w, err := through(t, &tt.transport, tt.server.URL)
		switch {
		case tt.err == "" && (err != nil || w.Body.String() != tt.body):
			t.Errorf("%s: got %q, %v, want %q", tt.name, w.Body, err, tt.body)
		case tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)):
			t.Errorf("%s: got %q, error %v, want %s", tt.name, w.Body, err, tt.err)
		}
	}
}

func TestServersTransport_PeerCertURI(t *testing.T) {
	const uri = "spiffe://example.test/web"
	cert, key := keyPair(t, uri)
	pair, err := tls.X509KeyPair([]byte(cert), []byte(key))
	if err != nil {
		t.Fatal(err)
	}
	s := newSecure(t, func(c *tls.Config) { c.Certificates = []tls.Certificate{pair} })
	if w, err := through(t, &ServersTransport{RootCAs: []string{cert}, PeerCertURI: uri}, s.URL); err != nil {
		t.Errorf("got %q, %v", w.Body, err)
	}
	if _, err := through(t, &ServersTransport{PeerCertURI: uri}, s.URL); err == nil {
		t.Error("a certificate of an unknown authority was taken for its URI")
	}
}

func TestServersTransport_ResponseHeaderTimeout(t *testing.T) {
	silent := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	plain, secure := httptest.NewServer(silent), httptest.NewTLSServer(silent)
	t.Cleanup(plain.Close)
	t.Cleanup(secure.Close)
	c := defaultTransport()
	c.InsecureSkipVerify = true
	c.ForwardingTimeouts.ResponseHeaderTimeout = types.Duration(10 * time.Millisecond)
	for _, address := range []string{plain.URL, secure.URL} {
		_, err := through(t, c, address)
		if failed, ok := errors.AsType[*Error](err); !ok || failed.Status != http.StatusGatewayTimeout {
			t.Errorf("%s: got %v, want 504", address, err)
		}
	}
}

func TestServersTransport_Mistakes(t *testing.T) {
	cert, key := keyPair(t)
	for want, c := range map[string]ServersTransport{
		`minVersion: "1.2" is none of VersionTLS10, VersionTLS11, VersionTLS12 and VersionTLS13`:     {MinVersion: "1.2"},
		`maxVersion VersionTLS11 is below the lowest version, TLS 1.2`:                               {MaxVersion: "VersionTLS11"},
		`cipherSuites: there is no "TLS_AES_128_GCM_SHA257"; did you mean "TLS_AES_128_GCM_SHA256"?`: {CipherSuites: []string{"TLS_AES_128_GCM_SHA257"}},
		`rootCAs[0]: there is no certificate in it`:                                                  {RootCAs: []string{key}},
		`rootCAs[1]: is empty`: {RootCAs: []string{cert, ""}},
		`rootCAs[0]: open /nowhere/ca.pem: no such file or directory`: {RootCAs: []string{"/nowhere/ca.pem"}},
		`certificates[0]: keyFile: is empty`:                          {Certificates: []ClientCertificate{{CertFile: cert}}},
		`maxIdleConnsPerHost: -1 is below 0`:                          {MaxIdleConnsPerHost: -1},
		`forwardingTimeouts.dialTimeout: -1s is below 0`:              {ForwardingTimeouts: &ForwardingTimeouts{DialTimeout: types.Duration(-time.Second)}},
	} {
		if _, err := c.New(); err == nil || err.Error() != want {
			t.Errorf("got error %v, want %s", err, want)
		}
	}
	// What Traefik refuses: the lowest version alone.
	if _, err := (&ServersTransport{MinVersion: "VersionTLS12"}).New(); err != nil {
		t.Error(err)
	}
}
