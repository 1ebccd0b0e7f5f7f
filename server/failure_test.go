package server

import (
	"net"
	"net/http"
	"strings"
	"testing"
)

// nobody is the URL of a server that does not listen.
func nobody(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return "http://" + l.Addr().String()
}

func TestServer_ProxyStatus(t *testing.T) {
	url := nobody(t)
	for option, want := range map[string]string{"true": "fairway; error=connection_refused", "false": ""} {
		ways(t, routeTo(url), []string{"--entrypoints.web.http.proxystatus=" + option}, func(t *testing.T, _ *running, client *http.Client) {
			res, _ := fetch(t, client, ask(t, "GET", "/", nil))
			if got := res.Header.Get("Proxy-Status"); res.StatusCode != http.StatusBadGateway || got != want {
				t.Errorf("proxyStatus %s: got %d, %q, want %q", option, res.StatusCode, got, want)
			}
		})
	}
}

func TestServer_ErrorPages(t *testing.T) {
	pages := backend(t, func(*http.Request) {})
	routes := `
http:
  routers: {down: {rule: 'Host("down.test")', service: down}}
  middlewares: {pages: {errors: {status: ["404", "502"], service: pages}}}
  services:
    down: {loadBalancer: {servers: [{url: "` + nobody(t) + `"}]}}
    pages: {loadBalancer: {servers: [{url: "` + pages + `"}]}}
`
	r := start(t, strings.ReplaceAll(routes, `("down.test")`, "(`down.test`)"), "--errorpages=pages@file")
	for host, want := range map[string]int{"down.test": 502, "nowhere.test": 404} {
		if res, body := r.get(t, host, "/"); res.StatusCode != want || body != "answer" {
			t.Errorf("%s: got %d %q", host, res.StatusCode, body)
		}
	}
}

func TestServer_DeprecatedOptionsAreLoggedAsWarnings(t *testing.T) {
	r := start(t, "http: {middlewares: {m: {stripPrefix: {prefixes: [/a], forceSlash: true}}}}")
	if text := r.log.String(); !strings.Contains(text, "level=warning") || !strings.Contains(text, "forceSlash: is deprecated: it has no effect") {
		t.Errorf("the log has:\n%s", text)
	}
}
