package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fairway/internal/certtest"
)

// stored makes the options of two resolvers, and a storage in which they have certificates.
// The second one has no DNS credentials.
func stored(t *testing.T, names map[string][]string) []string {
	t.Helper()
	authority := certtest.NewAuthority(t, "root")
	file := map[string]any{}
	for resolver, list := range names {
		var all []any
		for _, name := range list {
			chain, key := authority.Issue(time.Now().Add(time.Hour), name)
			all = append(all, map[string]any{"domain": map[string]any{"main": name}, "certificate": []byte(chain), "key": []byte(key)})
		}
		file[resolver] = map[string]any{"Certificates": all}
	}
	data, err := json.Marshal(file)
	if err != nil {
		t.Fatal(err)
	}
	storage := filepath.Join(t.TempDir(), "acme.json")
	if err := os.WriteFile(storage, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return []string{
		"--certificatesresolvers.le.acme.storage=" + storage, "--certificatesresolvers.le.acme.tlschallenge",
		"--certificatesresolvers.dns.acme.storage=" + storage, "--certificatesresolvers.dns.acme.dnschallenge.provider=duckdns",
	}
}

func TestCerts_WhichOneIsMeant(t *testing.T) {
	options := stored(t, map[string][]string{"le": {"xn--bcher-kva.test", "both.test"}, "dns": {"own.test", "both.test"}})
	for _, tt := range []struct{ line, want string }{
		{"export bücher.test", "PRIVATE KEY"},
		{"export BÜCHER.test.", "PRIVATE KEY"},
		{"export Own.Test", "PRIVATE KEY"}, // without credentials
		{"export le/both.test", "PRIVATE KEY"},
		{"renew dns/both.test", "both.test is due"},
		{"renew bücher.test", "bücher.test is due"},
		{"list", "own.test"},
		{"export both.test", "error: certs export: say which resolver is meant, dns or le: as in dns/both.test"},
		{"export other/both.test", `error: certs export: there is no resolver "other"; there are: dns, le`},
		{"export nowhere.test", "error: certs export: no resolver has a certificate for nowhere.test"},
		{"export le/own.test", "error: certs export own.test, resolver le: there is no certificate for own.test"},
		{"check new.test", "error: certs check: say which resolver is meant, dns or le: as in dns/new.test"},
		{"check own.test", "error: certs check own.test, resolver dns: option certificatesResolvers.dns.acme.dnsChallenge.provider: duckdns"},
		{"check le/localhost", "error: certs check localhost, resolver le: no public authority signs this name"},
		{"check", "error: certs check: say the name"},
		{"show", "error: certs: there is no \"show\""},
	} {
		var out strings.Builder
		got := ""
		if err := runCerts(append(strings.Fields(tt.line), options...), &out); err != nil {
			got = "error: " + err.Error()
		}
		if got += out.String(); !strings.Contains(got, tt.want) || strings.HasPrefix(got, "error") != strings.HasPrefix(tt.want, "error") {
			t.Errorf("certs %s: %s\nwant %s", tt.line, got, tt.want)
		}
	}
}

func TestCerts_OneStorageThatCannotBeOpenedIsLeftOut(t *testing.T) {
	options := stored(t, map[string][]string{"le": {"a.test"}})
	var out strings.Builder
	options = append(options, "--certificatesresolvers.dns.acme.storage=.json")
	if err := runCerts(append([]string{"list"}, options...), &out); err != nil || !strings.Contains(out.String(), "a.test") {
		t.Errorf("%v\n%s", err, out.String())
	}
	if err := runCerts([]string{"list", "--certificatesresolvers.x.acme.storage=.json"}, &out); err == nil || !strings.Contains(err.Error(), "option certificatesResolvers.x.acme.storage: ") {
		t.Errorf("got %v", err)
	}
}
