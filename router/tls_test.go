package router

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

const tlsConfig = `
http:
  routers:
    plain: {rule: 'Host(@plain.test@)', service: s, tls: {}}
    http: {rule: 'Host(@http.test@)', service: s}
    mutual: {rule: 'Host(@mutual.test@)', service: s, tls: {options: mutual}}
    shared-a: {rule: 'Host(@shared.test@) && PathPrefix(@/a@)', service: s, tls: {options: mutual}}
    shared-b: {rule: 'Host(@shared.test@) && PathPrefix(@/b@)', service: s, tls: {}}
    wild: {rule: 'Host(@*.wild.test@)', service: s, tls: {options: modern}}
    typo: {rule: 'Host(@typo.test@)', service: s, tls: {options: mutaul}}
    broken: {rule: 'Host(@broken.test@)', service: s, tls: {options: broken}}
    misread: {rule: 'Host(@misread.test@)', service: s, tls: {options: misread}}
    resolved: {rule: 'Host(@resolved.test@)', service: s, tls: {certResolver: lee}}
  services: {s: {loadBalancer: {servers: [{url: "http://s:1"}]}}}
tls:
  options:
    mutual: {clientAuth: {clientAuthType: RequireAnyClientCert}}
    modern: {minVersion: VersionTLS13}
    broken: {minVersion: VersionTLS9}
    misread: {minVersion: VersionTLS13, clientAuht: {caFiles: [x]}}
`

// over sends a request that came by TLS, on a connection made for a name.
func over(tb testing.TB, r *Router, name, url string, certificates ...*x509.Certificate) string {
	tb.Helper()
	w := httptest.NewRecorder()
	req := httptest.NewRequest(http.MethodGet, url, nil)
	req.TLS = &tls.ConnectionState{ServerName: name, PeerCertificates: certificates}
	r.Handler("websecure").ServeHTTP(w, req)
	return fmt.Sprint(w.Code)
}

func TestTLS_OptionsOfHosts(t *testing.T) {
	env := newEnv()
	env.Resolvers = []string{"le"}
	r := New(env)
	cfg := parse(t, "file", strings.ReplaceAll(tlsConfig, "@", "`"))
	table := r.Apply(cfg)
	some := &x509.Certificate{}
	for _, tt := range []struct {
		name, url string
		shown     []*x509.Certificate
		want      string
	}{
		{"plain.test", "https://plain.test/", nil, "200"},
		{"Plain.Test.", "https://PLAIN.test:443/", nil, "200"},
		{"", "https://plain.test/", nil, "200"},
		{"mutual.test", "https://mutual.test/", nil, "403"}, // a connection of before the options
		{"mutual.test", "https://mutual.test/", []*x509.Certificate{some}, "200"},
		{"plain.test", "https://mutual.test/", []*x509.Certificate{some}, "421"},
		{"mutual.test", "https://plain.test/", []*x509.Certificate{some}, "421"},
		{"", "https://mutual.test/", nil, "421"},
		{"shared.test", "https://shared.test/a", nil, "403"},
		{"shared.test", "https://shared.test/a", []*x509.Certificate{some}, "200"},
		{"shared.test", "https://shared.test/b", nil, "200"},
		{"plain.test", "https://shared.test/b", nil, "421"},
		{"x.wild.test", "https://y.wild.test/", nil, "200"},
		{"x.wild.test", "https://plain.test/", nil, "421"},
		{"x.test", "https://nowhere.test/", nil, "404"},
		{"typo.test", "https://typo.test/", nil, "404"},
		{"broken.test", "https://broken.test/", nil, "404"},
		{"misread.test", "https://misread.test/", nil, "404"},
		{"resolved.test", "https://resolved.test/", nil, "200"},
	} {
		if got := over(t, r, tt.name, tt.url, tt.shown...); got != tt.want {
			t.Errorf("%s by a connection for %q, %d certificates: got %s, want %s", tt.url, tt.name, len(tt.shown), got, tt.want)
		}
	}
	for name, want := range map[string]string{
		"typo@file":     `the set of TLS options "mutaul@file" does not exist (did you mean "mutual@file"?)`,
		"broken@file":   `its TLS options "broken@file" are out of use: minVersion: "VersionTLS9" is none of`,
		"misread@file":  `its TLS options "misread@file" are out of use: tls.options.misread.clientAuht.caFiles: there is no option "clientAuht" here`,
		"resolved@file": `there is no certificate resolver "lee"`,
	} {
		if got := strings.Join(reasons(table, name), "\n"); !strings.Contains(got, want) {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
}

func TestTLS_PoliciesStayOverReloads(t *testing.T) {
	r := New(newEnv())
	text := strings.ReplaceAll(tlsConfig, "@", "`")
	first := r.Apply(parse(t, "file", text))
	second := r.Apply(parse(t, "file", strings.Replace(text, "http://s:1", "http://s:2", 1)))
	for _, host := range []string{"plain.test", "mutual.test", "shared.test", "x.wild.test", ""} {
		if first.PolicyFor(host) != second.PolicyFor(host) {
			t.Errorf("%s: a reload of something else made the policy anew: sessions of clients are lost", host)
		}
	}
	third := r.Apply(parse(t, "file", strings.Replace(text, "minVersion: VersionTLS13}", "minVersion: VersionTLS12}", 1)))
	if second.PolicyFor("x.wild.test") == third.PolicyFor("x.wild.test") || second.PolicyFor("mutual.test") != third.PolicyFor("mutual.test") {
		t.Error("a change of options is not in force, or more than that changed")
	}
	if n := len(third.Policies()); n != 3 {
		t.Errorf("%d policies are looked after, want the default, mutual and modern", n)
	}
}

func TestTLS_DefaultOptionsAreForAllOthers(t *testing.T) {
	r := New(newEnv())
	text := strings.ReplaceAll(tlsConfig, "@", "`") + "    default: {clientAuth: {clientAuthType: RequireAnyClientCert}}\n"
	table := r.Apply(parse(t, "file", text))
	for url, want := range map[string]string{"https://plain.test/": "403", "https://mutual.test/": "403", "https://x.wild.test/": "200"} {
		if got := over(t, r, strings.TrimSuffix(strings.TrimPrefix(url, "https://"), "/"), url); got != want {
			t.Errorf("%s: got %s, want %s", url, got, want)
		}
	}
	if !table.PolicyFor("any.test").Demands() {
		t.Error("the default options are not for hosts without others")
	}
	table = r.Apply(parse(t, "file", strings.Replace(text, "default: {clientAuth: {clientAuthType: RequireAnyClientCert}}", "default: {clientAuth: {clientAuthType: Sometimes}}", 1)))
	if got := over(t, r, "plain.test", "https://plain.test/"); got != "404" {
		t.Errorf("by options that are out of use: got %s", got)
	}
	if got := over(t, r, "x.wild.test", "https://x.wild.test/"); got != "200" {
		t.Errorf("by options of its own: got %s", got)
	}
	if got := reasons(table, "default"); len(got) != 1 || !strings.Contains(got[0], `there is no "Sometimes"`) {
		t.Errorf("got %q", got)
	}
}

func TestTLS_OptionsWithoutAHostAreForAllHosts(t *testing.T) {
	r := New(newEnv())
	table := r.Apply(parse(t, "file", strings.ReplaceAll(tlsConfig, "@", "`")))
	if table.PolicyFor("plain.test") != table.PolicyFor("") {
		t.Error("a host without options has some")
	}
	cfg := changed(t, parse(t, "file", strings.ReplaceAll(tlsConfig, "@", "`")), "http: {routers: {everywhere: {rule: 'PathPrefix(`/admin`)', service: s, tls: {options: mutual}}}}")
	cfg.TLS = parse(t, "file", strings.ReplaceAll(tlsConfig, "@", "`")).TLS
	r.Apply(cfg)
	some := &x509.Certificate{}
	for _, host := range []string{"plain.test", "nowhere.test"} {
		if got := over(t, r, host, "https://"+host+"/admin"); got != "403" {
			t.Errorf("%s: got %s", host, got)
		}
		if got := over(t, r, host, "https://"+host+"/admin", some); got != "200" {
			t.Errorf("%s, with a certificate: got %s", host, got)
		}
	}
	if got := over(t, r, "plain.test", "https://plain.test/"); got != "200" {
		t.Errorf("another path: got %s", got)
	}
}
