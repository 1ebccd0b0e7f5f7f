package acme

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/sirupsen/logrus"
)

func TestTwoInstances_OrderOnce(t *testing.T) {
	t.Parallel()
	a := newAuthority(t, pebbleOptions{})
	c := a.config()
	one, two := a.resolver(c, nil), a.resolver(c, nil)
	// The authority reaches the one or the other, whoever has ordered.
	var turn atomic.Int64
	a.web.hold(func(*http.Request) {
		if turn.Add(1)%2 == 0 {
			a.web.lead(one.Resolver)
		} else {
			a.web.lead(two.Resolver)
		}
	})
	one.begin()
	two.begin()
	for _, s := range []*subject{one, two} {
		s.want([]string{"shared.test"}, []string{"s1.test", "s2.test"})
	}
	for _, name := range []string{"shared.test", "s2.test"} {
		if !one.awaitCertificate(name).Leaf.Equal(two.awaitCertificate(name).Leaf) {
			t.Errorf("%s: two certificates", name)
		}
	}
	if n := one.orders.Load() + two.orders.Load(); n != 2 {
		t.Errorf("%d orders, want 2", n)
	}
	if file, err := one.account.file(); err != nil || len(file.Accounts) != 1 {
		t.Errorf("accounts: %v, %v", len(file.Accounts), err)
	}
}

func TestChallenges_OfAnotherInstance(t *testing.T) {
	t.Parallel()
	store := &storage{dir: t.TempDir()}
	owner := &tokens{store: store, answers: map[string]answer{}}
	other := &Resolver{store: store, tokens: &tokens{store: store, answers: map[string]answer{}}}
	solver, byTLS := &httpSolver{owner}, &tlsSolver{owner, testSigner(t)}
	if err := solver.Present("a.test", "Token-1_x", "answer"); err != nil {
		t.Fatal(err)
	}
	if err := byTLS.Present("a.test", "Token-2", ""); err != nil {
		t.Fatal(err)
	}
	ask := func(method, path string) (*httptest.ResponseRecorder, bool) {
		w := httptest.NewRecorder()
		return w, other.ServeChallenge(w, httptest.NewRequest(method, path, nil))
	}
	if w, ok := ask("GET", challengePath+"Token-1_x"); !ok || w.Body.String() != "answer" {
		t.Errorf("%v %q", ok, w.Body)
	}
	for _, path := range []string{challengePath, challengePath + "Other", challengePath + "../account", challengePath + "a/b", "/x"} {
		if w, ok := ask("GET", path); ok || w.Body.Len() != 0 {
			t.Errorf("%s is answered", path)
		}
	}
	if _, ok := ask("POST", challengePath+"Token-1_x"); ok {
		t.Error("POST is answered")
	}
	hello := &tls.ClientHelloInfo{ServerName: "A.test", SupportedProtos: []string{"acme-tls/1"}}
	if cert := other.Challenge(hello); cert == nil || cert.Leaf.DNSNames[0] != "a.test" {
		t.Error("TLS-ALPN-01 is not answered")
	}
	if other.Challenge(&tls.ClientHelloInfo{ServerName: "a.test", SupportedProtos: []string{"h2", "acme-tls/1"}}) != nil {
		t.Error("a usual handshake gets the answer to a challenge")
	}
	if err := solver.CleanUp("a.test", "Token-1_x", ""); err != nil {
		t.Error(err)
	}
	if err := byTLS.CleanUp("a.test", "Token-2", ""); err != nil {
		t.Error(err)
	}
	if _, ok := ask("GET", challengePath+"Token-1_x"); ok || other.Challenge(hello) != nil {
		t.Error("still answered after the end")
	}
}

func testSigner(t testing.TB) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func accountKey(t testing.TB) []byte { return x509.MarshalPKCS1PrivateKey(testSigner(t)) }

func TestTraefik_IsTakenOverOnce(t *testing.T) {
	t.Parallel()
	a := newAuthority(t, pebbleOptions{})
	c := a.config()
	sample := []byte(strings.ReplaceAll(string(traefikSample(t)), "https://ca.test", "https://"+a.gate.address))
	writeFile(t, c.Storage, sample)
	s := a.run(c, nil)
	if s.Certificate("san.test") == nil {
		t.Fatal("it does not serve from the first moment")
	}
	s.settled([]string{"main.test", "san.test"})
	s.settled([]string{"main.test"}, []string{"san.test"}) // as routers of their own
	if st := s.about("san.test"); !st.Wanted || st.NotAfter.IsZero() || st.RenewAt.IsZero() {
		t.Errorf("status: %+v", st)
	}
	s.await("the notice", func() bool { return strings.Contains(s.log.String(), "1 certificates and the account are taken over") })
	if s.orders.Load() != 0 {
		t.Error("it is ordered anew")
	}
	if !strings.Contains(s.log.String(), "broken.test") {
		t.Error("what could not be taken over is not named")
	}
	file, err := s.account.file()
	if got := file.Accounts[c.CAServer]; err != nil || got.URI != "https://"+a.gate.address+"/acct/1" || got.Email != "a@b.test" {
		t.Errorf("account: %s %s %v", got.URI, got.Email, err)
	}
	if string(readFile(t, c.Storage)) != string(sample) {
		t.Error("Traefik's file is changed")
	}
	s.stop()
	if err := os.Remove(filepath.Join(s.store.dir, certificateFiles, s.entries["main.test,san.test"].file+".json")); err != nil {
		t.Fatal(err)
	}
	if again := a.resolver(c, nil); again.Certificate("main.test") != nil {
		t.Error("taken over a second time")
	}
}

func TestTraefik_OfAnotherAuthority(t *testing.T) {
	t.Parallel()
	got, err := parseTraefik(traefikSample(t), "le", "https://another.test/dir")
	if err != nil || got.account != nil || len(got.records) != 1 || got.records[0].CAServer == "https://another.test/dir" {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := parseTraefik(traefikSample(t), "unknown", "https://ca.test/dir"); got != nil || err == nil || err.Error() != `it has no resolver "unknown"; it has: le, other` {
		t.Errorf("%v, %v", got, err)
	}
}

// askServer allows names under allowed.test, and is down when told so.
func askServer(t *testing.T) (url string, asked *atomic.Int64, down *atomic.Bool) {
	t.Helper()
	asked, down = &atomic.Int64{}, &atomic.Bool{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		switch {
		case down.Load():
			w.WriteHeader(http.StatusBadGateway)
		case r.URL.Query().Get("key") != "1" || !strings.HasSuffix(r.URL.Query().Get("domain"), ".allowed.test"):
			w.WriteHeader(http.StatusForbidden)
		}
	}))
	t.Cleanup(server.Close)
	return server.URL + "/ask?key=1", asked, down
}

func TestOnDemand(t *testing.T) {
	t.Parallel()
	a := newAuthority(t, pebbleOptions{})
	c := a.config()
	c.TLSChallenge, c.HTTPChallenge = &TLSChallenge{}, nil
	url, asked, down := askServer(t)
	c.OnDemand = &OnDemand{Ask: url}
	s := a.run(c, nil)
	s.settled()

	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	got, err := a.web.visit(ctx, "shop.allowed.test")
	if err != nil || got.DNSNames[0] != "shop.allowed.test" {
		t.Fatalf("allowed: %v, %v", got, err)
	}
	if cert := s.Certificate("shop.allowed.test"); cert == nil || !cert.Leaf.Equal(got) {
		t.Error("it is not kept")
	}
	if st := s.about("shop.allowed.test"); !st.Wanted || st.RenewAt.IsZero() || st.By[0] != "onDemand" {
		t.Errorf("status: %+v", st)
	}
	n := asked.Load()
	hello := func(name string) *tls.ClientHelloInfo { return &tls.ClientHelloInfo{ServerName: name} }
	for range 2 {
		if cert, err := s.OnDemand(hello("shop.denied.test")); cert != nil || err != nil {
			t.Errorf("refused: %v, %v", cert, err)
		}
	}
	if asked.Load() != n+1 {
		t.Errorf("asked %d times for one name", asked.Load()-n)
	}
	for _, name := range []string{"", "localhost", "127.0.0.1", "*.allowed.test", "a:1"} {
		if cert, err := s.OnDemand(hello(name)); cert != nil || err != nil || asked.Load() != n+1 {
			t.Errorf("%q: %v, %v", name, cert, err)
		}
	}
	down.Store(true)
	n = asked.Load()
	cert, first := s.OnDemand(hello("x.allowed.test"))
	if cert != nil || first == nil || !strings.Contains(first.Error(), "onDemand.ask") {
		t.Errorf("ask down: %v, %v", cert, first)
	}
	for range 20 { // handshakes of an impatient visitor
		if _, err := s.OnDemand(hello("x.allowed.test")); !errors.Is(err, first) {
			t.Errorf("another error: %v", err)
		}
	}
	if asked.Load() != n+1 {
		t.Errorf("asked %d times while it is down", asked.Load()-n)
	}
	orders := s.orders.Load()
	if orders != 1 {
		t.Errorf("%d orders, want 1", orders)
	}
	s.stop()
	if again := a.resolver(c, nil); again.Certificate("shop.allowed.test") == nil {
		t.Error("lost with a restart")
	}
}

func TestOnDemand_FailureBacksOff(t *testing.T) {
	t.Parallel()
	a := newAuthority(t, pebbleOptions{})
	c := a.config()
	c.TLSChallenge, c.HTTPChallenge = &TLSChallenge{}, nil
	url, _, _ := askServer(t)
	c.OnDemand = &OnDemand{Ask: url}
	s := a.run(c, nil)
	s.settled()
	a.web.lead() // the authority does not get its answer
	hello := &tls.ClientHelloInfo{ServerName: "y.allowed.test"}
	_, first := s.OnDemand(hello)
	orders := s.orders.Load()
	_, second := s.OnDemand(hello)
	if first == nil || second == nil || !strings.Contains(second.Error(), "tls-alpn-01") {
		t.Errorf("errors: %v; %v", first, second)
	}
	if st := s.about("y.allowed.test"); st.Failures != 1 || st.Error == "" {
		t.Errorf("status: %+v", st)
	}
	if s.orders.Load() != orders {
		t.Error("a second order at once")
	}
}

func offline(t *testing.T, c *Config) *Offline {
	t.Helper()
	log := logrus.New()
	log.Out = &syncBuffer{}
	o, err := c.Open("le", log)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestOffline(t *testing.T) {
	t.Parallel()
	a := newAuthority(t, pebbleOptions{})
	c := a.config()
	s := a.run(c, nil)
	s.want([]string{"off.test", "www.off.test"})
	first := s.awaitCertificate("off.test").Leaf
	s.await("the order is over", func() bool { return !s.about("off.test").Ordering })
	o := offline(t, c)
	list, err := o.List()
	if err != nil || len(list) != 1 || list[0].Serial != first.SerialNumber.Text(16) {
		t.Errorf("list: %+v, %v", list, err)
	}
	text, err := o.Export("www.off.test")
	if err != nil {
		t.Fatal(err)
	}
	if cert, err := pair(text, text); err != nil || !cert.Leaf.Equal(first) {
		t.Errorf("export: %v", err)
	}
	if _, err := o.Export("of.test"); err == nil || !strings.Contains(err.Error(), "did you mean off.test?") {
		t.Errorf("an unknown name: %v", err)
	}
	if err := o.Renew("off.test"); err != nil {
		t.Fatal(err)
	}
	s.await("who runs has renewed it", func() bool { return !s.Certificate("off.test").Leaf.Equal(first) })
	s.await("the order is over", func() bool { return !s.about("off.test").Ordering })
	s.stop()

	second := s.Certificate("off.test").Leaf
	o = offline(t, c)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := o.Revoke(ctx, "off.test"); err != nil {
		t.Fatal(err)
	}
	if st := get(t, a.client, a.management+"/cert-status-by-serial/"+second.SerialNumber.Text(16)); !strings.Contains(st, "Revoked") {
		t.Errorf("the authority says %s", st)
	}
	if list, err := o.List(); err != nil || len(list) != 0 {
		t.Errorf("still in the storage: %+v, %v", list, err)
	}
}

func TestRevokedByAnother_IsOrderedAnew(t *testing.T) {
	t.Parallel()
	a := newAuthority(t, pebbleOptions{})
	c := a.config()
	s := a.run(c, nil)
	s.want([]string{"rev.test"})
	first := s.awaitCertificate("rev.test").Leaf
	s.await("the order is over", func() bool { return !s.about("rev.test").Ordering })
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := offline(t, c).Revoke(ctx, "rev.test"); err != nil {
		t.Fatal(err)
	}
	s.await("there is another", func() bool { c := s.Certificate("rev.test"); return c != nil && !c.Leaf.Equal(first) })
}
