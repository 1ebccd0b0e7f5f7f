package server

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"fairway/config/dynamic"
)

// scrapeOf reads /metrics of an entry point.
func scrapeOf(t *testing.T, r *running) string {
	t.Helper()
	res, err := http.Get("http://" + r.Addresses()["traefik"] + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestServer_Metrics(t *testing.T) {
	url := backend(t, func(*http.Request) {})
	r := start(t, routeTo(url)+"  middlewares: {bad: {}}\n", "--entrypoints.traefik.address=127.0.0.1:0", "--metrics.prometheus.addrouterslabels", "--metrics.prometheus.prefix=traefik", "--ping")
	r.get(t, "any.test", "/")
	scrapeOf(t, r)
	text := scrapeOf(t, r)
	for _, want := range []string{
		`traefik_entrypoint_requests_total{code="200",entrypoint="web",method="GET",protocol="http"} 1`,
		`traefik_router_requests_total{code="200",method="GET",protocol="http",router="all@file",service="all@file"} 1`,
		`traefik_service_server_up{service="all@file",url="` + url + `"} 1`,
		`traefik_config_problems{severity="error"} 1`,
		`traefik_open_connections{entrypoint="traefik",protocol="TCP"}`,
		"traefik_config_reloads_total ",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("there is no %s in:\n%s", want, text)
		}
	}
	if strings.Contains(text, `@internal`) {
		t.Error("requests to fairway's own services are counted")
	}
	r.apply(&dynamic.Configuration{HTTP: &dynamic.HTTP{}})
	if text := scrapeOf(t, r); strings.Contains(text, "all@file") {
		t.Errorf("what is gone is still there:\n%s", text)
	}
}

func TestServer_MetricsByARouterOfOnesOwn(t *testing.T) {
	routes := "http: {routers: {m: {rule: 'Path(`/own`)', service: prometheus@internal}}}\n"
	r := start(t, routes, "--metrics.prometheus.manualrouting", "--metrics.addinternals")
	r.get(t, "any.test", "/own")
	if res, text := r.get(t, "any.test", "/own"); res.StatusCode != 200 || !strings.Contains(text, `fairway_service_requests_total{code="200",method="GET",protocol="http",service="prometheus@internal"} 1`) {
		t.Errorf("got %d\n%s", res.StatusCode, text)
	}
	off := start(t, routes)
	if res, _ := off.get(t, "any.test", "/own"); res.StatusCode != 404 {
		t.Errorf("turned off: got %d", res.StatusCode)
	}
}

func TestServer_WhoIsTold(t *testing.T) {
	url := backend(t, func(*http.Request) {})
	quiet := strings.Replace(routeTo(url), "service: all}", "service: all, observability: {metrics: false}}", 1)
	loud := strings.Replace(routeTo(url), "service: all}", "service: all, observability: {metrics: true}}", 1)
	for _, tt := range []struct {
		routes, entryPoint string
		told               bool
	}{{routeTo(url), "", true}, {quiet, "", false}, {routeTo(url), "false", false}, {loud, "false", true}, {quiet, "true", false}} {
		options := []string{"--entrypoints.traefik.address=127.0.0.1:0", "--metrics.prometheus"}
		if tt.entryPoint != "" {
			options = append(options, "--entrypoints.web.observability.metrics="+tt.entryPoint)
		}
		r := start(t, tt.routes, options...)
		r.get(t, "any.test", "/")
		if told := strings.Contains(scrapeOf(t, r), `fairway_service_requests_total{code="200"`); told != tt.told {
			t.Errorf("entry point %q: told %v, want %v, by %s", tt.entryPoint, told, tt.told, tt.routes)
		}
	}
}
