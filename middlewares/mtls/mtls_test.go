package mtls

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"fairway/internal/certtest"
	"fairway/internal/consumers"
	"fairway/internal/record"
	"fairway/middlewares"
	"fairway/middlewares/middlewarestest"
)

func TestExamples(t *testing.T) {
	middlewarestest.Golden(t, func() middlewares.Config { return &Config{} })
}

func leaf(t *testing.T, pem, key string) *x509.Certificate {
	t.Helper()
	pair, err := tls.X509KeyPair([]byte(pem), []byte(key))
	if err != nil {
		t.Fatal(err)
	}
	return pair.Leaf
}

func TestMTLS_VerifiesOnceAndNotLongerThanACertificateIsValid(t *testing.T) {
	a := certtest.NewAuthority(t, "ca")
	env := middlewarestest.Env("cert")
	env.Consumers.Store(consumers.New(map[string]*consumers.Config{"ann@file": {Certificates: []string{"dns:ann.example"}, Groups: []string{"staff"}}}, nil))
	h, err := (&Config{CAFiles: []string{a.PEM()}}).New(t.Context(), env, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	if err != nil {
		t.Fatal(err)
	}
	ask := func(cert *x509.Certificate) (int, *record.Record) {
		rec, w := &record.Record{}, httptest.NewRecorder()
		r := httptest.NewRequest("GET", "/", nil)
		r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{cert}}
		h.ServeHTTP(w, r.WithContext(record.With(r.Context(), rec)))
		return w.Code, rec
	}
	pem, key := a.Issue(time.Now().Add(time.Hour), "ann.example")
	ann := leaf(t, pem, key)
	for range 2 {
		status, rec := ask(ann)
		if status != 200 || rec.Identity.Consumer == nil || rec.Identity.Consumer.Name != "ann@file" || rec.Auth != record.Passed || !rec.Identity.InAny([]string{"staff"}) {
			t.Errorf("got %d %+v", status, rec.Identity)
		}
	}
	over, key := a.Issue(time.Now().Add(-time.Minute), "ann.example")
	if status, rec := ask(leaf(t, over, key)); status != 403 || rec.Identity != nil || rec.Auth != record.Refused {
		t.Errorf("a certificate whose time is over: got %d", status)
	}
	soon := h.(*handler)
	now := time.Now()
	brief, key := a.Issue(now.Add(time.Minute), "bob.example")
	cert := leaf(t, brief, key)
	if err := soon.verify([]*x509.Certificate{cert}, now); err != nil {
		t.Fatal(err)
	}
	if err := soon.verify([]*x509.Certificate{cert}, now.Add(2*time.Minute)); err == nil {
		t.Error("a certificate that was good is good after its end")
	}
	foreign, key := certtest.NewAuthority(t, "ca").Issue(time.Now().Add(time.Hour), "ann.example")
	if other, rec := ask(leaf(t, foreign, key)); other != 403 || rec.Identity != nil {
		t.Errorf("another authority of the same name: got %d", other)
	}
}

// visit asks a middleware by a chain of certificates.
func visit(t *testing.T, h http.Handler, chain ...*x509.Certificate) (int, *record.Record) {
	t.Helper()
	rec, w := &record.Record{}, httptest.NewRecorder()
	r := httptest.NewRequest("GET", "/", nil)
	r.TLS = &tls.ConnectionState{PeerCertificates: chain}
	h.ServeHTTP(w, r.WithContext(record.With(r.Context(), rec)))
	return w.Code, rec
}

func TestMTLS_AuthoritiesAreTrustedWithTheConsumersThatAreNamed(t *testing.T) {
	partners := certtest.NewAuthority(t, "partners")
	env := middlewarestest.Env("partners")
	env.Consumers.Store(consumers.New(map[string]*consumers.Config{
		"ann@docker": {Certificates: []string{"dns:ann.example"}, Groups: []string{"staff"}},
		"acme@file":  {Certificates: []string{"dns:acme.example"}, Groups: []string{"partners"}},
	}, nil))
	pem, key := partners.Issue(time.Now().Add(time.Hour), "ann.example")
	forged := leaf(t, pem, key)
	pem, key = partners.Issue(time.Now().Add(time.Hour), "acme.example")
	acme := leaf(t, pem, key)
	for name, c := range map[string]*Config{
		"by name":  {Consumers: []string{"acme@file"}},
		"by group": {Groups: []string{"partners"}},
		"both":     {Groups: []string{"partners"}, Consumers: []string{"nobody"}},
	} {
		for _, only := range []bool{false, true} {
			c.CAFiles, c.OnlyConsumers = []string{partners.PEM()}, only
			h, err := c.New(t.Context(), env, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
			if err != nil {
				t.Fatal(err)
			}
			if status, rec := visit(t, h, acme); status != 200 || rec.Identity.Consumer == nil || rec.Identity.Consumer.Name != "acme@file" {
				t.Errorf("%s: got %d %+v", name, status, rec.Identity)
			}
			status, rec := visit(t, h, forged)
			if only && status != 403 || !only && (status != 200 || rec.Identity.Consumer != nil || rec.Identity.InAny([]string{"staff"})) {
				t.Errorf("%s: one of the staff, says a partner's authority: got %d %+v", name, status, rec.Identity)
			}
		}
	}
	h, err := (&Config{CAFiles: []string{partners.PEM()}, Consumers: []string{"ann"}}).New(t.Context(), env, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	if err != nil {
		t.Fatal(err)
	}
	if _, rec := visit(t, h, forged); rec.Identity == nil || rec.Identity.Consumer == nil || rec.Identity.Consumer.Name != "ann@docker" {
		t.Errorf("a name without a provider: got %+v", rec.Identity)
	}
}

func TestMTLS_ChainsThatAreNoGoodCostLittle(t *testing.T) {
	a := certtest.NewAuthority(t, "ca")
	made, err := (&Config{CAFiles: []string{a.PEM()}}).New(t.Context(), middlewarestest.Env("cert"), http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	if err != nil {
		t.Fatal(err)
	}
	h := made.(*handler)
	pem, key := a.Issue(time.Now().Add(time.Hour), "ann.example")
	ann := leaf(t, pem, key)
	pem, key = certtest.NewAuthority(t, "other").Issue(time.Now().Add(time.Hour), "eve.example")
	eve := leaf(t, pem, key)
	long := []*x509.Certificate{eve, eve, eve, eve, eve, eve}
	if status, rec := visit(t, h, long...); status != 403 || !strings.Contains(rec.Cause, "more than 4") {
		t.Errorf("got %d: %s", status, rec.Cause)
	}
	now := time.Now()
	chain := []*x509.Certificate{eve, ann}
	if h.verify(chain, now) == nil {
		t.Fatal("a foreign certificate is let in")
	}
	f, ok := h.failed.Get(hash(chain))
	if !ok || f.err == nil {
		t.Fatal("the failure is not remembered")
	}
	f.err = errors.New("remembered")
	h.failed.Put(hash(chain), f)
	for _, tt := range []struct {
		name  string
		chain []*x509.Certificate
		at    time.Time
		want  bool
	}{
		{"the same", chain, now.Add(rememberFailure / 2), true},
		{"another chain", []*x509.Certificate{eve, eve}, now, false},
		{"the same, much later", chain, now.Add(2 * rememberFailure), false},
	} {
		if err := h.verify(tt.chain, tt.at); err == nil || (err.Error() == "remembered") != tt.want {
			t.Errorf("%s: got %v", tt.name, err)
		}
	}
	if err := h.verify([]*x509.Certificate{ann, eve}, now); err != nil {
		t.Error(err)
	}
}
