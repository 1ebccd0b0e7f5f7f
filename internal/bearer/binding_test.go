package bearer

import (
	"crypto/tls"
	"crypto/x509"
	"net/http/httptest"
	"testing"
)

func TestBinding_WhatIsNotUnderstoodIsAnError(t *testing.T) {
	for _, tt := range []struct {
		cnf   any
		want  string
		fails bool
	}{
		{nil, "", false},
		{map[string]any{"x5t#S256": "abc"}, "abc", false},
		{map[string]any{"jkt": "abc"}, "", true},
		{map[string]any{"x5t#S256": "abc", "jkt": "abc"}, "", true},
		{map[string]any{"x5t#S256": 1}, "", true},
		{map[string]any{"x5t#S256": ""}, "", true},
		{map[string]any{}, "", true},
		{"abc", "", true},
		{[]any{}, "", true},
	} {
		got, err := Binding(map[string]any{"cnf": tt.cnf})
		if got != tt.want || (err != nil) != tt.fails {
			t.Errorf("%v: got %q %v", tt.cnf, got, err)
		}
	}
	if got, err := Binding(map[string]any{"cnf.x5t#S256": "abc"}); got != "" || err != nil {
		t.Errorf("a claim of another name: got %q %v", got, err)
	}
}

func TestComesWith(t *testing.T) {
	r := httptest.NewRequest("GET", "/", nil)
	const sum = "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0" // of "abc"
	if ComesWith(r, sum) {
		t.Error("there is no certificate")
	}
	r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{{Raw: []byte("abc")}}}
	if !ComesWith(r, sum) || ComesWith(r, "x") {
		t.Error("the certificate is not looked at")
	}
}
