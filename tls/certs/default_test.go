package certs

import (
	"bytes"
	"crypto/x509"
	"os"
	"path/filepath"
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

func TestKeptDefault_IsTheSameAfterARestart(t *testing.T) {
	file := filepath.Join(t.TempDir(), "acme", "default.pem")
	first, err := KeptDefault(file)
	if err != nil {
		t.Fatal(err)
	}
	second, err := KeptDefault(file)
	if err != nil || !bytes.Equal(first.Certificate[0], second.Certificate[0]) {
		t.Errorf("got another one, %v", err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file: %v, %v", info, err)
	}
	for name, content := range map[string]string{"garbage": "x", "empty": ""} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if again, err := KeptDefault(file); err != nil || bytes.Equal(again.Certificate[0], first.Certificate[0]) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if cert, err := KeptDefault(filepath.Join(file, "below", "a-file.pem")); cert == nil || err == nil {
		t.Errorf("where it cannot be kept: got %v, %v", cert, err)
	}
}
