package dashboard

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/sirupsen/logrus"

	"fairway/config"
	"fairway/config/dynamic"
	"fairway/internal/decode"
	"fairway/proxy"
	"fairway/router"
)

// newAPI makes the API of a gateway with the routes of a YAML document.
func newAPI(t testing.TB, routes string, options ...string) http.Handler {
	t.Helper()
	return newAPIWith(t, routes, func(*Source) {}, options...)
}

func newAPIWith(t testing.TB, routes string, change func(*Source), options ...string) http.Handler {
	t.Helper()
	loaded, err := config.Load(append([]string{"--entrypoints.web.address=:80", "--entrypoints.websecure.address=:443", "--api"}, options...), nil)
	if err != nil {
		t.Fatal(err)
	}
	tree, err := decode.Document([]byte(routes), ".yml")
	if err != nil {
		t.Fatal(err)
	}
	cfg := &dynamic.Configuration{HTTP: &dynamic.HTTP{}}
	for _, fault := range tree.Into(cfg, dynamic.TraefikOption) {
		cfg.Problems = append(cfg.Problems, cfg.Blame(fault))
	}
	log := logrus.New()
	r := router.New(router.Env{
		Log: log, Forwarder: proxy.NewStandard(), Internal: map[string]http.Handler{"api": http.NotFoundHandler()},
		EntryPoints: []router.EntryPoint{{Name: "web", Default: true}, {Name: "websecure", Default: true}, {Name: "traefik"}},
	})
	r.Apply(cfg.Qualified("file"))
	first := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	s := Source{
		Version: "v1", Started: first, Install: loaded.Configuration, Providers: []string{"file"},
		Table: r.Table, Since: func(dynamic.Problem) time.Time { return first },
	}
	change(&s)
	return New(s)
}

func ask(t testing.TB, h http.Handler, method, path string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, path, nil))
	return w
}

// get reads a path into a fresh value.
func get(t *testing.T, h http.Handler, path string) any {
	t.Helper()
	w := ask(t, h, http.MethodGet, path)
	if w.Code != http.StatusOK {
		t.Fatalf("GET %s: %d %s", path, w.Code, w.Body)
	}
	var v any
	if err := json.Unmarshal(w.Body.Bytes(), &v); err != nil {
		t.Fatalf("GET %s: %v in %s", path, err, w.Body)
	}
	return v
}

const sample = `
http:
  routers:
    good: {rule: "Host(` + "`good`" + `)", service: s, middlewares: [strip]}
    bad: {rule: "Host(` + "`bad`" + `)", service: missing}
    typo: {rule: "Host(` + "`typo`" + `)", service: s, entryPoint: web}
    half: {rule: "Host(` + "`half`" + `)", service: s, entryPoints: [web, nowhere], priority: 7}
  services:
    s: {loadBalancer: {servers: [{url: "http://user:hunter2@127.0.0.1:1"}]}}
  middlewares:
    strip: {stripPrefix: {prefixes: [/a]}}
    secrets: {headers: {customRequestHeaders: {Authorization: "hunter2", X-Api-Key: "hunter2", X-Plain: "shown"}}}
    login: {basicAuth: {users: ["me:{SHA}hunter2hunter2hunter2hunter="]}}
`

func TestAPI_ARouterHasTraefiksShape(t *testing.T) {
	h := newAPI(t, sample)
	want := map[string]any{
		"name": "good@file", "provider": "file", "status": "enabled", "rule": "Host(`good`)", "service": "s",
		"entryPoints": []any{"web", "websecure"}, "using": []any{"web", "websecure"}, "middlewares": []any{"strip@file"},
		"priority": 12.0, "priorityStr": "12", "defaults": []any{"entryPoints", "priority"},
	}
	if diff := cmp.Diff(want, get(t, h, "/api/http/routers/good@file")); diff != "" {
		t.Errorf("router (-want +got):\n%s", diff)
	}
}

func TestAPI_ServicesAndMiddlewaresTellWhoUsesThem(t *testing.T) {
	h := newAPI(t, sample)
	service := get(t, h, "/api/http/services/s@file").(map[string]any)
	if diff := cmp.Diff([]any{"bad", "good@file", "half@file", "typo@file"}[1:], service["usedBy"]); diff != "" {
		t.Errorf("usedBy (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]any{"http://user:xxxxx@127.0.0.1:1": "UP"}, service["serverStatus"]); diff != "" {
		t.Errorf("serverStatus (-want +got):\n%s", diff)
	}
	if service["type"] != "loadbalancer" {
		t.Errorf("got type %v", service["type"])
	}
	middleware := get(t, h, "/api/http/middlewares/strip@file").(map[string]any)
	if diff := cmp.Diff([]any{"good@file"}, middleware["usedBy"]); diff != "" || middleware["type"] != "stripprefix" {
		t.Errorf("got type %v, usedBy (-want +got):\n%s", middleware["type"], diff)
	}
}

func TestAPI_Statuses(t *testing.T) {
	h := newAPI(t, sample)
	for name, want := range map[string]string{"good": "enabled", "bad": "disabled", "typo": "disabled", "half": "warning"} {
		router := get(t, h, "/api/http/routers/"+name+"@file").(map[string]any)
		if router["status"] != want {
			t.Errorf("%s: got status %v, want %s", name, router["status"], want)
		}
		if hasErrors := router["error"] != nil; hasErrors != (want != "enabled") {
			t.Errorf("%s: got error %v", name, router["error"])
		}
	}
}

func TestAPI_Lists(t *testing.T) {
	h := newAPI(t, sample)
	names := func(path string) string {
		var all []string
		for _, item := range get(t, h, path).([]any) {
			all = append(all, item.(map[string]any)["name"].(string))
		}
		return strings.Join(all, " ")
	}
	tests := []struct{ name, path, want string }{
		{"all, by name", "/api/http/routers", "bad@file good@file half@file typo@file"},
		{"search in names", "/api/http/routers?search=GOO", "good@file"},
		{"search in rules", "/api/http/routers?search=host(`ty", "typo@file"},
		{"by status", "/api/http/routers?status=disabled", "bad@file typo@file"},
		{"by service", "/api/http/routers?serviceName=s@file", "good@file half@file typo@file"},
		{"by middleware", "/api/http/routers?middlewareName=strip@file", "good@file"},
		{"sorted the other way", "/api/http/routers?sortBy=status&direction=desc", "half@file good@file typo@file bad@file"},
		{"sorted by priority", "/api/http/routers?sortBy=priority", "half@file bad@file good@file typo@file"},
		{"sorted by priority, the highest first", "/api/http/routers?sortBy=priority&direction=desc", "typo@file good@file bad@file half@file"},
		{"sorted by rule", "/api/http/routers?sortBy=rule&direction=desc", "typo@file half@file good@file bad@file"},
		{"sorted by what is not known", "/api/http/routers?sortBy=colour", "bad@file good@file half@file typo@file"},
		{"services by servers", "/api/http/services?sortBy=servers&direction=desc", "s@file api@internal"},
		{"middlewares", "/api/http/middlewares", "login@file secrets@file strip@file"},
		{"services of the gateway too", "/api/http/services", "api@internal s@file"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := names(tt.path); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestAPI_Paging(t *testing.T) {
	var b strings.Builder
	b.WriteString("http:\n  routers:\n")
	for i := range 250 {
		fmt.Fprintf(&b, "    r%03d: {rule: 'PathPrefix(`/%d`)', service: api@internal}\n", i, i)
	}
	h := newAPI(t, b.String())
	tests := []struct {
		query string
		code  int
		items int
		next  string
	}{
		{"", 200, 100, "2"},
		{"?page=3", 200, 50, "1"},
		{"?per_page=1000", 200, 250, "1"},
		{"?page=2&per_page=125", 200, 125, "1"},
		{"?page=4", 400, 0, ""},
		{"?page=0", 400, 0, ""},
		{"?page=x", 400, 0, ""},
		{"?per_page=-1", 400, 0, ""},
		{"?page=9223372036854775807&per_page=9223372036854775807", 400, 0, ""},
	}
	for _, tt := range tests {
		t.Run(tt.query, func(t *testing.T) {
			w := ask(t, h, http.MethodGet, "/api/http/routers"+tt.query)
			if w.Code != tt.code {
				t.Fatalf("got %d %s, want %d", w.Code, w.Body, tt.code)
			}
			if tt.code != 200 {
				return
			}
			var items []any
			if err := json.Unmarshal(w.Body.Bytes(), &items); err != nil {
				t.Fatal(err)
			}
			if len(items) != tt.items || w.Header().Get("X-Next-Page") != tt.next || w.Header().Get("X-Total-Count") != "250" {
				t.Errorf("got %d items, next page %q; want %d, %q", len(items), w.Header().Get("X-Next-Page"), tt.items, tt.next)
			}
		})
	}
}

func TestAPI_Problems(t *testing.T) {
	h := newAPI(t, sample)
	all := get(t, h, "/api/problems").([]any)
	if len(all) != 3 {
		t.Errorf("got %d problems: %v", len(all), all)
	}
	want := map[string]any{
		"severity": "error", "provider": "file", "kind": "router", "name": "typo@file", "line": 6.0, "key": "http.routers.typo.entryPoint",
		"reason": `there is no option "entryPoint" here`, "nearest": "http.routers.typo.entryPoints", "disables": true, "since": "2026-01-02T03:04:05Z",
	}
	if diff := cmp.Diff([]any{want}, get(t, h, "/api/problems?search=typo")); diff != "" {
		t.Errorf("problem (-want +got):\n%s", diff)
	}
}

func TestAPI_ProblemsArePaged(t *testing.T) {
	h := newAPI(t, sample)
	w := ask(t, h, http.MethodGet, "/api/problems?sortBy=severity&per_page=2&page=2")
	var last []struct{ Severity string }
	if err := json.Unmarshal(w.Body.Bytes(), &last); err != nil || len(last) != 1 || last[0].Severity != "warning" || w.Header().Get("X-Total-Count") != "3" || w.Header().Get("X-Next-Page") != "1" {
		t.Errorf("got %v %v %s", err, w.Header(), w.Body)
	}
	if errors := get(t, h, "/api/problems?severity=error").([]any); len(errors) != 2 {
		t.Errorf("errors: got %v", errors)
	}
	if w := ask(t, h, http.MethodGet, "/api/problems?page=3&per_page=2"); w.Code != http.StatusBadRequest {
		t.Errorf("behind the last: got %d", w.Code)
	}
}

func TestAPI_TCPAndUDPHaveTheShapesOfTraefik(t *testing.T) {
	h := newAPI(t, sample)
	for path, what := range map[string]string{"tcp/routers": "router", "tcp/services": "service", "tcp/middlewares": "middleware", "udp/routers": "router", "udp/services": "service"} {
		if list := get(t, h, "/api/"+path).([]any); len(list) != 0 {
			t.Errorf("%s: got %v", path, list)
		}
		if w := ask(t, h, http.MethodGet, "/api/"+path+"/a@file"); w.Code != 404 || w.Body.String() != `{"message":"`+what+" not found: a@file\"}\n" {
			t.Errorf("%s/a@file: got %d %s", path, w.Code, w.Body)
		}
	}
}

func TestAPI_OverviewCountsCertificates(t *testing.T) {
	in := func(days int) *time.Time { return new(time.Now().AddDate(0, 0, days)) }
	h := newAPIWith(t, sample, func(s *Source) {
		s.Certificates = func() []Certificate {
			return []Certificate{{NotAfter: in(60)}, {NotAfter: in(13)}, {NotAfter: in(15)}, {NotAfter: in(-1)}, {Error: "refused"}, {NotAfter: in(60), Error: "refused"}, {Ordering: true}}
		}
	})
	if got := get(t, h, "/api/overview").(map[string]any)["certificates"]; !cmp.Equal(got, map[string]any{"total": 7.0, "warnings": 2.0, "errors": 2.0}) {
		t.Errorf("got %v", got)
	}
}

// TestAPI_RoutersTellWhatIsByDefault, apart from what somebody wrote.
func TestAPI_RoutersTellWhatIsByDefault(t *testing.T) {
	h := newAPI(t, sample)
	for name, want := range map[string]any{"good": []any{"entryPoints", "priority"}, "half": nil} {
		if got := get(t, h, "/api/http/routers/"+name+"@file").(map[string]any)["defaults"]; !cmp.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
}

func TestAPI_OverviewVersionEntryPointsRawdata(t *testing.T) {
	h := newAPI(t, sample)
	overview := get(t, h, "/api/overview").(map[string]any)
	routers := overview["http"].(map[string]any)["routers"]
	if diff := cmp.Diff(map[string]any{"total": 4.0, "warnings": 1.0, "errors": 2.0}, routers); diff != "" {
		t.Errorf("overview (-want +got):\n%s", diff)
	}
	if version := get(t, h, "/api/version").(map[string]any); version["Version"] != "v1" {
		t.Errorf("got version %v", version)
	}
	points := get(t, h, "/api/entrypoints").([]any)
	if len(points) != 2 || points[1].(map[string]any)["name"] != "websecure" || points[1].(map[string]any)["address"] != ":443" {
		t.Errorf("got entry points %v", points)
	}
	if p := get(t, h, "/api/entrypoints/web").(map[string]any); p["address"] != ":80" {
		t.Errorf("got entry point %v", p)
	}
	raw := get(t, h, "/api/rawdata").(map[string]any)
	if len(raw["routers"].(map[string]any)) != 4 || raw["services"].(map[string]any)["s@file"] == nil || raw["middlewares"].(map[string]any)["strip@file"] == nil {
		t.Errorf("got raw data %v", raw)
	}
}

func TestAPI_OnlyReads(t *testing.T) {
	h := newAPI(t, sample)
	for _, path := range []string{"/api/version", "/api/http/routers", "/api/nothing"} {
		for _, method := range []string{"POST", "PUT", "DELETE", "PATCH", "OPTIONS"} {
			if w := ask(t, h, method, path); w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, HEAD" {
				t.Errorf("%s %s: got %d", method, path, w.Code)
			}
		}
	}
	if w := ask(t, h, http.MethodHead, "/api/version"); w.Code != 200 {
		t.Errorf("HEAD: got %d", w.Code)
	}
}

func TestAPI_WhatIsNotThereIs404(t *testing.T) {
	h := newAPI(t, sample)
	for _, path := range []string{"/api/nothing", "/api/http/routers/nobody@file", "/api/entrypoints/nowhere", "/api/http/services/x"} {
		w := ask(t, h, http.MethodGet, path)
		if w.Code != 404 || !strings.Contains(w.Body.String(), `"message"`) {
			t.Errorf("%s: got %d %s", path, w.Code, w.Body)
		}
	}
}

func TestAPI_SecretsNeverLeave(t *testing.T) {
	h := newAPI(t, sample, "--providers.docker.password=hunter2", "--providers.docker.tls.key=hunter2")
	for _, path := range []string{"/api/rawdata", "/api/http/middlewares", "/api/http/services", "/api/http/routers", "/api/problems", "/api/entrypoints", "/api/overview"} {
		if body := ask(t, h, http.MethodGet, path).Body.String(); strings.Contains(body, "hunter2") {
			t.Errorf("%s shows a secret: %s", path, body)
		}
	}
	if body := ask(t, h, http.MethodGet, "/api/http/middlewares/secrets@file").Body.String(); !strings.Contains(body, "shown") {
		t.Errorf("a plain header is hidden too: %s", body)
	}
}

func TestAPI_BasePath(t *testing.T) {
	h := newAPI(t, sample, "--api.basepath=/gateway/")
	if w := ask(t, h, http.MethodGet, "/gateway/api/version"); w.Code != 200 {
		t.Errorf("below the base path: got %d", w.Code)
	}
	if w := ask(t, h, http.MethodGet, "/api/version"); w.Code != 404 {
		t.Errorf("at the old path: got %d, want 404", w.Code)
	}
}

func TestPage(t *testing.T) {
	for base, options := range map[string][]string{"": nil, "/gateway": {"--api.basepath=/gateway"}} {
		h := newAPI(t, sample, options...)
		for _, path := range []string{"/", "/dashboard"} {
			if w := ask(t, h, http.MethodGet, base+path); w.Code != 302 || w.Header().Get("Location") != base+"/dashboard/" {
				t.Errorf("%s: got %d to %q", base+path, w.Code, w.Header().Get("Location"))
			}
		}
		w := ask(t, h, http.MethodGet, base+"/dashboard/")
		if w.Code != 200 || !strings.Contains(w.Body.String(), `src="app.js"`) || !strings.Contains(w.Header().Get("Content-Security-Policy"), "default-src 'none'") {
			t.Errorf("got %d %s", w.Code, w.Body)
		}
		if w := ask(t, h, http.MethodGet, base+"/dashboard/lib/preact.js"); w.Code != 200 || w.Header().Get("Content-Type") != "text/javascript; charset=utf-8" {
			t.Errorf("got %d %v", w.Code, w.Header())
		}
		for _, path := range []string{"/dashboard/../api.go", "/dashboard/page.go", "/dashboard/lib/README.md", "/dashboard/lib/"} {
			if w := ask(t, h, http.MethodGet, base+path); w.Code == 200 {
				t.Errorf("%s: got %s", path, w.Body)
			}
		}
	}
	if w := ask(t, newAPI(t, sample, "--api.dashboard=false"), http.MethodGet, "/dashboard/"); w.Code != 404 {
		t.Errorf("turned off: got %d, want 404", w.Code)
	}
}
