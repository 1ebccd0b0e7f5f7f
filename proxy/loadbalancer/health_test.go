package loadbalancer

import (
	"context"
	"encoding/binary"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/traefik/paerser/types"

	"fairway/internal/balance"
	"fairway/proxy"
)

func newSticky() *balance.Sticky {
	s := &balance.Sticky{}
	s.SetDefaults()
	return s
}

// nameOf is the name of the cookie of a balancer.
func nameOf(tb testing.TB, b *balancer) string {
	tb.Helper()
	w := httptest.NewRecorder()
	b.sticky.Give(w.Header(), httptest.NewRequest("GET", "/", nil), "x")
	return w.Result().Cookies()[0].Name
}

func silent() logrus.FieldLogger {
	log := logrus.New()
	log.SetOutput(io.Discard)
	return log
}

// await waits for a condition.
func await(tb testing.TB, what string, is func() bool) {
	tb.Helper()
	for end := time.Now().Add(10 * time.Second); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			tb.Fatalf("%s: did not come about", what)
		}
	}
}

// moody is a server that answers as it is told to.
type moody struct {
	*httptest.Server
	status atomic.Int32
	asked  atomic.Int32
	last   atomic.Pointer[http.Request]
}

func newMoody(tb testing.TB, name string) *moody {
	tb.Helper()
	m := &moody{}
	m.status.Store(http.StatusOK)
	m.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.UserAgent() == "fairway-health-check" {
			m.asked.Add(1)
			m.last.Store(r)
		}
		w.WriteHeader(int(m.status.Load()))
		_, _ = io.WriteString(w, name)
	}))
	tb.Cleanup(m.Close)
	return m
}

func checked(edit func(*HealthCheck), servers ...*moody) *Config {
	c := &Config{HealthCheck: &HealthCheck{}}
	c.HealthCheck.SetDefaults()
	c.HealthCheck.Interval = types.Duration(5 * time.Millisecond)
	if edit != nil {
		edit(c.HealthCheck)
	}
	for _, s := range servers {
		c.Servers = append(c.Servers, Server{URL: s.URL})
	}
	return c
}

func started(tb testing.TB, c *Config, env proxy.Env) *balancer {
	tb.Helper()
	env.Forwarder, env.Log = proxy.NewEngine(), silent()
	b := build(tb, c, env).(*balancer)
	b.Start()
	return b
}

func inUse(b *balancer) (n int) {
	for _, s := range b.Servers() {
		if s.Up {
			n++
		}
	}
	return n
}

func TestHealthCheck_NewServersWaitForTheirFirstGoodAnswer(t *testing.T) {
	s := newMoody(t, "a")
	c := checked(nil, s)
	b := build(t, c, proxy.Env{Forwarder: proxy.NewEngine(), Log: silent()}).(*balancer)
	if w, rec := send(b, http.MethodGet, ""); w.Code != http.StatusServiceUnavailable || !strings.Contains(rec.Cause, "first health check") {
		t.Errorf("before the first check: got %d, %q", w.Code, rec.Cause)
	}
	if b.Up() {
		t.Error("it says that it is up")
	}
	b.Start()
	await(t, "the first good answer", func() bool { return inUse(b) == 1 })
	if w, _ := send(b, http.MethodGet, ""); w.Code != http.StatusOK || !b.Up() {
		t.Errorf("after it: got %d", w.Code)
	}
}

func TestHealthCheck_LeavesOutWhoIsIllUntilItIsWell(t *testing.T) {
	a, s := newMoody(t, "a"), newMoody(t, "b")
	b := started(t, checked(nil, a, s), proxy.Env{})
	await(t, "both in use", func() bool { return inUse(b) == 2 })
	a.status.Store(http.StatusInternalServerError)
	await(t, "one out of use", func() bool { return inUse(b) == 1 })
	for range 4 {
		if w, _ := send(b, http.MethodGet, ""); w.Body.String() != "b" {
			t.Errorf("got %d %q", w.Code, w.Body)
		}
	}
	s.status.Store(http.StatusNotFound)
	await(t, "none in use", func() bool { return inUse(b) == 0 })
	if w, rec := send(b, http.MethodGet, ""); w.Code != http.StatusServiceUnavailable || !strings.Contains(rec.Cause, "status ") {
		t.Errorf("with none: got %d, %q", w.Code, rec.Cause)
	}
	s.status.Store(http.StatusNoContent)
	await(t, "one in use again", func() bool { return inUse(b) == 1 })
	a.status.Store(http.StatusFound) // leads nowhere
	await(t, "both in use again", func() bool { return inUse(b) == 2 })
}

func TestHealthCheck_RiseAndFall(t *testing.T) {
	c := &HealthCheck{Rise: 2, Fall: 3}
	s := &state{}
	bad := io.ErrUnexpectedEOF
	for i, step := range []struct {
		err  error
		want health
	}{
		{nil, well},
		{bad, well},
		{bad, well},
		{nil, well},
		{bad, well},
		{bad, well},
		{bad, ill},
		{nil, ill},
		{bad, ill},
		{nil, ill},
		{nil, well},
	} {
		if _, got := s.result(step.err, c); got != step.want {
			t.Fatalf("step %d: got %d, want %d", i, got, step.want)
		}
	}
}

func TestHealthCheck_Options(t *testing.T) {
	s := newMoody(t, "a")
	s.status.Store(http.StatusTeapot)
	other := httptest.NewServer(nil) // its port is the one in the URL
	t.Cleanup(other.Close)
	port, err := http.NewRequest(http.MethodGet, s.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	c := checked(func(h *HealthCheck) {
		h.Path, h.Method, h.Status, h.Hostname = "health?full=1", http.MethodHead, http.StatusTeapot, "a.test"
		h.Headers = map[string]string{"X-Check": "yes"}
		h.Port = portOf(port.URL.Port())
	})
	c.Servers = []Server{{URL: other.URL + "/base"}}
	b := started(t, c, proxy.Env{})
	await(t, "a good answer", func() bool { return inUse(b) == 1 })
	r := s.last.Load()
	if r.Method != http.MethodHead || r.URL.RequestURI() != "/health?full=1" || r.Host != "a.test" || r.Header.Get("X-Check") != "yes" {
		t.Errorf("got %s %s for %s with %v", r.Method, r.URL, r.Host, r.Header)
	}
}

func portOf(s string) (n int) {
	for _, c := range s {
		n = 10*n + int(c-'0')
	}
	return n
}

func TestHealthCheck_GRPC(t *testing.T) {
	status := atomic.Int32{}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.URL.Path != "/grpc.health.v1.Health/Check" || r.ProtoMajor != 2 || r.Header.Get("Content-Type") != "application/grpc" || binary.BigEndian.Uint32(append(body[1:5:5], 0)) != 0 {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/grpc")
		w.Header().Set("Trailer", "Grpc-Status")
		_, _ = w.Write([]byte{0, 0, 0, 0, 2, 8, byte(status.Load())})
		w.Header().Set("Grpc-Status", "0")
	}))
	s.Config.Protocols = new(http.Protocols)
	s.Config.Protocols.SetUnencryptedHTTP2(true)
	s.Start()
	t.Cleanup(s.Close)
	c := checked(func(h *HealthCheck) { h.Mode = "grpc" })
	c.Servers = []Server{{URL: strings.Replace(s.URL, "http", "h2c", 1)}}
	b := started(t, c, proxy.Env{})
	await(t, "an answer", func() bool { return b.servers[0].state.why() == "the service is not serving" })
	status.Store(1)
	await(t, "a good answer", func() bool { return inUse(b) == 1 })
}

func TestHealthCheck_EndsWithTheInstance(t *testing.T) {
	s := newMoody(t, "a")
	ctx, cancel := context.WithCancel(t.Context())
	svc, err := checked(nil, s).New(ctx, proxy.Env{Forwarder: proxy.NewEngine(), Log: silent()})
	if err != nil {
		t.Fatal(err)
	}
	svc.(*balancer).Start()
	await(t, "checks", func() bool { return s.asked.Load() > 2 })
	cancel()
	// Two looks alike mean that nothing is under way any more.
	before := int32(-1)
	await(t, "the end of the checks", func() bool {
		same := s.asked.Load() == before
		before = s.asked.Load()
		time.Sleep(20 * time.Millisecond)
		return same
	})
}

func TestHealthCheck_StateIsKeptOverReloads(t *testing.T) {
	a, s := newMoody(t, "a"), newMoody(t, "b")
	by := proxy.NewEngine()
	plain := checked(nil, a, s)
	plain.HealthCheck = nil
	first := build(t, plain, proxy.Env{Forwarder: by, Log: silent()}).(*balancer)
	// A check is added: nobody is left out before it says so.
	second := build(t, checked(nil, a, s), proxy.Env{Forwarder: by, Log: silent(), Previous: first}).(*balancer)
	if inUse(second) != 2 {
		t.Errorf("%d servers are in use before the first check, want both", inUse(second))
	}
	a.status.Store(http.StatusBadGateway)
	second.Start()
	await(t, "one out of use", func() bool { return inUse(second) == 1 })
	third := build(t, checked(nil, a, s), proxy.Env{Forwarder: by, Log: silent(), Previous: second}).(*balancer)
	if got := third.inUse.Load().servers; len(got) != 1 || got[0].key != s.URL {
		t.Errorf("after a reload %d servers are in use, want the one that is well", len(got))
	}
}

func TestHealthCheck_Mistakes(t *testing.T) {
	for want, edit := range map[string]func(*HealthCheck){
		`healthCheck.mode: "grcp" is none of http and grpc; did you mean "grpc"?`:        func(c *HealthCheck) { c.Mode = "grcp" },
		`healthCheck.scheme: "ftp" is none of http, https and h2c; did you mean "http"?`: func(c *HealthCheck) { c.Scheme = "ftp" },
		`healthCheck.path: "http://b/x" leads to another server; only a path is allowed`: func(c *HealthCheck) { c.Path = "http://b/x" },
		`healthCheck.interval: 0s is not above 0`:                                        func(c *HealthCheck) { c.Interval = 0 },
		`healthCheck.timeout: -1s is not above 0`:                                        func(c *HealthCheck) { c.Timeout = types.Duration(-time.Second) },
		`healthCheck: rise and fall are at least 1`:                                      func(c *HealthCheck) { c.Fall = 0 },
		`healthCheck.port: 70000 is not a port`:                                          func(c *HealthCheck) { c.Port = 70000 },
	} {
		_, err := checked(edit).New(t.Context(), proxy.Env{})
		if err == nil || err.Error() != want {
			t.Errorf("got error %v, want %s", err, want)
		}
	}
}

func passive() *PassiveHealthCheck {
	c := &PassiveHealthCheck{}
	c.SetDefaults()
	return c
}

// answers is a forwarder by which some servers answer 500 and some cannot be reached.
type answers struct {
	status map[string]int
	got    map[string]int
}

func (f *answers) Forward(w http.ResponseWriter, r *http.Request, target *proxy.Target, o proxy.Options) error {
	host := target.URL.Host
	f.got[host]++
	status := f.status[host]
	if status == 0 {
		return &proxy.Error{Err: io.EOF, Status: http.StatusBadGateway, Unsent: true}
	}
	if o.Answered != nil {
		o.Answered(r, status)
	}
	w.WriteHeader(status)
	return nil
}

func TestPassive_LeavesOutWhoFailsForTheWindow(t *testing.T) {
	for _, status := range []int{0, http.StatusInternalServerError} {
		synctest.Test(t, func(t *testing.T) {
			f := &answers{status: map[string]int{"s0": status, "s1": 200, "s2": 200}, got: map[string]int{}}
			b := build(t, &Config{Servers: weighted(1, 1, 1), PassiveHealthCheck: passive()}, proxy.Env{Forwarder: f, Log: silent()}).(*balancer)
			for i := range 12 {
				b.ServeHTTP(httptest.NewRecorder(), from(i))
			}
			if f.got["s0"] != 1 || inUse(b) != 2 {
				t.Errorf("the failing server was tried %d times, want once; %d are in use", f.got["s0"], inUse(b))
			}
			time.Sleep(11 * time.Second)
			synctest.Wait()
			for i := range 3 {
				b.ServeHTTP(httptest.NewRecorder(), from(i))
			}
			if f.got["s0"] != 2 {
				t.Errorf("after the window it was tried %d times in all, want 2", f.got["s0"])
			}
		})
	}
}

func TestPassive_CountsInTheWindowOnly(t *testing.T) {
	c := passive()
	c.MaxFailedAttempts = 3
	s, now := &state{}, time.Unix(1000, 0)
	for i, step := range []struct {
		after time.Duration
		want  bool
	}{{0, false}, {time.Second, false}, {11 * time.Second, false}, {time.Second, false}, {time.Second, true}} {
		now = now.Add(step.after)
		if got := s.failed(now, c); got != step.want {
			t.Errorf("failure %d: left out %v, want %v", i, got, step.want)
		}
	}
}

func TestPassive_WhenMostFailAllAreUsed(t *testing.T) {
	f := &answers{status: map[string]int{"s2": 200}, got: map[string]int{}}
	b := build(t, &Config{Servers: weighted(1, 1, 1), PassiveHealthCheck: passive()}, proxy.Env{Forwarder: f, Log: silent()}).(*balancer)
	for i := range 6 {
		b.ServeHTTP(httptest.NewRecorder(), from(i))
	}
	if got := len(b.inUse.Load().servers); got != 3 {
		t.Errorf("%d servers are used, want all: two of three fail", got)
	}
	one := &answers{status: map[string]int{"s0": 503}, got: map[string]int{}}
	b = build(t, &Config{Servers: weighted(1), PassiveHealthCheck: passive()}, proxy.Env{Forwarder: one, Log: silent()}).(*balancer)
	for i := range 3 {
		b.ServeHTTP(httptest.NewRecorder(), from(i))
	}
	if one.got["s0"] != 3 {
		t.Errorf("the only server was asked %d times, want 3", one.got["s0"])
	}
}

func TestSlowStart_ANewServerGetsItsShareLittleByLittle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &noted{got: map[string]int{}}
		c := &Config{Servers: weighted(1), SlowStart: types.Duration(10 * time.Second)}
		old := build(t, c, proxy.Env{Forwarder: f})
		c = &Config{Servers: weighted(1, 1), SlowStart: c.SlowStart}
		b := build(t, c, proxy.Env{Forwarder: f, Previous: old})
		now := time.Duration(0)
		for _, step := range []struct {
			at   time.Duration
			want float64
		}{{0, 0.05}, {5 * time.Second, 0.25}, {10 * time.Second, 0.5}} {
			time.Sleep(step.at - now)
			now = step.at
			clear(f.got)
			for i := range 4000 {
				b.ServeHTTP(httptest.NewRecorder(), from(i))
			}
			if share := float64(f.got["s1"]) / 4000; share < step.want-0.03 || share > step.want+0.03 {
				t.Errorf("after %v it gets %.3f of all, want %.2f", step.at, share, step.want)
			}
		}
	})
}
