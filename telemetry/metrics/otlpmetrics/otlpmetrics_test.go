package otlpmetrics

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/sirupsen/logrus"
	"github.com/traefik/paerser/types"
	v1 "go.opentelemetry.io/proto/otlp/metrics/v1"

	"fairway/telemetry/metrics"
	"fairway/telemetry/otlp"
)

// point is a data point as text: its labels in order.
func point(p *v1.NumberDataPoint) string {
	var labels []string
	for _, a := range p.Attributes {
		labels = append(labels, a.Key+"="+a.Value.GetStringValue())
	}
	slices.Sort(labels)
	return strings.Join(labels, " ")
}

func TestMetrics_ArriveAtTheCollector(t *testing.T) {
	for name, protocol := range protocols() {
		t.Run(name, func(t *testing.T) {
			c := newCollector(t, protocol, listen(t, "127.0.0.1:0"))
			p, m := build(t, configured(func(cfg *Config) {
				protocol.to(cfg, c.address)
				cfg.AddRoutersLabels, cfg.ResourceAttributes = true, map[string]string{"region": "north"}
			}), logrus.New())
			m.Observe(request(200 * time.Millisecond))
			slow := request(3 * time.Second)
			slow.Record.Trace = followed{}
			m.Observe(slow)
			pushOnce(t, p)

			for name, want := range map[string]string{
				"fairway_entrypoint_requests_total":       "code=200 entrypoint=web method=GET protocol=http",
				"fairway_router_requests_total":           "code=200 method=GET protocol=http router=shop@docker service=shop-svc@docker",
				"fairway_service_requests_total":          "code=200 method=GET protocol=http service=shop-svc@docker",
				"fairway_entrypoint_requests_bytes_total": "code=200 entrypoint=web method=GET protocol=http",
			} {
				sum := c.metrics[name].GetSum()
				if len(sum.GetDataPoints()) != 1 {
					t.Errorf("%s: got %v", name, c.metrics[name])
					continue
				}
				total := map[bool]float64{false: 2, true: 6}[strings.Contains(name, "bytes")]
				if p := sum.DataPoints[0]; point(p) != want || p.GetAsDouble() != total || !sum.IsMonotonic || sum.AggregationTemporality != v1.AggregationTemporality_AGGREGATION_TEMPORALITY_CUMULATIVE {
					t.Errorf("%s: got %v", name, sum)
				}
			}
			h := c.metrics["fairway_service_request_duration_seconds"].GetHistogram().GetDataPoints()[0]
			if diff := cmp.Diff(configured(func(*Config) {}).ExplicitBoundaries, h.ExplicitBounds); diff != "" {
				t.Error(diff)
			}
			// 0.2 is between 0.1 and 0.25, 3 between 2.5 and 5.
			if want := []uint64{0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0}; !slices.Equal(h.BucketCounts, want) || h.Count != 2 || h.GetSum() != 3.2 || h.StartTimeUnixNano == 0 || h.StartTimeUnixNano > h.TimeUnixNano {
				t.Errorf("got %v", h)
			}
			if len(h.Exemplars) != 1 || !slices.Equal(h.Exemplars[0].TraceId, []byte{1, 2, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9}) || h.Exemplars[0].GetAsDouble() != 3 {
				t.Errorf("got the exemplars %v", h.Exemplars)
			}
			machine, err := os.Hostname()
			if err != nil {
				t.Fatal(err)
			}
			for key, want := range map[string]string{"service.name": "fairway", "region": "north", "host.name": machine, "service.instance.id": machine} {
				if c.resource[key] != want {
					t.Errorf("%s: got %q, want %q", key, c.resource[key], want)
				}
			}
			if c.token != "secret" {
				t.Errorf("got the token %q", c.token)
			}
		})
	}
}

func TestMetrics_ExponentialHistogramsHaveTheDurations(t *testing.T) {
	protocol := protocols()["HTTP"]
	c := newCollector(t, protocol, listen(t, "127.0.0.1:0"))
	p, m := build(t, configured(func(cfg *Config) {
		protocol.to(cfg, c.address)
		cfg.ExponentialHistograms, cfg.Prefix = true, "traefik"
	}), logrus.New())
	took := []time.Duration{0, time.Microsecond, 199 * time.Millisecond, 200 * time.Millisecond, time.Second, time.Hour}
	var sum float64
	for _, d := range took {
		m.Observe(request(d))
		sum += d.Seconds()
	}
	pushOnce(t, p)

	h := c.metrics["traefik_service_request_duration_seconds"].GetExponentialHistogram().GetDataPoints()[0]
	if h.Count != uint64(len(took)) || math.Abs(h.GetSum()-sum) > 1e-9 || h.ZeroCount != 1 {
		t.Errorf("got %v", h)
	}
	// Bucket i is for what is above base^i, and not above base^(i+1).
	base := math.Exp2(math.Exp2(-float64(h.Scale)))
	want := map[int]uint64{}
	for _, d := range took[1:] {
		want[int(math.Ceil(math.Log(d.Seconds())/math.Log(base)))-1]++
	}
	got := map[int]uint64{}
	for i, n := range h.Positive.BucketCounts {
		if n > 0 {
			got[int(h.Positive.Offset)+i] = n
		}
	}
	if diff := cmp.Diff(want, got); diff != "" || base > 1.1 {
		t.Errorf("base %v: %s", base, diff)
	}
}

// Collectors refuse messages above 4 MiB.
func TestMetrics_OfManyServicesGoInParts(t *testing.T) {
	const services = 10_000
	protocol := protocols()["gRPC"]
	for name, exponential := range map[string]bool{"with boundaries": false, "exponential": true} {
		t.Run(name, func(t *testing.T) {
			c := newCollector(t, protocol, listen(t, "127.0.0.1:0"))
			cfg := configured(func(cfg *Config) {
				protocol.to(cfg, c.address)
				cfg.ExponentialHistograms = exponential
			})
			_, m := build(t, cfg, logrus.New())
			for i := range services {
				e := request(time.Duration(i) * time.Microsecond)
				e.Record.Leaf = fmt.Sprint("a-service-with-a-name-of-some-length-", i, "@docker")
				m.Observe(e)
			}
			families, err := m.Gather()
			if err != nil {
				t.Fatal(err)
			}
			client, err := (&otlp.Collector{GRPC: cfg.GRPC}).Client("")
			if err != nil {
				t.Fatal(err)
			}
			s, err := newSender(client, otlp.Resource("fairway", nil))
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(s.Send(t.Context(), families), s.Close()); err != nil {
				t.Fatal(err)
			}
			for _, metric := range []string{"fairway_service_requests_total", "fairway_service_request_duration_seconds", "fairway_service_responses_bytes_total"} {
				if c.points[metric] != services {
					t.Errorf("%s: %d series have come", metric, c.points[metric])
				}
			}
			if c.points["fairway_config_reloads_total"] != 1 || c.largest > mostBytes || c.largest < mostBytes/2 {
				t.Errorf("the largest of %d messages has %d bytes, %d are on all of the gateway", c.pushes, c.largest, c.points["fairway_config_reloads_total"])
			}
		})
	}
}

// buffer is a log that is read while it is written.
type buffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) count(text string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Count(b.text.String(), text)
}

func TestMetrics_ACollectorThatWasAway(t *testing.T) {
	for name, protocol := range protocols() {
		t.Run(name, func(t *testing.T) {
			l := listen(t, "127.0.0.1:0")
			address := l.Addr().String()
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			said, log := &buffer{}, logrus.New()
			log.SetOutput(said)
			p, m := build(t, configured(func(cfg *Config) {
				protocol.to(cfg, address)
				cfg.PushInterval = types.Duration(10 * time.Millisecond)
			}), log)
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			ended := make(chan struct{})
			go func() { defer close(ended); p.Run(ctx) }()
			m.Observe(request(time.Second))
			await(t, "failures", func() bool { return p.Failed() > 2 })
			c := newCollector(t, protocol, listen(t, address))
			c.got(t)
			stop()
			<-ended
			if got := c.metrics["fairway_service_requests_total"].GetSum().GetDataPoints()[0].GetAsDouble(); got != 1 {
				t.Errorf("got %v requests", got)
			}
			if said.count("metrics cannot be sent") != 1 || said.count("metrics are sent again") != 1 {
				t.Errorf("the log has %s", said.text.String())
			}
		})
	}
}

// As the guide says.
func TestNew_SharesASetWithPrometheus(t *testing.T) {
	prometheus := &metrics.Config{}
	prometheus.SetDefaults()
	prometheus.NativeHistograms = false
	sets := &metrics.Sets{}
	if _, err := sets.For(prometheus); err != nil {
		t.Fatal(err)
	}
	if _, err := configured(func(c *Config) { c.ExplicitBoundaries = []float64{0.1, 0.3, 1.2, 5} }).New(sets, logrus.New()); err != nil || len(sets.All()) != 1 {
		t.Errorf("%d sets, %v", len(sets.All()), err)
	}
	if _, err := configured(func(*Config) {}).New(sets, logrus.New()); err != nil || len(sets.All()) != 2 {
		t.Errorf("%d sets, %v", len(sets.All()), err)
	}
}

func TestNew_Mistakes(t *testing.T) {
	for want, change := range map[string]func(*Config){
		"pushInterval: 0s is not above zero":                                           func(c *Config) { c.PushInterval = 0 },
		"explicitBoundaries: they have to be numbers, each higher than the one before": func(c *Config) { c.ExplicitBoundaries = []float64{2, 1} },
		"explicitBoundaries: there are none":                                           func(c *Config) { c.ExplicitBoundaries = nil },
		`prefix: "other" is neither fairway nor traefik`:                               func(c *Config) { c.Prefix = "other" },
		"grpc and http cannot be given together":                                       func(c *Config) { c.HTTP, c.GRPC = &otlp.HTTP{}, &otlp.GRPC{} },
		`http.endpoint: "collector:4318" is no URL`:                                    func(c *Config) { c.HTTP = &otlp.HTTP{Endpoint: "collector:4318"} },
		"grpc.tls.ca: open /nowhere: no such file or directory":                        func(c *Config) { c.GRPC = &otlp.GRPC{TLS: &otlp.TLS{CA: "/nowhere"}} },
	} {
		if _, err := configured(change).New(&metrics.Sets{}, logrus.New()); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
