package acme

import (
	"context"
	"crypto/tls"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
)

// mistakes are such that leave a resolver out of use.
var mistakes = map[string]struct {
	edit func(*Config)
	want string
}{
	"credentials": {func(c *Config) { c.DNSChallenge = &DNSChallenge{Provider: "duckdns"} }, "acme.dnsChallenge.provider: duckdns: some credentials"},
	"provider":    {func(c *Config) { c.DNSChallenge = &DNSChallenge{Provider: "nobody"} }, "acme.dnsChallenge.provider: "},
	"key type":    {func(c *Config) { c.KeyType = "DSA" }, `acme.keyType: "DSA" is none of`},
	"plain http":  {func(c *Config) { c.CAServer = "http://ca.test/dir" }, "acme.caServer: "},
	"email":       {func(c *Config) { c.Email = "a@" }, "acme.email: "},
	"addresses":   {func(c *Config) { c.EmailAddresses = []string{"a@"} }, "acme.emailAddresses: "},
	"roots":       {func(c *Config) { c.CACertificates = []string{"/missing.pem"} }, "acme.caCertificates: "},
	"challenge":   {func(c *Config) { c.HTTPChallenge = nil }, "acme.httpChallenge, tlsChallenge or dnsChallenge is missing"},
	"on demand":   {func(c *Config) { c.OnDemand = &OnDemand{} }, "acme.onDemand.ask: "},
}

// A mistake in one resolver leaves it out of use. What it has got before is served.
func TestNew_OutOfUse(t *testing.T) {
	for name, mistake := range mistakes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var c Config
			c.SetDefaults()
			c.Storage, c.HTTPChallenge = filepath.Join(t.TempDir(), "acme.json"), &HTTPChallenge{EntryPoint: "web"}
			mistake.edit(&c)
			s, err := standalone(t, &c)
			if err == nil || s.Resolver == nil {
				t.Fatalf("%v, %v", s.Resolver, err)
			}
			storeCertificate(t, s.store, "old.test", time.Now().Add(time.Hour)) // which is to be renewed
			writeFile(t, s.store.path(certificateFiles, "garbage.test"), []byte("{"))
			s, _ = standalone(t, &c)
			if s.Certificate("old.test") == nil {
				t.Error("what is in the storage is not served")
			}
			s.begin()
			s.want([]string{"old.test"}, []string{"new.test"})
			for _, name := range []string{"old.test", "new.test"} {
				s.await(name+" shows the error", func() bool {
					st := s.about(name)
					return st.Wanted && !st.Since.IsZero() && st.Error == "its resolver is out of use: option certificatesResolvers.le.acme."+err.Error() &&
						strings.Contains(st.Error, mistake.want)
				})
			}
			if cert, err := s.OnDemand(&tls.ClientHelloInfo{ServerName: "a.test"}); cert != nil || err != nil {
				t.Errorf("on demand: %v, %v", cert, err)
			}
			select {
			case <-s.changes:
			default:
			}
			s.want([]string{"new.test"})
			select {
			case <-s.changes:
			case <-time.After(patience):
				t.Error("nobody is told that the problems are others")
			}
			s.await("the other is not wanted any more", func() bool { return s.about("old.test").Error == "" })
			s.stop()
			if files, err := s.store.list(certificateFiles); err != nil || len(files) != 2 || s.record("old.test").Failures != 0 {
				t.Errorf("it has written: %v, %v", files, err)
			}
		})
	}
}

func TestNew_OutOfUseWithoutAStorage(t *testing.T) {
	t.Parallel()
	var c Config
	c.SetDefaults()
	c.Storage, c.HTTPChallenge = filepath.Join(t.TempDir(), "taken.json"), &HTTPChallenge{EntryPoint: "web"}
	writeFile(t, strings.TrimSuffix(c.Storage, ".json"), []byte("a file, not a folder"))
	s, err := standalone(t, &c)
	if err == nil || !strings.HasPrefix(err.Error(), "storage: ") || s.Resolver == nil {
		t.Fatalf("%v, %v", s.Resolver, err)
	}
	s.begin()
	s.want([]string{"new.test"})
	s.await("the error is shown", func() bool { return strings.Contains(s.about("new.test").Error, "acme.storage: ") })
	if s.Certificate("new.test") != nil || s.Warning() != "" {
		t.Error("there is something in no storage")
	}
	if s.ServeChallenge(httptest.NewRecorder(), httptest.NewRequest("GET", challengePath+"token", nil)) {
		t.Error("a challenge is answered")
	}
	if s.Challenge(&tls.ClientHelloInfo{ServerName: "a.test", SupportedProtos: []string{"acme-tls/1"}}) != nil {
		t.Error("a challenge is answered in the handshake")
	}
	if _, err := c.Open("le", logrus.New()); err == nil {
		t.Error("a command opens a storage that is none")
	}
}

// standalone is a subject without an authority.
func standalone(t *testing.T, c *Config) (*subject, error) {
	t.Helper()
	s := &subject{t: t, log: &syncBuffer{}, changes: make(chan struct{}, 1)}
	log := logrus.New()
	log.Out = s.log
	r, err := c.New(Env{Name: "le", Log: log, Changed: func() {
		select {
		case s.changes <- struct{}{}:
		default:
		}
	}})
	if s.Resolver = r; r != nil {
		r.pace = hurried()
	}
	return s, err
}

// storeCertificate stores one that is to be renewed now.
func storeCertificate(t *testing.T, in *storage, name string, notAfter time.Time) {
	t.Helper()
	chain, key := selfSigned(t, notAfter, name)
	rec := record{Names: []string{name}, CAServer: defaultCA, Chain: string(chain), Key: string(key), RenewAt: time.Now()}
	data, err := rec.encode()
	if err == nil {
		err = in.store(certificateFiles, fileOf(rec.Names), data)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// The commands that work on the storage need nothing but the storage.
func TestOffline_WithoutCredentials(t *testing.T) {
	t.Parallel()
	var c Config
	c.SetDefaults()
	c.Storage, c.DNSChallenge = filepath.Join(t.TempDir(), "acme.json"), &DNSChallenge{Provider: "duckdns"}
	in, err := openStorage(c.Storage, "le")
	if err != nil {
		t.Fatal(err)
	}
	storeCertificate(t, in, "xn--bcher-kva.test", time.Now().Add(time.Hour))
	o := offline(t, &c)
	for _, name := range []string{"xn--bcher-kva.test", "bücher.test", "Bücher.TEST."} {
		if has, err := o.Has(name); !has || err != nil {
			t.Errorf("%s: %v, %v", name, has, err)
		}
		if text, err := o.Export(name); err != nil || !strings.Contains(string(text), "PRIVATE KEY") {
			t.Errorf("export %s: %v", name, err)
		}
	}
	if err := o.Renew("bücher.test"); err != nil {
		t.Error(err)
	}
	if has, err := o.Has("other.test"); has || err != nil {
		t.Errorf("%v, %v", has, err)
	}
	if _, err := o.Has("a b"); err == nil {
		t.Error("a name that is none is looked for")
	}
	if _, err := o.Trial("a.test"); err == nil || !strings.Contains(err.Error(), "option certificatesResolvers.le.acme.dnsChallenge.provider: duckdns: some credentials") {
		t.Errorf("check: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	storeCertificate(t, in, "own.test", time.Now().Add(time.Hour))
	c.CACertificates = []string{"/missing.pem"}
	if err := offline(t, &c).Revoke(ctx, "own.test"); err == nil || !strings.Contains(err.Error(), "acme.caCertificates: ") {
		t.Errorf("revoke: %v", err)
	}
}

func TestTraefik_SaysWhichResolversItHas(t *testing.T) {
	t.Parallel()
	var c Config
	c.SetDefaults()
	c.Storage, c.TLSChallenge = filepath.Join(t.TempDir(), "acme.json"), &TLSChallenge{}
	writeFile(t, c.Storage, []byte(`{"letsencrypt":{},"internal":null}`))
	s, err := standalone(t, &c)
	if err != nil || !strings.Contains(s.log.String(), `it has no resolver \"le\"; it has: internal, letsencrypt`) {
		t.Errorf("%v, log: %s", err, s.log)
	}
}
