package middlewarestest

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"testing"

	"golang.org/x/tools/txtar"
)

// withCertificate puts the certificate of the section client.pem, if there is one, on
// every request, as if it had come over TLS.
func withCertificate(t testing.TB, ar *txtar.Archive, next http.Handler) http.Handler {
	t.Helper()
	text, ok := find(ar, "client.pem")
	if !ok {
		return next
	}
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		t.Fatal("client.pem: no PEM")
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatalf("client.pem: %v", err)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{cert}}
		next.ServeHTTP(w, r)
	})
}
