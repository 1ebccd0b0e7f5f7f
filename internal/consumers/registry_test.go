package consumers

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"net/url"
	"strings"
	"testing"

	"fairway/internal/identity"
	"fairway/internal/secret"
)

func hashed(key string) secret.String {
	sum := sha256.Sum256([]byte(key))
	return secret.String("sha256:" + hex.EncodeToString(sum[:]))
}

// registry makes one, and fails if there is anything to be told.
func registry(t *testing.T, all map[string]*Config) *Registry {
	t.Helper()
	return New(all, func(name string, err error) { t.Errorf("%s: %v", name, err) })
}

func named(c *identity.Consumer) string {
	if c == nil {
		return ""
	}
	return c.Name
}

func TestRegistry_FindsByEachKindOfCredential(t *testing.T) {
	r := registry(t, map[string]*Config{
		"ann@file": {
			APIKeys: []secret.String{hashed("key-of-ann"), hashed("second")}, Users: []string{"ann"}, Groups: []string{"staff"}, Plan: "gold",
			Credentials: []secret.String{"ann:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ="}, Labels: map[string]string{"team": "a"},
		},
		"bot@docker": {APIKeys: []secret.String{hashed("key-of-bot")}},
	})
	for key, want := range map[string]string{"key-of-ann": "ann@file", "second": "ann@file", "key-of-bot": "bot@docker", "key-of-": "", "": "", string(hashed("second")): ""} {
		if got := named(r.ByAPIKey(key)); got != want {
			t.Errorf("key %q: got %q, want %q", key, got, want)
		}
	}
	ann := r.ByUser("ann")
	if named(ann) != "ann@file" || ann.Plan != "gold" || ann.Labels["team"] != "a" || ann.Groups[0] != "staff" {
		t.Errorf("got %+v", ann)
	}
	if named(r.ByName("bot@docker")) != "bot@docker" || r.ByName("bot") != nil {
		t.Error("consumers are not found by their names")
	}
	if r.ByUser("bot") != nil {
		t.Error("the name of a consumer is no name of a user")
	}
	for password, want := range map[string]string{"secret": "ann@file", "other": ""} {
		got, err := r.Verify(context.Background(), "ann", password)
		if err != nil || named(got) != want {
			t.Errorf("%s: got %q %v, want %q", password, named(got), err, want)
		}
	}
}

func TestRegistry_FindsByClaims(t *testing.T) {
	r := registry(t, map[string]*Config{
		"ann":   {Claims: []string{"iss=https://id.example", "sub=17"}},
		"other": {Claims: []string{"iss=https://other.example", "sub=17"}},
		"staff": {Claims: []string{"realm_access.roles=staff"}},
		"boss":  {Claims: []string{"realm_access.roles=staff", "sub=18", "iss=https://id.example"}},
		"all":   {Claims: []string{"iss=https://id.example"}},
	})
	roles := map[string]any{"roles": []any{"user", "staff"}}
	for _, tt := range []struct {
		said map[string]any
		want string
	}{
		{map[string]any{"iss": "https://id.example", "sub": "17"}, "ann"},
		{map[string]any{"iss": "https://other.example", "sub": "17"}, "other"},
		{map[string]any{"iss": "https://id.example", "sub": "18", "realm_access": roles}, "boss"},
		{map[string]any{"iss": "https://third.example", "sub": "18", "realm_access": roles}, "staff"},
		{map[string]any{"iss": "https://id.example", "sub": "19"}, "all"},
		{map[string]any{"sub": "17"}, ""},
		{nil, ""},
	} {
		for range 20 { // maps are in no order
			if got := named(r.ByClaims(tt.said)); got != tt.want {
				t.Fatalf("%v: got %q, want %q", tt.said, got, tt.want)
			}
		}
	}
}

func TestRegistry_FindsByCertificate(t *testing.T) {
	uri, _ := url.Parse("spiffe://shop/ann")
	cert := &x509.Certificate{Raw: []byte("cert"), Subject: pkix.Name{CommonName: "ann", Organization: []string{"Shop"}}, DNSNames: []string{"Ann.example"}, URIs: []*url.URL{uri}}
	sum := sha256.Sum256([]byte("cert"))
	for _, name := range []string{"CN=ann,O=Shop", "CN=ann;O=Shop", "dns:ANN.example", "uri:spiffe://shop/ann", "sha256:" + strings.ToUpper(hex.EncodeToString(sum[:]))} {
		r := registry(t, map[string]*Config{"ann": {Certificates: []string{name}}, "bob": {Certificates: []string{"CN=bob"}}})
		if got := named(r.ByCertificate(cert)); got != "ann" {
			t.Errorf("%s: got %q", name, got)
		}
	}
	r := registry(t, map[string]*Config{"ann": {Certificates: []string{"CN=ann", "uri:spiffe://shop", "email:ann@example.com"}}})
	if got := r.ByCertificate(cert); got != nil {
		t.Errorf("got %q for a part of a name", got.Name)
	}
}

func TestRegistry_SubjectsAreFoundHoweverTheyAreWritten(t *testing.T) {
	raw, err := asn1.Marshal(pkix.RDNSequence{
		{{Type: []int{2, 5, 4, 6}, Value: "DE"}},
		{{Type: []int{2, 5, 4, 10}, Value: "Shop, Inc."}},
		{{Type: []int{2, 5, 4, 3}, Value: "Ann"}, {Type: []int{1, 2, 840, 113549, 1, 9, 1}, Value: "ann@shop.example"}},
		{{Type: []int{1, 2, 3}, Value: "x"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	cert := &x509.Certificate{Raw: []byte("cert"), RawSubject: raw}
	for name, want := range map[string]bool{
		`1.2.3=x,CN=Ann+emailAddress=ann@shop.example,O=Shop\, Inc.,C=DE`:                true,
		`C = DE, O = Shop\2C Inc., CN = Ann, emailAddress = ann@shop.example, 1.2.3 = x`: true,
		`c=DE; o=Shop\, Inc.; cn=Ann; E=ann@shop.example; oid.1.2.3=x`:                   true,
		`CN=Ann,O=Shop\, Inc.,C=DE`:                                               false,
		`1.2.3=x,CN=ann+emailAddress=ann@shop.example,O=Shop\, Inc.,C=DE`:         false,
		`1.2.3=x,1.2.3=x,CN=Ann+emailAddress=ann@shop.example,O=Shop\, Inc.,C=DE`: false,
	} {
		r := registry(t, map[string]*Config{"ann": {Certificates: []string{name}}})
		if got := named(r.ByCertificate(cert)) == "ann"; got != want {
			t.Errorf("%s: got %v", name, got)
		}
	}
}

func TestRegistry_WhatIsWrongIsToldAndNobodyIsLetInByIt(t *testing.T) {
	for want, all := range map[string]map[string]*Config{
		"b: apiKeys[0]: the key is that of a already":       {"a": {APIKeys: []secret.String{hashed("k")}}, "b": {APIKeys: []secret.String{hashed("k")}, Users: []string{"b"}}},
		"b: users[0]: \"x\" is a already":                   {"a": {Users: []string{"x"}}, "b": {Users: []string{"x"}}},
		"b: credentials[0]: the name is that of a already":  {"a": {Credentials: []secret.String{"x:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ="}}, "b": {Credentials: []secret.String{"x:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ="}, Users: []string{"b"}}},
		"b: certificates[0]: \"CN=x\" is that of a already": {"a": {Certificates: []string{"CN=x"}}, "b": {Certificates: []string{"CN=x"}, Users: []string{"b"}}},
		"b: apiKeys[1]: is not written as":                  {"b": {APIKeys: []secret.String{hashed("k"), "hunter2"}, Users: []string{"b"}}},
		"b: claims[0]: is not written as path=value":        {"b": {Claims: []string{"sub"}, Users: []string{"b"}}},
		"b: certificates[0]: is neither":                    {"b": {Certificates: []string{"ann"}, Users: []string{"b"}}},
		"b: certificates[0]: no certificate has a part":     {"b": {Certificates: []string{"CN=x,Organisation=y"}, Users: []string{"b"}}},
		"b: certificates[0]: is no subject":                 {"b": {Certificates: []string{"CN=x,y"}, Users: []string{"b"}}},
		"b: certificates[0]: \"cn = x\" is that of a":       {"a": {Certificates: []string{"CN=x"}}, "b": {Certificates: []string{"cn = x"}, Users: []string{"b"}}},
		"b: certificates[0]: a fingerprint has 64":          {"b": {Certificates: []string{"sha256:12"}, Users: []string{"b"}}},
		"b: credentials[0]: ":                               {"b": {Credentials: []secret.String{"hunter2"}, Users: []string{"b"}}},
	} {
		told := ""
		r := New(all, func(name string, err error) { told += name + ": " + err.Error() })
		if !strings.HasPrefix(told, want) || strings.Contains(told, "hunter2") {
			t.Errorf("told %q, want %q", told, want)
		}
		if r.ByUser("b") != nil {
			t.Errorf("%s: the consumer is known nevertheless", want)
		}
	}
}

func TestRegistry_ThatIsNotThereKnowsNobody(t *testing.T) {
	var r *Registry
	if c, err := r.Verify(context.Background(), "a", "b"); c != nil || err != nil || r.ByAPIKey("k") != nil || r.ByName("n") != nil || r.ByUser("u") != nil || r.ByClaims(map[string]any{"sub": "1"}) != nil || r.ByCertificate(&x509.Certificate{}) != nil {
		t.Error("it knows somebody")
	}
	if (*Live)(nil).Now() != nil || (&Live{}).Now() != nil {
		t.Error("there is one")
	}
}
