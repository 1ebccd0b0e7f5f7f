package mtls

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
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
