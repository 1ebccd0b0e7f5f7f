package metrics

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"fairway/internal/record"
	"fairway/telemetry"
)

func build(tb testing.TB, state State, change func(*Config)) *Metrics {
	tb.Helper()
	c := &Config{}
	c.SetDefaults()
	change(c)
	m, err := c.New(state)
	if err != nil {
		tb.Fatal(err)
	}
	return m
}

func exchange(status int, change func(*telemetry.Exchange)) *telemetry.Exchange {
	e := &telemetry.Exchange{
		Record: &record.Record{EntryPoint: "web", Router: "shop@docker", Service: "shop-svc@docker", Leaf: "shop-svc@docker"}, Request: httptest.NewRequest("GET", "/", nil),
		Duration: 200 * time.Millisecond, Status: status, Received: 3, Written: 5,
	}
	change(e)
	return e
}

// scrape returns the lines that begin with one of the words.
func scrape(tb testing.TB, m *Metrics, words ...string) string {
	tb.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	var kept []string
	for line := range strings.Lines(w.Body.String()) {
		for _, word := range words {
			if strings.HasPrefix(line, word) {
				kept = append(kept, strings.TrimSpace(line))
			}
		}
	}
	slices.Sort(kept)
	return strings.Join(kept, "\n")
}

func TestMetrics_CountExchanges(t *testing.T) {
	m := build(t, State{}, func(c *Config) { c.AddRoutersLabels = true })
	m.Observe(exchange(200, func(*telemetry.Exchange) {}))
	m.Observe(exchange(200, func(e *telemetry.Exchange) {
		e.Request.TLS = &tls.ConnectionState{Version: tls.VersionTLS13, CipherSuite: tls.TLS_AES_128_GCM_SHA256}
		e.Record.Attempts = 3
	}))
	m.Observe(exchange(404, func(e *telemetry.Exchange) {
		e.Record.Router, e.Record.Service, e.Record.Leaf, e.Request.Method = "", "", "", "MAKE-UP"
		e.Request.Header.Set("Upgrade", "websocket")
	}))
	want := `fairway_entrypoint_request_duration_seconds_bucket{code="200",entrypoint="web",method="GET",protocol="http",le="0.1"} 0
fairway_entrypoint_request_duration_seconds_bucket{code="200",entrypoint="web",method="GET",protocol="http",le="0.3"} 2
fairway_entrypoint_requests_total{code="200",entrypoint="web",method="GET",protocol="http"} 2
fairway_entrypoint_requests_total{code="404",entrypoint="web",method="EXTENSION_METHOD",protocol="websocket"} 1
fairway_router_requests_total{code="200",method="GET",protocol="http",router="shop@docker",service="shop-svc@docker"} 2
fairway_router_responses_bytes_total{code="200",method="GET",protocol="http",router="shop@docker",service="shop-svc@docker"} 10
fairway_service_requests_bytes_total{code="200",method="GET",protocol="http",service="shop-svc@docker"} 6
fairway_service_requests_tls_total{service="shop-svc@docker",tls_cipher="TLS_AES_128_GCM_SHA256",tls_version="1.3"} 1
fairway_service_requests_total{code="200",method="GET",protocol="http",service="shop-svc@docker"} 2
fairway_service_retries_total{service="shop-svc@docker"} 2`
	got := scrape(t, m, "fairway_entrypoint_requests_total", `fairway_entrypoint_request_duration_seconds_bucket{code="200",entrypoint="web",method="GET",protocol="http",le="0.1"`,
		`fairway_entrypoint_request_duration_seconds_bucket{code="200",entrypoint="web",method="GET",protocol="http",le="0.3"`,
		"fairway_router_requests_total", "fairway_router_responses", "fairway_service_requests", "fairway_service_retries")
	if got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestProtocol_IsInListsOfAnyCase(t *testing.T) {
	for want, headers := range map[string][]http.Header{
		"http":      {{}, {"Accept": {"*/*"}}, {"Accept": {"text/event-streams"}}, {"Upgrade": {"h2c"}}, {"Accept": {"application/x; a=text/event-stream"}}},
		"websocket": {{"Upgrade": {"websocket"}}, {"Upgrade": {"WebSocket"}}, {"Upgrade": {"h2c, websocket"}}, {"Upgrade": {"h2c", "websocket"}}},
		"sse":       {{"Accept": {"text/event-stream"}}, {"Accept": {"application/json, Text/Event-Stream;q=0.5"}}},
	} {
		for _, h := range headers {
			if got := protocols[protocolIndex(&http.Request{Header: h})]; got != want {
				t.Errorf("%v: got %s, want %s", h, got, want)
			}
		}
	}
}

func TestMetrics_NamesOfTraefik(t *testing.T) {
	m := build(t, everything(), func(c *Config) { c.Prefix, c.AddRoutersLabels = "traefik", true })
	m.Observe(exchange(200, func(e *telemetry.Exchange) { e.Request.TLS, e.Record.Attempts = &tls.ConnectionState{}, 2 }))
	m.Reloaded(time.Unix(1e9, 0), time.Second)
	for _, name := range []string{
		"traefik_config_reloads_total", "traefik_config_last_reload_success", "traefik_open_connections{entrypoint=", "traefik_tls_certs_not_after{cn=",
		"traefik_entrypoint_requests_total{", "traefik_entrypoint_requests_tls_total{", "traefik_entrypoint_request_duration_seconds_bucket{",
		"traefik_entrypoint_requests_bytes_total{", "traefik_entrypoint_responses_bytes_total{",
		"traefik_router_requests_total{", "traefik_router_requests_tls_total{", "traefik_router_request_duration_seconds_count{",
		"traefik_router_requests_bytes_total{", "traefik_router_responses_bytes_total{",
		"traefik_service_requests_total{", "traefik_service_requests_tls_total{", "traefik_service_request_duration_seconds_sum{",
		"traefik_service_requests_bytes_total{", "traefik_service_responses_bytes_total{",
		"traefik_service_retries_total{service=", "traefik_service_server_up{service=", "go_goroutines", "process_cpu_seconds_total",
	} {
		if scrape(t, m, name) == "" {
			t.Errorf("there is no %s", name)
		}
	}
}

// everything is a gateway that has one of each.
func everything() State {
	return State{
		Connections: func() map[[2]string]int { return map[[2]string]int{{"web", "TCP"}: 2} },
		Servers: func(tell func(string, string, bool)) {
			tell("a@file", "http://a", true)
			tell("b@file", "http://b", false)
		},
		Certificates: func(tell func(string, string, string, time.Time)) {
			tell("a.test", "1f", "a.test,b.test", time.Unix(2e9, 0))
		},
		Problems:   func() map[string]int { return map[string]int{"error": 1} },
		Objects:    func() map[string]int { return map[string]int{"router": 3} },
		LogDropped: func() uint64 { return 7 }, OwnLogDropped: func() uint64 { return 8 },
		Decisions:  func(tell func(string, string, uint64, uint64)) { tell("rateLimit", "slow@docker", 5, 2) },
		Scripts:    func(tell func(string, string, uint64)) { tell("lua", "edit@docker", 3) },
		Circuits:   func(tell func(string, string, string)) { tell("cut@docker", "a@docker", "open") },
		Violations: func(tell func(string, string, uint64, uint64)) { tell("check@docker", "request", 9, 4) },
		Caches:     func(tell func(string, Cache)) { tell("pages@docker", cached{}) },
		Providers: func(tell func(string, uint64, time.Time, bool)) {
			tell("docker", 3, time.Unix(2e9, 0), true)
			tell("file", 0, time.Time{}, false)
		},
		Refused:      func(tell func(string, int, uint64)) { tell("web", 431, 6) },
		FailedPushes: func() map[string]uint64 { return map[string]uint64{"otlp": 2} },
		Lost:         func() map[string]uint64 { return map[string]uint64{"spans": 3} },
	}
}

// cached is a cache.
type cached struct{}

func (cached) EachAnswer(tell func(string, uint64)) { tell("hit", 9); tell("miss", 4) }
func (cached) Stored() (int, int64)                 { return 4, 4096 }

func TestMetrics_StateOfTheGateway(t *testing.T) {
	m := build(t, everything(), func(*Config) {})
	want := `fairway_accesslog_dropped_lines_total 7
fairway_cache_bytes{middleware="pages@docker"} 4096
fairway_cache_entries{middleware="pages@docker"} 4
fairway_cache_requests_total{middleware="pages@docker",status="hit"} 9
fairway_cache_requests_total{middleware="pages@docker",status="miss"} 4
fairway_circuit_breaker_state{middleware="cut@docker",service="a@docker",state="closed"} 0
fairway_circuit_breaker_state{middleware="cut@docker",service="a@docker",state="open"} 1
fairway_circuit_breaker_state{middleware="cut@docker",service="a@docker",state="recovering"} 0
fairway_config_objects{kind="router"} 3
fairway_config_problems{severity="error"} 1
fairway_entrypoint_refused_total{entrypoint="web",status="431"} 6
fairway_limit_decisions_total{decision="passed",kind="rateLimit",middleware="slow@docker"} 5
fairway_limit_decisions_total{decision="refused",kind="rateLimit",middleware="slow@docker"} 2
fairway_log_dropped_lines_total 8
fairway_metrics_failed_pushes_total{to="otlp"} 2
fairway_open_connections{entrypoint="web",protocol="TCP"} 2
fairway_provider_last_update_seconds{provider="docker"} 2e+09
fairway_provider_last_update_seconds{provider="file"} 0
fairway_provider_updates_total{provider="docker"} 3
fairway_provider_updates_total{provider="file"} 0
fairway_provider_up{provider="docker"} 1
fairway_provider_up{provider="file"} 0
fairway_script_errors_total{kind="lua",middleware="edit@docker"} 3
fairway_service_server_up{service="a@file",url="http://a"} 1
fairway_service_server_up{service="b@file",url="http://b"} 0
fairway_telemetry_lost_total{kind="spans"} 3
fairway_tls_certs_not_after{cn="a.test",sans="a.test,b.test",serial="1f"} 2e+09
fairway_validation_checked_total{direction="request",middleware="check@docker"} 9
fairway_validation_violations_total{direction="request",middleware="check@docker"} 4`
	if got := scrape(t, m, "fairway_entrypoint_refused", "fairway_metrics", "fairway_log_", "fairway_telemetry", "fairway_accesslog", "fairway_config_objects", "fairway_config_problems", "fairway_open", "fairway_service_server", "fairway_tls_certs", "fairway_limit", "fairway_cache", "fairway_circuit", "fairway_validation", "fairway_provider", "fairway_script"); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestMetrics_AreWellFormed(t *testing.T) {
	for _, prefix := range []string{"fairway", "traefik"} {
		for _, headers := range []map[string]string{nil, {"tenant": "X-Tenant", "agent": "User-Agent"}} {
			m := build(t, everything(), func(c *Config) { c.AddRoutersLabels, c.Prefix, c.HeaderLabels = true, prefix, headers })
			m.Observe(exchange(200, func(e *telemetry.Exchange) {
				e.Request.TLS, e.Record.Attempts = &tls.ConnectionState{}, 2
				e.Request.Header.Set("X-Tenant", "a")
			}))
			problems, err := testutil.GatherAndLint(m)
			if err != nil {
				t.Fatal(err)
			}
			problems = slices.DeleteFunc(problems, func(p promlint.Problem) bool { return !strings.HasPrefix(p.Metric, prefix+"_") })
			if len(problems) > 0 {
				t.Errorf("%s, %v: got %v", prefix, headers, problems)
			}
			if got := scrape(t, m, prefix+"_router_requests_total"); headers != nil && !strings.Contains(got, `tenant="a"`) {
				t.Errorf("got %s", got)
			}
		}
	}
}

func TestMetrics_SeriesOfWhatIsGoneGo(t *testing.T) {
	m := build(t, State{}, func(c *Config) { c.AddRoutersLabels = true })
	m.Observe(exchange(200, func(*telemetry.Exchange) {}))
	m.Observe(exchange(200, func(e *telemetry.Exchange) {
		e.Record.Router, e.Record.Service, e.Record.Leaf = "stays@docker", "stays@docker", "stays@docker"
	}))
	m.Keep(func(name, _ string) bool { return name == "stays@docker" }, func(name string) bool { return name == "stays@docker" })
	if got := scrape(t, m, "fairway_router", "fairway_service"); strings.Contains(got, "shop") || !strings.Contains(got, "stays@docker") {
		t.Errorf("got:\n%s", got)
	}
	m.Keep(func(string, string) bool { return true }, func(string) bool { return true })
	m.Observe(exchange(200, func(*telemetry.Exchange) {})) // it comes back
	if got := scrape(t, m, "fairway_router_requests_total"); !strings.Contains(got, "shop@docker") {
		t.Errorf("got:\n%s", got)
	}
}

// A long request ends after its router is gone.
func TestMetrics_WhatIsGoneDoesNotComeBack(t *testing.T) {
	m := build(t, State{}, func(c *Config) { c.AddRoutersLabels = true })
	there := false
	m.Keep(func(string, string) bool { return there }, func(string) bool { return there })
	m.Observe(exchange(200, func(e *telemetry.Exchange) { e.Record.Attempts = 2 }))
	if got := scrape(t, m, "fairway_router", "fairway_service"); got != "" {
		t.Errorf("got:\n%s", got)
	}
	there = true
	m.Observe(exchange(200, func(e *telemetry.Exchange) { e.Record.Attempts = 2 }))
	if got := scrape(t, m, "fairway_router_requests_total", "fairway_service_retries_total"); strings.Count(got, "\n") != 1 {
		t.Errorf("it is there again: got:\n%s", got)
	}
}

// Clients choose values and, together with them, statuses and methods.
func TestMetrics_HeaderLabelsAreBounded(t *testing.T) {
	m := build(t, State{}, func(c *Config) { c.HeaderLabels = map[string]string{"tenant": "x-tenant"} })
	const sent = mostHeaderSeries/2 + 50
	for i := range sent {
		for _, status := range []int{200, 404} {
			m.Observe(exchange(status, func(e *telemetry.Exchange) { e.Request.Header.Set("X-Tenant", fmt.Sprint(i)) }))
		}
	}
	m.Observe(exchange(200, func(e *telemetry.Exchange) { e.Request.Header.Set("X-Tenant", "\xff") }))
	got := scrape(t, m, "fairway_service_requests_total")
	if n := strings.Count(got, "\n") + 1; n != mostHeaderSeries+2 || strings.Count(got, `tenant="other"} 5`) != 2 {
		t.Errorf("got %d series", n)
	}
}

func TestMetrics_HeaderLabelsOfWhatIsGoneMakeRoom(t *testing.T) {
	m := build(t, State{}, func(c *Config) { c.HeaderLabels = map[string]string{"tenant": "x-tenant"} })
	for i := range mostHeaderSeries {
		m.Observe(exchange(200, func(e *telemetry.Exchange) { e.Request.Header.Set("X-Tenant", fmt.Sprint(i)) }))
	}
	m.Keep(func(string, string) bool { return false }, func(name string) bool { return name == "new@docker" })
	m.Observe(exchange(200, func(e *telemetry.Exchange) {
		e.Record.Leaf = "new@docker"
		e.Request.Header.Set("X-Tenant", "fresh")
	}))
	if got := scrape(t, m, "fairway_service_requests_total"); got != `fairway_service_requests_total{code="200",method="GET",protocol="http",service="new@docker",tenant="fresh"} 1` {
		t.Errorf("got:\n%.500s", got)
	}
}

// A value is a part of the head of a request, of up to a megabyte.
func TestMetrics_HeaderLabelsKeepNoRequest(t *testing.T) {
	m := build(t, State{}, func(c *Config) { c.HeaderLabels = map[string]string{"tenant": "x-tenant"} })
	before := heap()
	for i := range 100 {
		head := strings.Repeat("x", 1<<20) + fmt.Sprint(i)
		m.Observe(exchange(200, func(e *telemetry.Exchange) { e.Request.Header.Set("X-Tenant", head[1<<20:]) }))
	}
	if held := heap() - before; held > 10<<20 && held < 1<<60 {
		t.Errorf("%d MiB are held", held>>20)
	}
	runtime.KeepAlive(m)
}

func TestNew_Mistakes(t *testing.T) {
	for want, change := range map[string]func(*Config){
		`prefix: "other" is neither fairway nor traefik`:                    func(c *Config) { c.Prefix = "other" },
		"buckets: they have to be numbers, each higher than the one before": func(c *Config) { c.Buckets = []float64{0.1, 0.1} },
		`headerLabels: "no name" is no name of a header`:                    func(c *Config) { c.HeaderLabels = map[string]string{"a": "no name"} },
	} {
		c := &Config{}
		c.SetDefaults()
		change(c)
		if _, err := c.New(State{}); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func BenchmarkObserve(b *testing.B) {
	m := build(b, State{}, func(c *Config) { c.AddRoutersLabels = true })
	e := exchange(200, func(*telemetry.Exchange) {})
	b.ReportAllocs()
	for b.Loop() {
		m.Observe(e)
	}
}

func TestAll_ListsWhatThereIs(t *testing.T) {
	all := All()
	names := make([]string, len(all))
	for i, m := range all {
		names[i] = m.Name + " by " + strings.Join(m.Labels, ",")
		if m.Help == "" {
			t.Errorf("%s has no description", m.Name)
		}
	}
	for _, want := range []string{"service_requests_total by code,method,protocol,service", "config_problems by severity", "config_reloads_total by "} {
		if !slices.Contains(names, want) {
			t.Errorf("there is no %q in %q", want, names)
		}
	}
}
