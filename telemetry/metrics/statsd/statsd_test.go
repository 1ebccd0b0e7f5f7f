package statsd

import (
	"context"
	"crypto/tls"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	dto "github.com/prometheus/client_model/go"
	"github.com/sirupsen/logrus"
	"github.com/traefik/paerser/types"

	"fairway/telemetry/metrics"
)

// taken collects what a set gathers, by pushes of its own.
type taken struct{ families []*dto.MetricFamily }

func (s *taken) Send(_ context.Context, families []*dto.MetricFamily) error {
	s.families = families
	return nil
}

func (s *taken) Close() error { return nil }

// gather takes the metrics of a set.
func gather(t *testing.T, m *metrics.Metrics) []*dto.MetricFamily {
	t.Helper()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	s := &taken{}
	metrics.NewPusher(m, s, time.Hour, logrus.New(), "").Run(ended)
	return s.families
}

func newSet(t *testing.T, state metrics.State) *metrics.Metrics {
	t.Helper()
	m, err := (&metrics.Sets{State: state}).Counting(true, true, true)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestLines_AreWhatIsNewUnderNamesOfTraefik(t *testing.T) {
	until := time.Unix(2e9, 0)
	m := newSet(t, metrics.State{
		Connections: func() map[[2]string]int { return map[[2]string]int{{"web", "TCP"}: 2, {"websecure", "TCP"}: 3} },
		Servers: func(tell func(string, string, bool)) {
			tell("a", "http://1", true)
			tell("a", "http://2", false)
			tell("b", "http://3", true)
		},
		Certificates: func(tell func(string, string, string, time.Time)) {
			tell("b.test", "2", "b.test", until.Add(time.Hour))
			tell("a.test", "1", "a.test", until)
		},
		Problems:     func() map[string]int { return map[string]int{"error": 1, "warning": 0} },
		FailedPushes: func() map[string]uint64 { return map[string]uint64{"statsD": 4} },
	})
	m.Reloaded(time.Unix(1e9, 0), 1500*time.Millisecond)
	m.Observe(request("a", 200*time.Millisecond))
	e := request("b", time.Millisecond+123456*time.Nanosecond)
	e.Request.TLS = &tls.ConnectionState{}
	m.Observe(e)
	l := &lines{prefix: "gate."}
	want := []string{
		"gate.config.problems.error:1|g", "gate.config.problems.warning:0|g",
		"gate.config.reload.lastDurationSeconds:1.5|g", "gate.config.reload.lastSuccessTimestamp:1000000000|g", "gate.config.reload.total:1|c",
		"gate.entrypoint.request.duration.count:2|c", "gate.entrypoint.request.duration.sum:201.123|c", "gate.entrypoint.request.tls.total:1|c",
		"gate.entrypoint.request.total:2|c", "gate.entrypoint.requests.bytes.total:6|c", "gate.entrypoint.responses.bytes.total:10|c",
		"gate.metrics.failed.pushes.total.statsD:4|c", "gate.open.connections:5|g",
		"gate.router.request.duration.count:2|c", "gate.router.request.duration.sum:201.123|c", "gate.router.request.tls.total:1|c",
		"gate.router.request.total:2|c", "gate.router.requests.bytes.total:6|c", "gate.router.responses.bytes.total:10|c",
		"gate.service.request.duration.count:2|c", "gate.service.request.duration.sum:201.123|c", "gate.service.request.tls.total:1|c",
		"gate.service.request.total:2|c", "gate.service.requests.bytes.total:6|c", "gate.service.responses.bytes.total:10|c",
		"gate.service.retries.total:2|c", "gate.service.server.up:2|g", "gate.tls.certs.notAfterTimestamp:2000000000|g",
	}
	if diff := cmp.Diff(want, l.of(gather(t, m))); diff != "" {
		t.Error(diff)
	}
	counters := func() []string {
		return slices.DeleteFunc(l.of(gather(t, m)), func(line string) bool {
			return !strings.HasPrefix(line, "gate.service") || strings.HasSuffix(line, "|g")
		})
	}
	if got := counters(); len(got) > 0 {
		t.Errorf("nothing happened, but got %q", got)
	}
	m.Observe(request("a", 100*time.Millisecond))
	want = []string{
		"gate.service.request.duration.count:1|c", "gate.service.request.duration.sum:100|c", "gate.service.request.total:1|c",
		"gate.service.requests.bytes.total:3|c", "gate.service.responses.bytes.total:5|c", "gate.service.retries.total:1|c",
	}
	if diff := cmp.Diff(want, counters()); diff != "" {
		t.Error(diff)
	}
}

// A service that goes and comes back counts from zero.
func TestLines_ServicesThatComeBack(t *testing.T) {
	m := newSet(t, metrics.State{})
	l := &lines{}
	total := func() string {
		for _, line := range l.of(gather(t, m)) {
			if strings.HasPrefix(line, "service.request.total:") {
				return line
			}
		}
		return ""
	}
	m.Observe(request("a", 0))
	m.Observe(request("stays", 0))
	total()
	m.Keep(func(name, _ string) bool { return name == "stays" }, func(name string) bool { return name == "stays" })
	if got := total(); got != "" {
		t.Errorf("it went: got %s", got)
	}
	keep := func(all bool) {
		m.Keep(func(string, string) bool { return all }, func(string) bool { return all })
	}
	keep(true)
	for range 3 {
		m.Observe(request("a", 0))
	}
	if got := total(); got != "service.request.total:3|c" {
		t.Errorf("it came back: got %s", got)
	}
	keep(false)
	keep(true)
	m.Observe(request("a", 0))
	if got := total(); got != "service.request.total:1|c" {
		t.Errorf("it went and came back between two pushes: got %s", got)
	}
}

func TestName(t *testing.T) {
	for metric, want := range map[string]string{
		"service_requests_total": "service.request.total", "config_problems": "config.problems.SEVERITY",
		"router_request_duration_seconds": "router.request.duration.count, .sum", "open_connections": "open.connections",
		"circuit_breaker_state": "circuit.breaker.state.STATE", "limit_decisions_total": "limit.decisions.total.DECISION",
	} {
		if got := Name(metric); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestPack_FillsPacketsThatGoThrough(t *testing.T) {
	line := strings.Repeat("x", 99)
	packets := pack(slices.Repeat([]string{line}, 30))
	var all []string
	for _, p := range packets {
		if len(p) > mostBytes {
			t.Errorf("a packet has %d bytes", len(p))
		}
		all = append(all, strings.Split(string(p), "\n")...)
	}
	if len(packets) != 3 || len(all) != 30 || slices.ContainsFunc(all, func(l string) bool { return l != line }) {
		t.Errorf("got %d packets of %d lines", len(packets), len(all))
	}
	if pack(nil) != nil {
		t.Error("nothing makes a packet")
	}
}

func TestStatsD_ReceivesPackets(t *testing.T) {
	l := listen(t, "127.0.0.1:0")
	p, m := build(t, configured(func(c *Config) { c.Address, c.Prefix = l.LocalAddr().String(), "traefik." }), metrics.State{}, logrus.New())
	m.Observe(request("a", time.Second))
	m.Observe(request("b", time.Second))
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	p.Run(ended)
	lines := strings.Split(receive(t, l), "\n")
	for _, want := range []string{"traefik.entrypoint.request.total:2|c", "traefik.service.request.total:2|c", "traefik.service.request.duration.sum:2000|c"} {
		if !slices.Contains(lines, want) {
			t.Errorf("there is no %s in %q", want, lines)
		}
	}
	if slices.ContainsFunc(lines, func(line string) bool { return strings.Contains(line, "router") || strings.Contains(line, "go.") }) {
		t.Errorf("nobody asked for all of %q", lines)
	}
}

func TestStatsD_ThatWasAway(t *testing.T) {
	l := listen(t, "127.0.0.1:0")
	address := l.LocalAddr().String()
	_ = l.Close()
	p, m := build(t, configured(func(c *Config) { c.Address, c.PushInterval = address, types.Duration(time.Millisecond) }), metrics.State{}, quiet())
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan struct{})
	go func() { defer close(ended); p.Run(ctx) }()
	await(t, "failures", func() bool { return p.Failed() > 1 })
	l = listen(t, address)
	receive(t, l) // it is noticed
	m.Observe(request("a", 0))
	for !strings.Contains(receive(t, l), "fairway.service.request.total:1|c") { // of those before there are only gauges
	}
	stop()
	<-ended
}

func TestStatsD_AHostThatDoesNotExist(t *testing.T) {
	p, _ := build(t, configured(func(c *Config) { c.Address = "nowhere.invalid:8125" }), metrics.State{}, quiet())
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	p.Run(ended)
	if p.Failed() != 1 {
		t.Errorf("%d failures", p.Failed())
	}
}

func TestNew_Mistakes(t *testing.T) {
	for want, change := range map[string]func(*Config){
		"address: address localhost: missing port in address":               func(c *Config) { c.Address = "localhost" },
		`address: "none" is no port`:                                        func(c *Config) { c.Address = "localhost:none" },
		`address: "" is no port`:                                            func(c *Config) { c.Address = "localhost:" },
		`prefix: "a:b" has to be of letters, digits and . _ -, 200 at most`: func(c *Config) { c.Prefix = "a:b" },
		"pushInterval: -1s is not above zero":                               func(c *Config) { c.PushInterval = types.Duration(-time.Second) },
	} {
		if _, err := configured(change).New(&metrics.Sets{}, logrus.New()); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	if _, err := configured(func(c *Config) { c.Address = ":8125" }).New(&metrics.Sets{}, logrus.New()); err != nil {
		t.Errorf("a port alone: %v", err)
	}
}
