package server

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fairway/config/dynamic"
	"fairway/internal/certtest"
)

// secureClient reaches the entry point by TLS, asking for a name whatever the URL says.
func secureClient(r *running, name string) *http.Client {
	t := &http.Transport{
		TLSClientConfig: &tls.Config{ServerName: name, InsecureSkipVerify: true},
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "tcp", r.Addresses()["web"])
		},
		ForceAttemptHTTP2: true,
	}
	return &http.Client{Transport: t, Timeout: longest}
}

func fetchURL(t *testing.T, c *http.Client, url string) (*http.Response, string) {
	t.Helper()
	t.Cleanup(c.CloseIdleConnections)
	res, err := c.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(body)
}

func TestServer_TLSByNames(t *testing.T) {
	a := certtest.NewAuthority(t, "CA")
	staff, partners := certtest.NewAuthority(t, "staff"), certtest.NewAuthority(t, "partners")
	cert, key := a.Files(time.Now().Add(90*24*time.Hour), "one.test", "*.wild.test")
	url := backend(t, func(*http.Request) {})
	r := start(t, strings.ReplaceAll(`
http:
  routers:
    one: {rule: Host(@one.test@), service: s}
    modern: {rule: Host(@a.wild.test@), service: s, tls: {options: modern}}
    staff: {rule: Host(@b.wild.test@) && PathPrefix(@/staff@), service: s, tls: {options: staff}}
    partners: {rule: Host(@b.wild.test@) && PathPrefix(@/partners@), service: s, tls: {options: partners}}
    all: {rule: Host(@b.wild.test@), service: s}
  services: {s: {loadBalancer: {servers: [{url: "`+url+`"}]}}}
tls:
  certificates: [{certFile: `+cert+`, keyFile: `+key+`}]
  options:
    modern: {minVersion: VersionTLS13}
    staff: {clientAuth: {caFiles: [`+certtest.File(t, "staff.pem", staff.PEM())+`]}}
    partners: {clientAuth: {caFiles: [`+certtest.File(t, "partners.pem", partners.PEM())+`]}}
`, "@", "`"), "--entrypoints.web.http.tls", "--entrypoints.web.http.proxystatus")

	t.Run("certificates", func(t *testing.T) {
		for name, host := range map[string]string{"one.test": "one.test", "a.wild.test": "a.wild.test"} {
			res, body := fetchURL(t, secureClient(r, name), "https://"+host+"/")
			if got := strings.Join(res.TLS.PeerCertificates[0].DNSNames, " "); got != "one.test *.wild.test" || body != "answer" || res.ProtoMajor != 2 {
				t.Errorf("%s: got %s by %s, %q", name, got, res.Proto, body)
			}
		}
		res, _ := fetchURL(t, secureClient(r, "other.test"), "https://one.test/")
		if got := res.TLS.PeerCertificates[0].Subject.CommonName; got != "FAIRWAY DEFAULT CERT" || res.StatusCode != 200 {
			t.Errorf("another name: got %s, %d", got, res.StatusCode)
		}
	})
	t.Run("options", func(t *testing.T) {
		old := secureClient(r, "a.wild.test")
		old.Transport.(*http.Transport).TLSClientConfig.MaxVersion = tls.VersionTLS12
		if _, err := old.Get("https://a.wild.test/"); err == nil {
			t.Error("a client with TLS 1.2 is let in")
		}
		if res, _ := fetchURL(t, secureClient(r, "one.test"), "https://a.wild.test/"); res.StatusCode != http.StatusMisdirectedRequest {
			t.Errorf("by the connection for another host: got %d", res.StatusCode)
		}
	})
	t.Run("clients on one host", func(t *testing.T) {
		nobody, employee, partner := []tls.Certificate(nil), []tls.Certificate{staff.Pair("employee")}, []tls.Certificate{partners.Pair("partner")}
		for path, want := range map[string][3]int{"/staff": {403, 200, 403}, "/partners": {403, 403, 200}, "/": {200, 200, 200}} {
			for i, shown := range [][]tls.Certificate{nobody, employee, partner} {
				c := secureClient(r, "b.wild.test")
				if len(shown) > 0 {
					c.Transport.(*http.Transport).TLSClientConfig.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &shown[0], nil }
				}
				res, _ := fetchURL(t, c, "https://b.wild.test"+path)
				if res.StatusCode != want[i] {
					t.Errorf("%s, client %d: got %d, want %d", path, i, res.StatusCode, want[i])
				}
				if res.StatusCode == 403 && res.Header.Get("Proxy-Status") != "fairway; error=http_request_denied" {
					t.Errorf("got %v", res.Header)
				}
			}
		}
	})
}

func TestServer_CertificatesThatAreBadAreProblems(t *testing.T) {
	a := certtest.NewAuthority(t, "CA")
	ended, endedKey := a.Files(time.Now().Add(-time.Minute), "ended.test")
	_, otherKey := a.Files(time.Now().Add(time.Hour), "other.test")
	r := start(t, `
tls:
  certificates:
    - {certFile: `+ended+`, keyFile: `+endedKey+`}
    - {certFile: `+ended+`, keyFile: `+otherKey+`}
    - {certFile: /nowhere.pem, keyFile: `+endedKey+`}
`)
	found := map[string]string{}
	for _, p := range r.problems() {
		if p.Kind == "certificate" && p.Severity == dynamic.Error {
			found[p.Source+" "+p.Name] += p.Reason
		}
	}
	for place, want := range map[string]string{
		ended + " ended.test": "has run out on " + time.Now().Add(-time.Minute).UTC().Format("2006-01-02"),
		ended + " ":           "cannot be used: tls: private key does not match public key",
		"/nowhere.pem ":       "cannot be used: certFile: open /nowhere.pem: no such file or directory",
	} {
		if got := found[place]; got != want {
			t.Errorf("%s: got %q, want %q", place, got, want)
		}
		if !strings.Contains(r.log.String(), strings.ReplaceAll(want, `"`, `\"`)) {
			t.Errorf("the log does not say %q", want)
		}
	}
	if list := r.https.list(); len(list) != 3 || list[0].File != ended || list[0].NotAfter == nil || list[2].NotAfter != nil {
		t.Errorf("got %+v", list)
	}
}

// Other programs behind the gateway may have challenges of their own.
func TestServer_ChallengesOfOthersGoToTheRouters(t *testing.T) {
	url := backend(t, func(*http.Request) {})
	r := start(t, routeTo(url), "--certificatesresolvers.le.acme.httpchallenge.entrypoint=web", "--certificatesresolvers.le.acme.storage="+t.TempDir())
	for _, path := range []string{"/.well-known/acme-challenge/token", "/.well-known/acme-challenge/", "/.well-known/acme-challenge/../x"} {
		if res, body := r.get(t, "any.test", path); res.StatusCode != http.StatusOK || body != "answer" {
			t.Errorf("%s: got %d %q", path, res.StatusCode, body)
		}
	}
	if got := fmt.Sprint(r.https.names); got != "[le]" {
		t.Errorf("got resolvers %s", got)
	}
}

// A mistake about one resolver costs that resolver, and nothing else.
func TestServer_AResolverThatCannotBeMade(t *testing.T) {
	url := backend(t, func(*http.Request) {})
	routes := strings.Replace(routeTo(url), "service: all}", "service: all, tls: {certResolver: dns}}", 1) + `
tls:
  stores: {default: {defaultGeneratedCert: {resolver: nosuch, domain: {main: a.test}}}, inner: {}}
`
	r := start(t, routes, "--certificatesresolvers.dns.acme.dnschallenge.provider=nosuchprovider", "--certificatesresolvers.dns.acme.storage="+t.TempDir(),
		"--certificatesresolvers.le.acme.httpchallenge.entrypoint=wbe", "--certificatesresolvers.le.acme.storage="+t.TempDir())
	if res, body := fetchURL(t, secureClient(r, "a.test"), "https://a.test/"); res.StatusCode != 200 || body != "answer" {
		t.Errorf("got %d %q", res.StatusCode, body)
	}
	all := ""
	for _, p := range r.problems() {
		all += string(p.Severity) + " " + p.String() + "\n"
	}
	for _, want := range []string{
		"error resolver dns: option certificatesResolvers.dns.acme.dnsChallenge.provider: ", `warning resolver le: httpChallenge: there is no entry point "wbe"`,
		`tlsStore default: there is no certificate resolver "nosuch"`, "tlsStore inner: is not used: there is one store, default",
	} {
		if !strings.Contains(all, want) {
			t.Errorf("nothing says %q:\n%s", want, all)
		}
	}
}

// Files that TLS options name may come later, as those of volumes that are mounted late.
func TestServer_FilesOfTLSOptionsMayComeLater(t *testing.T) {
	staff := certtest.NewAuthority(t, "staff")
	file := filepath.Join(t.TempDir(), "staff.pem")
	url := backend(t, func(*http.Request) {})
	routes := strings.Replace(routeTo(url), "service: all}", "service: all, tls: {options: staff}}", 1) + "tls: {options: {staff: {clientAuth: {caFiles: [" + file + "]}}}}\n"
	r := start(t, routes)
	if res, _ := fetchURL(t, secureClient(r, "a.test"), "https://a.test/"); res.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("without the file: got %d", res.StatusCode)
	}
	if err := os.WriteFile(file, []byte(staff.PEM()), 0o600); err != nil {
		t.Fatal(err)
	}
	employee := staff.Pair("employee")
	await(t, "the router to be opened", func() bool {
		c := secureClient(r, "a.test")
		c.Transport.(*http.Transport).TLSClientConfig.Certificates = []tls.Certificate{employee}
		defer c.CloseIdleConnections()
		res, err := c.Get("https://a.test/")
		if err != nil {
			return false
		}
		_ = res.Body.Close()
		return res.StatusCode == http.StatusOK
	})
	if res, _ := fetchURL(t, secureClient(r, "a.test"), "https://a.test/"); res.StatusCode != http.StatusForbidden {
		t.Errorf("without a certificate: got %d", res.StatusCode)
	}
}
