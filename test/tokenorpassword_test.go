//go:build e2e

package test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestMiddlewares_ATokenOrAPasswordOnOneRoute(t *testing.T) {
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Seen", r.Header.Get("X-User")+" by "+r.Header.Get("X-Method"))
	}))
	t.Cleanup(backend.Close)
	file := filepath.Join(t.TempDir(), "routes.yml")
	if err := os.WriteFile(file, []byte(`http:
  services: {s: {loadBalancer: {servers: [{url: '`+backend.URL+`'}]}}}
  routers: {api: {rule: 'Host("api.test")', service: s, middlewares: [token, password, known]}}
  middlewares:
    token: {jwt: {issuer: 'https://id.example', audiences: [shop], secret: `+hsSecret+`, optional: true}}
    password: {basicAuth: {users: ['ann:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ='], optional: true}}
    known: {acl: {forwardHeaders: {X-User: subject, X-Method: method}}}
`), 0o600); err != nil {
		t.Fatal(err)
	}
	f := startFairway(t, "--providers.file.filename="+file)
	f.await("the route", func() bool { return f.get("api.test", "/").status == 403 })
	token := strings.TrimPrefix(hsToken, "Authorization: ")
	for _, tt := range []struct {
		name, authorization string
		status              int
		seen                string
	}{
		{"a token", token, 200, "17 by jwt"},
		{"a password", "Basic YW5uOnNlY3JldA==", 200, "ann by basicAuth"},
		{"a bad token", token + "x", 401, ""},
		{"a wrong password", "Basic YW5uOndyb25n", 401, ""},
		{"something else", "Digest x", 403, ""},
		{"nothing", "", 403, ""},
	} {
		req, err := http.NewRequest(http.MethodGet, "http://"+f.address("web")+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = "api.test"
		if tt.authorization != "" {
			req.Header.Set("Authorization", tt.authorization)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != tt.status || res.Header.Get("X-Seen") != tt.seen {
			t.Errorf("%s: got %d %q, want %d %q", tt.name, res.StatusCode, res.Header.Get("X-Seen"), tt.status, tt.seen)
		}
	}
}
