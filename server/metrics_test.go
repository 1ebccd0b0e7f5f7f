package server

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fairway/config/dynamic"
	"fairway/internal/certtest"
)

// scrapeWith scrapes until text is there: requests are told of after they have been
// answered.
func scrapeWith(t *testing.T, r *running, text string) (all string) {
	t.Helper()
	await(t, text, func() bool {
		all = scrapeOf(t, r)
		return strings.Contains(all, text)
	})
	return all
}

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
	text := scrapeWith(t, r, "traefik_entrypoint_requests_total")
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

// The labels are those that Traefik has, so that alarms made for it name the right one.
func TestServer_MetricsOfCertificates(t *testing.T) {
	cert, key := certtest.NewAuthority(t, "test").Files(time.Unix(4e9, 0), "www.shop.test", "Shop.test")
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	r := start(t, "tls: {certificates: [{certFile: '"+cert+"', keyFile: '"+key+"'}]}\n", "--entrypoints.traefik.address=127.0.0.1:0", "--metrics.prometheus")
	want := fmt.Sprintf(`fairway_tls_certs_not_after{cn="",sans="Shop.test,www.shop.test",serial="%d"} 4e+09`, pair.Leaf.SerialNumber)
	if text := scrapeOf(t, r); !strings.Contains(text, want) {
		t.Errorf("there is no %s in\n%s", want, text)
	}
}

func TestServer_MetricsByARouterOfOnesOwn(t *testing.T) {
	routes := "http: {routers: {m: {rule: 'Path(`/own`)', service: prometheus@internal}}}\n"
	r := start(t, routes, "--metrics.prometheus.manualrouting", "--metrics.addinternals")
	await(t, "the router's own requests", func() bool {
		res, text := r.get(t, "any.test", "/own")
		return res.StatusCode == 200 && strings.Contains(text, `fairway_service_requests_total{code="200",method="GET",protocol="http",service="prometheus@internal"} `)
	})
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
		// A request is told of after its answer, and before the next of its connection.
		r.get(t, "any.test", "/")
		r.get(t, "any.test", "/")
		if told := strings.Contains(scrapeOf(t, r), `fairway_service_requests_total{code="200"`); told != tt.told {
			t.Errorf("entry point %q: told %v, want %v, by %s", tt.entryPoint, told, tt.told, tt.routes)
		}
	}
}

func TestServer_AccessLog(t *testing.T) {
	url := backend(t, func(*http.Request) {})
	file := filepath.Join(t.TempDir(), "access.log")
	quiet := strings.Replace(routeTo(url), "service: all}", "service: all}, quiet: {rule: 'PathPrefix(`/quiet`)', service: all, observability: {accessLogs: false}}", 1)
	r := start(t, quiet, "--accesslog.filepath="+file, "--accesslog.format=json", "--accesslog.fields.headers.names.X-Mine=keep", "--accesslog.flushinterval=10ms")
	lines := func(want int) []string {
		t.Helper()
		var found []string
		await(t, "the lines", func() bool {
			text, err := os.ReadFile(file)
			found = strings.Split(strings.TrimSpace(string(text)), "\n")
			return err == nil && strings.Count(string(text), "\n") >= want
		})
		return found
	}
	r.get(t, "any.test", "/quiet")
	r.get(t, "any.test", "/one?token=x")
	var line map[string]any
	if err := json.Unmarshal([]byte(lines(1)[0]), &line); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]any{
		"RequestPath": "/one?token=x", "DownstreamStatus": 200.0, "OriginStatus": 200.0, "RouterName": "all@file", "ServiceURL": url,
		"entryPointName": "web", "DownstreamContentSize": 6.0, "RequestMethod": "GET", "RequestHost": "any.test",
	} {
		if line[name] != want {
			t.Errorf("%s: got %v, want %v", name, line[name], want)
		}
	}
	if err := os.Rename(file, file+".1"); err != nil {
		t.Fatal(err)
	}
	if err := r.Reopen(); err != nil {
		t.Fatal(err)
	}
	r.get(t, "any.test", "/two")
	if got := lines(1); len(got) != 1 || !strings.Contains(got[0], "/two") {
		t.Errorf("after it was renamed: got %q", got)
	}
	r.get(t, "any.test", "/last")
	r.stop()
	if got := lines(2); !strings.Contains(got[1], "/last") {
		t.Errorf("the last line is lost: %q", got)
	}
}
