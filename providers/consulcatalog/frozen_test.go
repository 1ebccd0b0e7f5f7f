package consulcatalog

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"
	"github.com/sirupsen/logrus"

	"fairway/config/dynamic"
	"fairway/config/labels"
)

// frozen is an agent that answers until it stands still: then its connections stand, and nothing
// comes by them.
type frozen struct{ still atomic.Bool }

func (f *frozen) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	index := r.URL.Query().Get("index")
	if f.still.Load() || index != "" && index != "0" {
		<-r.Context().Done() // also a long question, to which there is nothing new
		return
	}
	w.Header().Set("X-Consul-Index", "7")
	switch {
	case strings.HasPrefix(r.URL.Path, "/v1/catalog/services"):
		_, _ = w.Write([]byte(`{"shop": []}`))
	case strings.HasPrefix(r.URL.Path, "/v1/status/leader"):
		_, _ = w.Write([]byte(`"127.0.0.1:8300"`))
	case strings.HasPrefix(r.URL.Path, "/v1/health/service/shop"):
		_, _ = w.Write([]byte(`[{"Node": {"Node": "one", "Address": "127.0.0.1"}, "Service": {"ID": "shop", "Service": "shop", "Port": 80}, "Checks": []}]`))
	default:
		_, _ = w.Write([]byte(`[]`))
	}
}

func TestRun_NoticesAnAgentThatStandsStill(t *testing.T) {
	agent := &frozen{}
	server := httptest.NewServer(agent)
	defer server.Close()
	defer server.CloseClientConnections()
	c := &Config{}
	c.SetDefaults()
	c.Endpoint.Address = strings.TrimPrefix(server.URL, "http://")
	log := logrus.New()
	log.SetLevel(logrus.PanicLevel)
	built, err := c.New(log)
	if err != nil {
		t.Fatal(err)
	}
	p := built.(*provider)
	p.patience, p.every = 50*time.Millisecond, 10*time.Millisecond
	published := make(chan *dynamic.Configuration)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() {
		ended <- p.Run(ctx, func(cfg *dynamic.Configuration) {
			select {
			case published <- cfg:
			case <-ctx.Done():
			}
		})
	}()
	await := func(what string, is func(cfg *dynamic.Configuration) bool) {
		t.Helper()
		for {
			select {
			case cfg := <-published:
				if is(cfg) {
					return
				}
			case <-time.After(20 * time.Second):
				t.Fatal(what)
			}
		}
	}
	shop := func(cfg *dynamic.Configuration) bool { return cfg.HTTP.Services["shop"] != nil }
	await("the service has not come", func(cfg *dynamic.Configuration) bool { return shop(cfg) && len(cfg.Problems) == 0 })
	agent.still.Store(true)
	await("nobody has noticed that the agent stands still", func(cfg *dynamic.Configuration) bool {
		return shop(cfg) && len(cfg.Problems) == 1 && cfg.Problems[0].Blind
	})
	agent.still.Store(false)
	await("nobody has noticed that it goes on", func(cfg *dynamic.Configuration) bool { return shop(cfg) && len(cfg.Problems) == 0 })
	cancel()
	if err := <-ended; err == nil {
		t.Error("it ended without a reason")
	}
}

// The address of a proxy may be that of another service later.
func TestSecure_GoesByTheProxiesThatThereAreNow(t *testing.T) {
	c := known(t, nil)
	c.mesh = &mesh{provider: c.provider, dc: "dc1", leaf: &api.LeafCert{}}
	w := &labels.Workload{ID: "one/a", Source: "a", Name: "a", Address: "10.0.0.1", Ports: []labels.Port{{Number: 80}}, Running: true, Ready: true, Control: labels.ReadControl(nil)}
	for _, meshed := range []bool{true, false} {
		c.services = map[string]*service{"a": {meshed: meshed, workloads: []*labels.Workload{w}}}
		svc := c.configuration(nil).HTTP.Services["a"]
		if got := svc.LoadBalancer.ServersTransport != ""; got != meshed || strings.HasPrefix(svc.LoadBalancer.Servers[0].URL, "https:") != meshed {
			t.Errorf("of the mesh %v: got %+v", meshed, svc.LoadBalancer)
		}
	}
}
