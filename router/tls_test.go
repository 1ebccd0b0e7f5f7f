package router

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"fairway/proxy"
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
		{"mutual.test", "https://mutual.test/", nil, "421"}, // a connection of before the options
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
		{"typo.test", "https://typo.test/", nil, "503"},
		{"broken.test", "https://broken.test/", nil, "503"},
		{"misread.test", "https://misread.test/", nil, "503"},
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
		if first.PolicyFor("websecure", host) != second.PolicyFor("websecure", host) {
			t.Errorf("%s: a reload of something else made the policy anew: sessions of clients are lost", host)
		}
	}
	third := r.Apply(parse(t, "file", strings.Replace(text, "minVersion: VersionTLS13}", "minVersion: VersionTLS12}", 1)))
	if second.PolicyFor("websecure", "x.wild.test") == third.PolicyFor("websecure", "x.wild.test") || second.PolicyFor("websecure", "mutual.test") != third.PolicyFor("websecure", "mutual.test") {
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
	for url, want := range map[string]string{"https://plain.test/": "421", "https://mutual.test/": "421", "https://x.wild.test/": "200"} {
		if got := over(t, r, strings.TrimSuffix(strings.TrimPrefix(url, "https://"), "/"), url); got != want {
			t.Errorf("%s: got %s, want %s", url, got, want)
		}
	}
	if !table.PolicyFor("websecure", "any.test").Demands() {
		t.Error("the default options are not for hosts without others")
	}
	table = r.Apply(parse(t, "file", strings.Replace(text, "default: {clientAuth: {clientAuthType: RequireAnyClientCert}}", "default: {clientAuth: {clientAuthType: Sometimes}}", 1)))
	if got := over(t, r, "plain.test", "https://plain.test/"); got != "503" {
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
	if table.PolicyFor("websecure", "plain.test") != table.PolicyFor("websecure", "") {
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

// spy keeps the last request that a service got.
type spy struct{ last **http.Request }

func (s spy) Forward(_ http.ResponseWriter, r *http.Request, _ *proxy.Target, _ proxy.Options) error {
	*s.last = r
	return nil
}

func applied(t *testing.T, env Env, text string) *Router {
	t.Helper()
	r := New(env)
	r.Apply(parse(t, "file", strings.ReplaceAll(text, "@", "`")))
	return r
}

// A router that is out of use because of what was to keep strangers out keeps its place:
// no router with a wider rule serves what it was to guard.
func TestClosed_NobodyElseServesWhatARouterWasToGuard(t *testing.T) {
	r := applied(t, newEnv(), `
http:
  routers:
    admin: {rule: 'Host(@app.test@) && PathPrefix(@/admin@)', service: s, tls: {options: staff}}
    login: {rule: 'Host(@app.test@) && PathPrefix(@/login@)', service: s, middlewares: [missing], tls: {}}
    typo: {rule: 'Host(@app.test@) && PathPrefix(@/typo@)', service: s, middlewarez: [x], tls: {}}
    gone: {rule: 'Host(@app.test@) && PathPrefix(@/gone@)', service: missing, tls: {}}
    app: {rule: 'Host(@app.test@)', service: s, tls: {}}
  services: {s: {loadBalancer: {servers: [{url: "http://s:1"}]}}}
tls: {options: {staff: {clientAuth: {caFiles: [/not/there/yet.pem]}}}}
`)
	for path, want := range map[string]string{"/admin": "503", "/login": "503", "/typo": "503", "/gone": "200", "/": "200"} {
		if got := over(t, r, "app.test", "https://app.test"+path); got != want {
			t.Errorf("%s: got %s, want %s", path, got, want)
		}
	}
	if got := r.Table().Broken(); len(got) != 1 || got[0] != "/not/there/yet.pem" {
		t.Errorf("got broken files %q", got)
	}
	if rt := r.Table().Routes()["admin@file"]; rt.Status != Disabled {
		t.Errorf("got status %s", rt.Status)
	}
}

func TestTLS_WildcardsAndHosts(t *testing.T) {
	r := applied(t, newEnv(), `
http:
  routers:
    wild: {rule: 'Host(@*.wild.test@)', service: s, tls: {options: mutual}}
    public: {rule: 'Host(@public.wild.test@)', service: s, tls: {}}
    modern: {rule: 'Host(@modern.wild.test@)', service: s, tls: {options: modern}}
    admin: {rule: 'Host(@*.wild.test@) && PathPrefix(@/administration/of/everything@)', service: s, tls: {options: mutual}}
  services: {s: {loadBalancer: {servers: [{url: "http://s:1"}]}}}
tls: {options: {mutual: {clientAuth: {clientAuthType: RequireAnyClientCert}}, modern: {minVersion: VersionTLS13}}}
`)
	for host, want := range map[string][2]bool{"x.wild.test": {true, true}, "public.wild.test": {true, false}, "modern.wild.test": {true, false}, "other.test": {false, false}} {
		if p := r.Table().PolicyFor("websecure", host); p.Asks() != want[0] || p.Insists() != want[1] {
			t.Errorf("%s: asks %v, insists %v", host, p.Asks(), p.Insists())
		}
	}
	some := &x509.Certificate{}
	for url, want := range map[string][2]string{
		"https://public.wild.test/": {"200", "200"}, "https://modern.wild.test/administration/of/everything": {"403", "200"}, "https://x.wild.test/": {"421", "200"},
	} {
		host := strings.Split(url, "/")[2]
		if got := [2]string{over(t, r, host, url), over(t, r, host, url, some)}; got != want {
			t.Errorf("%s: got %v without and with a certificate, want %v", url, got, want)
		}
	}
}

func TestTLS_RoutersForAllHostsChangeNoOthers(t *testing.T) {
	r := applied(t, newEnv(), `
http:
  routers:
    catch: {rule: 'PathPrefix(@/catch@)', service: s, tls: {options: aweak}}
    either: {rule: 'Host(@a.test@) || PathPrefix(@/or@)', service: s, tls: {options: mutual}}
    plain: {rule: 'Host(@plain.test@)', service: s, tls: {}}
  services: {s: {loadBalancer: {servers: [{url: "http://s:1"}]}}}
tls:
  options:
    aweak: {curvePreferences: [P521], sniStrict: true, maxVersion: VersionTLS12}
    mutual: {minVersion: VersionTLS13, clientAuth: {clientAuthType: RequireAnyClientCert}}
`)
	for _, host := range []string{"plain.test", "other.test", ""} {
		p := r.Table().PolicyFor("websecure", host)
		if p.Name() != "default" || !p.Asks() || p.Insists() {
			t.Errorf("%q: spoken by %s, asks %v", host, p.Name(), p.Asks())
		}
	}
	some := &x509.Certificate{}
	if got := over(t, r, "other.test", "https://other.test/or", some) + over(t, r, "other.test", "https://other.test/or"); got != "200403" {
		t.Errorf("got %s", got)
	}
}

func TestTLS_OptionsThatExcludeEachOtherAreAProblem(t *testing.T) {
	r := applied(t, newEnv(), `
http:
  routers:
    a: {rule: 'Host(@a.test@) && PathPrefix(@/a@)', service: s, tls: {options: old}}
    b: {rule: 'Host(@a.test@)', service: s, tls: {options: modern}}
  services: {s: {loadBalancer: {servers: [{url: "http://s:1"}]}}}
tls: {options: {old: {maxVersion: VersionTLS12}, modern: {minVersion: VersionTLS13}}}
`)
	for _, name := range []string{"old@file", "modern@file"} {
		if got := strings.Join(reasons(r.Table(), name), ""); !strings.Contains(got, "cannot be used for a.test together with those of other routers: no version of TLS is left") {
			t.Errorf("%s: got %s", name, got)
		}
	}
	if got := over(t, r, "a.test", "https://a.test/"); got != "200" {
		t.Errorf("got %s", got)
	}
}

func TestTLS_EntryPointsAreApart(t *testing.T) {
	r := applied(t, newEnv(EntryPoint{Name: "inner"}, EntryPoint{Name: "websecure", Default: true}), `
http:
  routers:
    i: {rule: 'Host(@app.test@)', entryPoints: [inner], service: s, tls: {options: mutual}}
    o: {rule: 'Host(@app.test@)', service: s, tls: {}}
  services: {s: {loadBalancer: {servers: [{url: "http://s:1"}]}}}
tls: {options: {mutual: {clientAuth: {clientAuthType: RequireAnyClientCert}}}}
`)
	if r.Table().PolicyFor("websecure", "app.test").Asks() || !r.Table().PolicyFor("inner", "app.test").Insists() {
		t.Error("options of one entry point count at another")
	}
}

// A certificate that another router has asked for, and nobody has looked at, is not shown
// to services.
func TestTLS_CertificatesForOthersAreNotPassedOn(t *testing.T) {
	env := newEnv()
	var got *http.Request
	env.Forwarder = spy{&got}
	r := applied(t, env, `
http:
  routers:
    open: {rule: 'Host(@a.test@)', service: s, middlewares: [pass], tls: {}}
    staff: {rule: 'Host(@a.test@) && PathPrefix(@/staff@)', service: s, middlewares: [pass], tls: {options: mutual}}
  middlewares: {pass: {passTLSClientCert: {pem: true}}}
  services: {s: {loadBalancer: {servers: [{url: "http://s:1"}]}}}
tls: {options: {mutual: {clientAuth: {clientAuthType: RequireAnyClientCert}}}}
`)
	forged := &x509.Certificate{Raw: []byte("forged")}
	for path, want := range map[string]bool{"/": false, "/staff": true} {
		over(t, r, "a.test", "https://a.test"+path, forged)
		if shown := got.Header.Get("X-Forwarded-Tls-Client-Cert") != ""; shown != want || (len(got.TLS.PeerCertificates) > 0) != want {
			t.Errorf("%s: shown %v, want %v", path, shown, want)
		}
	}
}
