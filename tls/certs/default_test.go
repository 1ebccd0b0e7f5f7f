package certs

import (
	"crypto/x509"
	"testing"
	"time"
)

func TestNewDefault_IsAServerCertificateInForce(t *testing.T) {
	c, err := NewDefault()
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(c.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	if now := time.Now(); now.Before(parsed.NotBefore) || now.After(parsed.NotAfter) {
		t.Errorf("valid from %v to %v, not now", parsed.NotBefore, parsed.NotAfter)
	}
	if parsed.Subject.CommonName != "FAIRWAY DEFAULT CERT" {
		t.Errorf("got name %q", parsed.Subject.CommonName)
	}
	if parsed.IsCA {
		t.Error("it could sign others")
	}
}
