//go:build e2e

package test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// canary is a secret. It must be seen nowhere.
const canary = "canary-7f3a"

// secretRoutes have it wherever options take a secret, or a text that may have one in it.
const secretRoutes = `http:
  routers:
    a: {rule: 'Host("a.test")', service: s, entryPoints: [web], middlewares: [basic, digest, headers, forward, regex]}
    b: {rule: 'Host("b.test")', service: w, entryPoints: [secure], tls: {certResolver: le}}
  services:
    s: {loadBalancer: {servers: [{url: 'http://u:CANARY@127.0.0.1:1'}], healthCheck: {path: '/health?key=CANARY', headers: {X-Auth: CANARY}}}}
    w: {weighted: {services: [{name: s, weight: 2}]}}
  middlewares:
    basic: {basicAuth: {users: ['ann:CANARY']}}
    digest: {digestAuth: {users: ['ann:traefik:CANARY']}}
    headers: {headers: {customRequestHeaders: {Authorization: 'Bearer CANARY', X-Api-Key: CANARY, X-Auth: CANARY, X-Access-Key: CANARY, CF-Access-Client-Id: CANARY, CF-Access-Client-Secret: CANARY}, customResponseHeaders: {Set-Cookie: CANARY}}}
    forward: {forwardAuth: {address: 'http://u:CANARY@127.0.0.1:1/auth?token=CANARY', authSigninURL: 'https://u:CANARY@127.0.0.1/?t=CANARY', tls: {cert: shown, key: CANARY}}}
    regex: {redirectRegex: {regex: '^http://b/(.*)', replacement: 'https://u:CANARY@b/${1}?key=CANARY'}}
  serversTransports: {t: {certificates: [{certFile: shown, keyFile: CANARY}]}}
tls:
  certificates: [{certFile: /nowhere, keyFile: CANARY}]
`

// secretOptions are those of the install configuration. Nobody is at the addresses, so that
// the log has the failures.
func secretOptions(dir string) []string {
	var options []string
	for _, option := range []string{
		"--providers.docker.endpoint=tcp://u:CANARY@127.0.0.1:1", "--providers.docker.password=CANARY", "--providers.docker.username=ann",
		"--certificatesresolvers.le.acme.eab.kid=k", "--certificatesresolvers.le.acme.eab.hmacencoded=CANARY", "--certificatesresolvers.le.acme.storage=" + filepath.Join(dir, "acme.json"),
		"--certificatesresolvers.le.acme.tlschallenge", "--certificatesresolvers.le.acme.caserver=https://u:CANARY@127.0.0.1:1/directory?key=CANARY",
		"--entrypoints.secure.address=127.0.0.1:0",
		"--tracing.otlp.http.endpoint=http://u:CANARY@127.0.0.1:1/v1/traces?key=CANARY", "--tracing.otlp.http.headers.Authorization=CANARY",
		"--metrics.otlp.http.endpoint=http://u:CANARY@127.0.0.1:1/v1/metrics?key=CANARY", "--metrics.otlp.http.headers.X-Any=CANARY", "--metrics.otlp.pushinterval=100ms",
		"--log.otlp.http.endpoint=http://u:CANARY@127.0.0.1:1/v1/logs?key=CANARY", "--log.level=DEBUG",
	} {
		options = append(options, strings.ReplaceAll(option, "CANARY", canary))
	}
	return options
}

// answers are what the API says at its paths.
func (f *fairway) answers(t *testing.T, paths ...string) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, path := range paths {
		res, err := http.Get("http://" + f.address("traefik") + "/api/" + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if err != nil || res.StatusCode != 200 {
			t.Errorf("%s: %d %v", path, res.StatusCode, err)
		}
		all[path] = string(body)
	}
	return all
}

// events is a piece of the stream.
func (f *fairway) events(t *testing.T) string {
	t.Helper()
	ctx, end := context.WithTimeout(t.Context(), 3*time.Second)
	defer end()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+f.address("traefik")+"/api/events?requests=1", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	f.get("a.test", "/?token="+canary)
	text, _ := io.ReadAll(res.Body) // until the time is over
	if !strings.Contains(string(text), "a.test") {
		t.Errorf("the stream has no request: %s", text)
	}
	return string(text)
}

// TestDashboard_KeepsSecrets puts a secret wherever options take one, and looks for it in all
// that the API answers, in the log and on the page.
func TestDashboard_KeepsSecrets(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "routes.yml"), []byte(strings.ReplaceAll(secretRoutes, "CANARY", canary)), 0o644); err != nil {
		t.Fatal(err)
	}
	f := startFairway(t, append(secretOptions(t.TempDir()), "--providers.file.directory="+dir)...)
	f.await("the routes", func() bool { return f.get("a.test", "/").status != 404 })
	f.problem("cannot be followed")
	f.await("the authority to fail", func() bool { return strings.Contains(f.text(), "/directory") })
	f.await("the metrics to fail", func() bool { return strings.Contains(f.text(), "/v1/metrics") })
	all := f.answers(t, "rawdata", "overview", "entrypoints", "entrypoints/web", "http/routers", "http/routers/a@file", "http/services", "http/services/s@file",
		"http/services/w@file", "http/middlewares", "http/middlewares/basic@file", "http/middlewares/headers@file", "http/middlewares/forward@file", "http/middlewares/regex@file",
		"problems", "certificates", "changes", "install", "providers", "version")
	var explained any
	f.api("/api/explain?"+url.Values{"url": {"http://a.test/"}, "entryPoint": {"web"}}.Encode(), &explained)
	text, _ := json.Marshal(explained)
	all["explain"], all["events"] = string(text), f.events(t)
	b := newChromium(t, "http://"+f.address("traefik"))
	for _, page := range []string{"#/", "#/live", "#/certificates", "#/configuration", "#/middlewares/headers%40file", "#/middlewares/basic%40file", "#/middlewares/forward%40file", "#/middlewares/regex%40file", "#/services/s%40file", "#/routers/a%40file", "#/problems", "#/explain?url=http%3A%2F%2Fa.test%2F"} {
		b.open(f.page(page))
		all["the page "+page] = b.text()
	}
	all["the log"] = f.text()
	for where, text := range all {
		if at := strings.Index(text, canary); at >= 0 {
			t.Errorf("%s shows it: …%s…", where, text[max(at-80, 0):at+len(canary)])
		}
	}
}

// TestDashboard_AnEngineThatCannotBeFollowedIsDown, for the API, the page and the metrics,
// though the provider tries again by itself.
func TestDashboard_AnEngineThatCannotBeFollowedIsDown(t *testing.T) {
	f := startFairway(t, "--providers.docker.endpoint=tcp://127.0.0.1:1", "--metrics.prometheus")
	f.problem("cannot be followed")
	var states []struct {
		Name, Error string
		Up          bool
	}
	f.api("/api/providers", &states)
	if len(states) != 1 || states[0].Up || !strings.Contains(states[0].Error, "tcp://127.0.0.1:1: the engine cannot be followed") {
		t.Errorf("got %+v", states)
	}
	a, err := ask(fresh, "http://"+f.address("traefik")+"/metrics", "")
	if err != nil || !strings.Contains(a.text, `provider_up{provider="docker"} 0`) {
		t.Errorf("metrics: %v %s", err, a.text)
	}
	b := newChromium(t, "http://"+f.address("traefik"))
	b.open(f.page(""))
	b.await("it to be said", `[...document.querySelectorAll(".rows li")].some((e) => e.innerText.includes("docker") && e.innerText.includes("down") && e.innerText.includes("cannot be followed"))`)
	b.shot("engine-away")
	b.checkQuiet()
}
