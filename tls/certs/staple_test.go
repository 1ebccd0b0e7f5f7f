package certs

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"
)

func TestStaple_OnlyWhereItIsDemanded(t *testing.T) {
	a := newAuthority(t, "CA")
	var asked, status atomic.Int32
	answers := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		body, _ := io.ReadAll(r.Body)
		question, err := ocsp.ParseRequest(body)
		if err != nil {
			t.Error(err)
			return
		}
		answer, err := ocsp.CreateResponse(a.cert, a.cert, ocsp.Response{
			Status: int(status.Load()), SerialNumber: question.SerialNumber, ThisUpdate: time.Now(), NextUpdate: time.Now().Add(time.Hour),
		}, a.key)
		if err != nil {
			t.Error(err)
		}
		_, _ = w.Write(answer)
	}))
	t.Cleanup(answers.Close)
	demand, err := asn1.Marshal([]int{statusRequest})
	if err != nil {
		t.Fatal(err)
	}
	demanding := a.issue(func(c *x509.Certificate) {
		c.OCSPServer = []string{answers.URL}
		c.ExtraExtensions = []pkix.Extension{{Id: tlsFeature, Value: demand}}
	}, "demands.test")
	demanding.CertFile += a.pem()
	other := a.issue(func(c *x509.Certificate) { c.OCSPServer = []string{answers.URL} }, "other.test")
	store, _ := newStore(t)
	store.Set([]*Certificate{demanding, other}, nil)
	got := func(name string) string {
		m := handshake(t, store.Config(only(DefaultPolicy())), visitor(name))
		if m.err != nil {
			t.Fatal(m.err)
		}
		return string(m.state.OCSPResponse)
	}

	now := time.Now()
	status.Store(ocsp.Unknown)
	store.stapled(t.Context(), now)
	if got("demands.test") != "" || !strings.Contains(store.List()[0].Staple, "does not know it") {
		t.Errorf("got %+v", store.List()[0])
	}
	status.Store(ocsp.Good)
	store.stapled(t.Context(), now) // it is not time yet
	if n := asked.Load(); n != 1 {
		t.Errorf("asked %d times", n)
	}
	store.stapled(t.Context(), now.Add(stapleRetry))
	if got("demands.test") == "" || got("other.test") != "" || store.List()[0].Staple != "" {
		t.Errorf("got %q and %q, %+v", got("demands.test"), got("other.test"), store.List()[0])
	}
	store.stapled(t.Context(), now.Add(20*time.Minute))
	store.stapled(t.Context(), now.Add(40*time.Minute))
	if n := asked.Load(); n != 3 {
		t.Errorf("asked %d times, want again when half of the time is over", n)
	}
	answers.Close()
	store.stapled(t.Context(), now.Add(80*time.Minute))
	if got("demands.test") == "" || !strings.Contains(store.List()[0].Staple, "ask "+answers.URL) {
		t.Errorf("without the issuer: the last answer is gone, or nothing is said: %+v", store.List()[0])
	}
}
