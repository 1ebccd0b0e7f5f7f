package loadbalancer

import (
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"fairway/internal/record"
	"fairway/proxy"
)

// noted is a forwarder that notes which server it was given.
type noted struct{ got map[string]int }

func (f *noted) Forward(w http.ResponseWriter, _ *http.Request, target *proxy.Target, _ proxy.Options) error {
	f.got[target.URL.Host]++
	w.WriteHeader(http.StatusOK)
	return nil
}

func weighted(weights ...int) (servers []Server) {
	for i, w := range weights {
		servers = append(servers, Server{URL: fmt.Sprintf("http://s%d", i), Weight: &w})
	}
	return servers
}

func from(client int) *http.Request {
	rec := &record.Record{Peer: netip.AddrFrom4([4]byte{10, 1, byte(client >> 8), byte(client)}).String()}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	return r.WithContext(record.With(r.Context(), rec))
}

func TestStrategies_ShareByWeight(t *testing.T) {
	const requests = 10_000
	weights := []int{1, 2, 5, 0}
	for _, strategy := range []string{"", "wrr", "p2c", "hrw", "leasttime", "LeastTime"} {
		t.Run(strategy, func(t *testing.T) {
			f := &noted{got: map[string]int{}}
			h := build(t, &Config{Servers: weighted(weights...), Strategy: strategy}, proxy.Env{Forwarder: f})
			for i := range requests {
				h.ServeHTTP(httptest.NewRecorder(), from(i))
			}
			for i, w := range weights {
				share, want := float64(f.got[fmt.Sprintf("s%d", i)])/requests, float64(w)/8
				if math.Abs(share-want) > 0.02 {
					t.Errorf("server of weight %d got %.3f of all, want %.3f", w, share, want)
				}
			}
		})
	}
}

func TestStrategy_P2CAvoidsTheBusyServer(t *testing.T) {
	f := &noted{got: map[string]int{}}
	b := build(t, &Config{Servers: weighted(1, 1), Strategy: "p2c"}, proxy.Env{Forwarder: f}).(*balancer)
	b.servers[0].state.underWay.Store(50)
	for i := range 1000 {
		b.ServeHTTP(httptest.NewRecorder(), from(i))
	}
	if share := float64(f.got["s0"]) / 1000; share > 0.35 || share < 0.15 { // only when it is drawn twice
		t.Errorf("the busy server got %.2f of all, want a quarter", share)
	}
	if got := b.servers[0].state.underWay.Load(); got != 50 {
		t.Errorf("%d requests are under way after all have ended, want 50", got)
	}
}

func TestStrategy_LeastTimeAvoidsTheSlowServer(t *testing.T) {
	f := &noted{got: map[string]int{}}
	b := build(t, &Config{Servers: weighted(1, 1, 1), Strategy: "leasttime"}, proxy.Env{Forwarder: f}).(*balancer)
	b.servers[0].state.pace.took(90 * time.Millisecond)
	b.servers[1].state.pace.took(10 * time.Millisecond) // nothing is known of the third: 50 ms
	for i := range 10_000 {
		b.ServeHTTP(httptest.NewRecorder(), from(i))
	}
	for host, want := range map[string]float64{"s0": 0.085, "s1": 0.763, "s2": 0.153} {
		if share := float64(f.got[host]) / 10_000; math.Abs(share-want) > 0.02 {
			t.Errorf("%s got %.3f of all, want %.3f", host, share, want)
		}
	}
}

func TestStrategy_LeastTimeMeasuresTheServers(t *testing.T) {
	slow := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { time.Sleep(20 * time.Millisecond) }))
	t.Cleanup(slow.Close)
	b := build(t, &Config{Servers: []Server{{URL: slow.URL}}, Strategy: "leasttime"}, proxy.Env{Forwarder: proxy.NewEngine()}).(*balancer)
	b.ServeHTTP(httptest.NewRecorder(), from(1))
	if got := b.servers[0].state.pace.seconds(); got < 0.02 || got > 10 {
		t.Errorf("got a pace of %v s", got)
	}
}

func TestStrategy_HRWKeepsClientsTogether(t *testing.T) {
	f := &noted{got: map[string]int{}}
	h := build(t, &Config{Servers: weighted(1, 1, 1), Strategy: "hrw"}, proxy.Env{Forwarder: f})
	for range 50 {
		h.ServeHTTP(httptest.NewRecorder(), from(7))
	}
	if len(f.got) != 1 {
		t.Errorf("one client was sent to %v", f.got)
	}
}

func TestStrategy_ThatDoesNotExist(t *testing.T) {
	_, err := (&Config{Strategy: "wwr"}).New(t.Context(), proxy.Env{})
	if err == nil || err.Error() != `strategy: "wwr" is none of wrr, p2c, hrw and leasttime; did you mean "wrr"?` {
		t.Errorf("got error %v", err)
	}
}

func TestSticky_KeepsAClientAtItsServer(t *testing.T) {
	a, b := named(t, "a"), named(t, "b")
	c := &Config{Servers: []Server{{URL: a}, {URL: b}}}
	c.Sticky = newSticky()
	h := build(t, c, proxy.Env{Name: "web@docker", Forwarder: proxy.NewEngine()})
	first := httptest.NewRecorder()
	h.ServeHTTP(first, from(1))
	cookies := first.Result().Cookies()
	if len(cookies) != 1 {
		t.Fatalf("got cookies %v", cookies)
	}
	for range 5 {
		r := from(1)
		r.AddCookie(cookies[0])
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Body.String() != first.Body.String() || len(w.Result().Cookies()) != 0 {
			t.Fatalf("got %s with %v, want %s, and the cookie not again", w.Body, w.Result().Cookies(), first.Body)
		}
	}
}

func TestSticky_MovesAClientWhoseServerIsGone(t *testing.T) {
	dead, alive := gone(t), named(t, "alive")
	c := &Config{Servers: []Server{{URL: dead}, {URL: alive}}, Sticky: newSticky()}
	h := build(t, c, proxy.Env{Name: "web@docker", Forwarder: proxy.NewEngine()}).(*balancer)
	for _, mark := range []string{h.servers[0].mark, dead, "unknown"} {
		r := from(1)
		r.AddCookie(&http.Cookie{Name: "_" + strings.TrimPrefix(nameOf(t, h), "_"), Value: mark})
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if got := w.Result().Cookies(); w.Body.String() != "alive" || len(got) != 1 || got[0].Value != h.servers[1].mark {
			t.Errorf("with %q: got %q and %v, want the server that is alive", mark, w.Body, got)
		}
	}
}
