package acme

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestHTTP01_IssuesAheadOfTheFirstVisitor(t *testing.T) {
	t.Parallel()
	a := newAuthority(t, pebbleOptions{})
	s := a.run(a.config(), nil)
	s.want([]string{"www.one.test"})
	cert := s.awaitCertificate("www.one.test")

	roots, between := x509.NewCertPool(), x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(get(t, a.client, a.management+"/roots/0")))
	for _, der := range cert.Certificate[1:] {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		between.AddCert(c)
	}
	if _, err := cert.Leaf.Verify(x509.VerifyOptions{DNSName: "www.one.test", Roots: roots, Intermediates: between}); err != nil {
		t.Error(err)
	}
	if key, ok := cert.PrivateKey.(*ecdsa.PrivateKey); !ok || key.Curve != elliptic.P256() {
		t.Errorf("the key is a %T, want ECDSA P-256", cert.PrivateKey)
	}
	got := s.about("www.one.test")
	left := cert.Leaf.NotAfter.Sub(got.RenewAt) / (24 * time.Hour)
	if !got.Wanted || !slices.Equal(got.By, []string{"router0@docker"}) || got.Error != "" || got.Failures != 0 ||
		got.NotAfter != cert.Leaf.NotAfter || got.Serial == "" || !strings.Contains(got.Issuer, "Pebble") || left < 28 || left > 34 {
		t.Errorf("status: %+v", got)
	}
	seen, err := a.web.visit(t.Context(), "www.one.test")
	if err != nil || !seen.Equal(cert.Leaf) {
		t.Errorf("a visitor sees %v, %v", seen, err)
	}
	if s.Certificate("other.test") != nil || s.Certificate("") != nil {
		t.Error("there is a certificate for a name that has none")
	}
	checkStorage(t, s)
}

// checkStorage looks at modes, at what is left behind, and for keys in the log.
func checkStorage(t *testing.T, s *subject) {
	t.Helper()
	s.await("the order is over", func() bool { return !s.about("www.one.test").Ordering })
	var files []string
	err := filepath.WalkDir(s.store.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if want := map[bool]fs.FileMode{true: 0o700, false: 0o600}[d.IsDir()]; info.Mode().Perm() != want {
			t.Errorf("%s has mode %o, want %o", path, info.Mode().Perm(), want)
		}
		if rel, _ := filepath.Rel(s.store.dir, path); !d.IsDir() && !strings.HasPrefix(rel, "locks") {
			files = append(files, rel)
		}
		return nil
	})
	if want := []string{"account.json", "certificates/www.one.test.json"}; err != nil || !slices.Equal(files, want) {
		t.Errorf("files %v, want %v (%v)", files, want, err)
	}
	if !strings.HasSuffix(s.store.dir, filepath.Join("acme", "le")) {
		t.Errorf("the storage is %s", s.store.dir)
	}
	block, _ := pem.Decode([]byte(s.record("www.one.test").Key))
	if log := s.log.String(); strings.Contains(log, "PRIVATE KEY") || block == nil {
		t.Errorf("the log has a key: %s", log)
	}
}

func TestTLSALPN01(t *testing.T) {
	t.Parallel()
	a := newAuthority(t, pebbleOptions{})
	c := a.config()
	c.HTTPChallenge, c.TLSChallenge = nil, &TLSChallenge{}
	s := a.run(c, nil)
	s.want([]string{"secure.test"})
	s.awaitCertificate("secure.test")
	if files, err := s.store.list(challengeFiles); err != nil || len(files) != 0 {
		t.Errorf("answers are left behind: %v, %v", files, err)
	}
}

// dnsService is the HTTP side of httpreq in front of the authority's DNS server. It tells
// how many records there were at a time.
func dnsService(t *testing.T, a *authority) (url string, most *atomic.Int64) {
	t.Helper()
	var now atomic.Int64
	most = &atomic.Int64{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var record struct{ FQDN, Value string }
		if err := json.NewDecoder(r.Body).Decode(&record); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		path, change := "/set-txt", int64(1)
		if r.URL.Path != "/present" {
			path, change = "/clear-txt", -1
		}
		most.Store(max(most.Load(), now.Add(change)))
		post(t, http.DefaultClient, a.dnsAPI+path, map[string]string{"host": record.FQDN, "value": record.Value})
	}))
	t.Cleanup(server.Close)
	return server.URL, most
}

// writeRecord is another process, the program of the DNS provider exec.
func writeRecord(url, action, fqdn, value string) {
	body, err := json.Marshal(map[string]string{"fqdn": fqdn, "value": value})
	if err == nil {
		var resp *http.Response
		if resp, err = http.Post(url+"/"+action, "application/json", bytes.NewReader(body)); err == nil {
			_ = resp.Body.Close()
		}
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	os.Exit(0)
}

func TestDNS01_OneRecordAtATime(t *testing.T) {
	a := newAuthority(t, pebbleOptions{})
	url, most := dnsService(t, a)
	t.Setenv("ACME_TEST_DNS", url)
	t.Setenv("EXEC_PATH", os.Args[0])
	t.Setenv("EXEC_SEQUENCE_INTERVAL", "1")
	t.Setenv("EXEC_POLLING_INTERVAL", "1")
	c := a.config()
	c.HTTPChallenge = nil
	c.DNSChallenge = &DNSChallenge{Provider: "exec", Resolvers: []string{a.dns}, Propagation: &Propagation{DisableANSChecks: true}}
	s := a.run(c, nil)
	s.want([]string{"one.seq.test", "two.seq.test"})
	s.awaitCertificate("two.seq.test")
	if n := most.Load(); n != 1 {
		t.Errorf("%d records at a time", n)
	}
}

func TestDNS01_Wildcard(t *testing.T) {
	a := newAuthority(t, pebbleOptions{})
	url, most := dnsService(t, a)
	t.Setenv("HTTPREQ_ENDPOINT", url)
	t.Setenv("HTTPREQ_POLLING_INTERVAL", "1")
	c := a.config()
	c.HTTPChallenge = nil
	c.DNSChallenge = &DNSChallenge{
		Provider: "httpreq", Resolvers: []string{a.dns},
		Propagation: &Propagation{DisableANSChecks: true, RequireAllRNS: true},
	}
	s := a.run(c, nil)
	s.want([]string{"*.wild.test", "wild.test"}, []string{"a.wild.test"}, []string{"*.wild.test", "wild.test"})
	cert := s.awaitCertificate("wild.test")
	if n := most.Load(); n != 2 {
		t.Errorf("%d records at a time, want both", n)
	}
	if s.Certificate("a.wild.test") != cert || s.Certificate("b.wild.test") != cert {
		t.Error("the wildcard is not used")
	}
	if s.Certificate("a.b.wild.test") != nil {
		t.Error("the wildcard is used for two labels")
	}
	if n := s.orders.Load(); n != 1 {
		t.Errorf("%d orders, want 1: a.wild.test is covered", n)
	}
	trial, err := offline(t, c).Trial("*.tried.test")
	if err != nil {
		t.Fatal(err)
	}
	trial.try.pace = hurried()
	if err := trial.Run(t.Context()); err != nil {
		t.Errorf("tried: %v", err)
	}
	if got := s.Status(); len(got) != 1 || !slices.Equal(got[0].By, []string{"router0@docker", "router1@docker", "router2@docker"}) {
		t.Errorf("status: %+v", got)
	}
}

func TestRun_DoesNotWaitForADNSServiceForLong(t *testing.T) {
	a := newAuthority(t, pebbleOptions{})
	held, free := make(chan struct{}, 10), make(chan struct{})
	service := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		held <- struct{}{}
		<-free
	}))
	t.Cleanup(service.Close)
	t.Setenv("HTTPREQ_ENDPOINT", service.URL)
	c := a.config()
	c.HTTPChallenge = nil
	c.DNSChallenge = &DNSChallenge{Provider: "httpreq", Resolvers: []string{a.dns}}
	s := a.run(c, func(p *pace) { p.stop = 50 * time.Millisecond })
	s.want([]string{"slow.test"})
	<-held
	s.stop() // returns although the service does not answer
	close(free)
	await(t, "what was left behind has ended", func() bool { return len(s.slots) == 0 })
	if rec := s.record("slow.test"); rec.Failures != 0 {
		t.Errorf("being stopped counts as a failure: %+v", rec)
	}
}

func TestWant_NamesTogether(t *testing.T) {
	t.Parallel()
	a := newAuthority(t, pebbleOptions{})
	s := a.resolver(a.config(), func(e *Env) {
		e.Covered = func(name string) bool { return name == "mine.test" }
	})
	a.web.lead(s.Resolver)
	s.begin()
	s.settled([]string{"A.test.", "b.test", "a.test"}, []string{"b.test"}, []string{"mine.test"}, []string{"b.test", "a.test"})
	cert := s.awaitCertificate("a.test")
	if s.Certificate("b.test") != cert || !slices.Equal(cert.Leaf.DNSNames, []string{"a.test", "b.test"}) {
		t.Errorf("the certificate is for %v", cert.Leaf.DNSNames)
	}
	if n := s.orders.Load(); n != 1 {
		t.Errorf("%d orders, want 1", n)
	}
	if got := s.about("mine.test"); len(got.Names) != 0 {
		t.Errorf("the operator has a certificate, but status is %+v", got)
	}
}

func TestOrder_KeyTypeAndPreferredChain(t *testing.T) {
	t.Parallel()
	a := newAuthority(t, pebbleOptions{alternate: true})
	root, _ := pem.Decode([]byte(get(t, a.client, a.management+"/roots/1")))
	other, err := x509.ParseCertificate(root.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	c := a.config()
	c.KeyType, c.PreferredChain, c.DisableCommonName = "rsa2048", other.Subject.CommonName, true
	s := a.run(c, nil)
	s.want([]string{"rsa.test"})
	cert := s.awaitCertificate("rsa.test")
	if _, ok := cert.PrivateKey.(*rsa.PrivateKey); !ok {
		t.Errorf("the key is a %T, want RSA", cert.PrivateKey)
	}
	last, err := x509.ParseCertificate(cert.Certificate[len(cert.Certificate)-1])
	if err != nil || last.Issuer.CommonName != other.Subject.CommonName {
		t.Errorf("the chain ends at %q, want %q (%v)", last.Issuer.CommonName, other.Subject.CommonName, err)
	}
}

func TestEAB(t *testing.T) {
	t.Parallel()
	const hmac = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"
	a := newAuthority(t, pebbleOptions{eab: map[string]string{"kid-1": hmac}})

	without := a.run(a.config(), nil)
	without.want([]string{"eab.test"})
	without.await("the authority wants a binding", func() bool {
		return strings.Contains(without.about("eab.test").Error, "externalAccountRequired")
	})
	without.stop()

	c := a.config()
	c.EAB = &EAB{Kid: "kid-1", HmacEncoded: hmac}
	with := a.run(c, nil)
	with.want([]string{"eab.test"})
	with.awaitCertificate("eab.test")
	if strings.Contains(with.log.String(), hmac) || strings.Contains(without.log.String(), hmac) {
		t.Error("the log has the key of the binding")
	}
}

func TestProfile_OneThatTheAuthorityDoesNotHave(t *testing.T) {
	t.Parallel()
	a := newAuthority(t, pebbleOptions{})
	c := a.config()
	c.Profile = "shortlived"
	s := a.run(c, nil)
	s.want([]string{"p.test"})
	s.await("the profiles are named", func() bool {
		return strings.Contains(s.about("p.test").Error, `has no profile "shortlived"; it has: default`)
	})
	if s.orders.Load() != 0 {
		t.Error("an order was placed")
	}
}
