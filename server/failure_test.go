package server

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
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

// Cookies of a server are sent on as they came, unless a middleware is about them.
func TestServer_CookiesOfServersCanBeTakenAway(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Set-Cookie"] = []string{"a=1", "b=2"}
	}))
	t.Cleanup(s.Close)
	for value, want := range map[string]string{"": "[]", "mine=1": "[mine=1]"} {
		routes := strings.Replace(routeTo(s.URL), "service: all}", "service: all, middlewares: [m]}", 1) +
			"  middlewares: {m: {headers: {customResponseHeaders: {set-cookie: '" + value + "'}}}}\n"
		ways(t, routes, nil, func(t *testing.T, _ *running, client *http.Client) {
			res, _ := fetch(t, client, ask(t, "GET", "/", nil))
			if got := fmt.Sprint(res.Header["Set-Cookie"]); got != want {
				t.Errorf("set to %q: got %s, want %s", value, got, want)
			}
		})
	}
}
