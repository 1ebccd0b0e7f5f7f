package server

import (
	"crypto/tls"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fairway/internal/certtest"
)

// TestServer_ClientCertificatesAreConsumers has clients of two authorities on one host, of
// which each route trusts one, and a limit that goes by the consumer.
func TestServer_ClientCertificatesAreConsumers(t *testing.T) {
	staff, partners := certtest.NewAuthority(t, "staff"), certtest.NewAuthority(t, "partners")
	var who string
	file := filepath.Join(t.TempDir(), "access.log")
	url := backend(t, func(r *http.Request) { who = r.Header.Get("X-Consumer") })
	r := start(t, strings.ReplaceAll(`
http:
  routers:
    staff: {rule: Host(@a.test@) && PathPrefix(@/staff@), service: s, tls: {options: asks}, middlewares: [staff, told]}
    partners: {rule: Host(@a.test@) && PathPrefix(@/partners@), service: s, tls: {options: asks}, middlewares: [partners, told, slow]}
    all: {rule: Host(@a.test@), service: s, tls: {options: asks}, middlewares: [told]}
  services: {s: {loadBalancer: {servers: [{url: "`+url+`"}]}}}
  consumers:
    ann: {certificates: ["dns:ann.test"], groups: [employees]}
    acme: {certificates: ["dns:acme.test"], plan: silver}
    other: {certificates: ["dns:other.test"]}
  middlewares:
    staff: {mtls: {caFiles: [`+certtest.File(t, "staff.pem", staff.PEM())+`]}}
    partners: {mtls: {caFiles: [`+certtest.File(t, "partners.pem", partners.PEM())+`], onlyConsumers: true}}
    told: {acl: {denyConsumers: [other], forwardHeaders: {X-Consumer: consumer.name}}}
    slow: {rateLimit: {average: 1, period: 1h, burst: 1, sourceCriterion: {consumer: true}}}
tls:
  options:
    asks: {clientAuth: {clientAuthType: RequestClientCert}}
`, "@", "`"), "--entrypoints.web.http.tls", "--entrypoints.traefik.address=127.0.0.1:0", "--metrics.prometheus", "--accesslog.format=json", "--accesslog.flushinterval=10ms", "--accesslog.filepath="+file)
	ask := func(path string, shown *tls.Certificate) int {
		t.Helper()
		who = ""
		c := secureClient(r, "a.test")
		if shown != nil {
			c.Transport.(*http.Transport).TLSClientConfig.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return shown, nil }
		}
		res, _ := fetchURL(t, c, "https://a.test"+path)
		return res.StatusCode
	}
	ann, acme, unknown, forged := staff.Pair("ann.test"), partners.Pair("acme.test"), partners.Pair("x.test"), certtest.NewAuthority(t, "partners").Pair("acme.test")
	other, second := partners.Pair("other.test"), partners.Pair("ann.test")
	for _, tt := range []struct {
		name, path string
		shown      *tls.Certificate
		status     int
		who        string
	}{
		{"staff", "/staff", &ann, 200, "ann@file"},
		{"staff at the partners'", "/partners", &ann, 403, ""},
		{"a partner", "/partners", &acme, 200, "acme@file"},
		{"a partner too often", "/partners", &acme, 429, ""},
		{"another partner", "/partners", &second, 200, "ann@file"},
		{"a partner that nobody knows", "/partners", &unknown, 403, ""},
		{"a partner of another authority", "/partners", &forged, 403, ""},
		{"a partner that is denied", "/partners", &other, 403, ""},
		{"nobody", "/staff", nil, 403, ""},
		{"where nobody verifies, nobody is known", "/", &ann, 403, ""},
	} {
		if got := ask(tt.path, tt.shown); got != tt.status || who != tt.who {
			t.Errorf("%s: got %d as %q, want %d as %q", tt.name, got, who, tt.status, tt.who)
		}
	}
	scrapeWith(t, r, `fairway_consumer_requests_total{code="2xx",consumer="acme@file"} 1`)
	scrapeWith(t, r, `fairway_consumer_requests_total{code="4xx",consumer="acme@file"} 1`)
	await(t, "the log", func() bool {
		text, _ := os.ReadFile(file)
		return strings.Contains(string(text), `"auth_method":"mtls","consumer":"acme@file","consumer_plan":"silver"`)
	})
}
