package loadbalancer

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fairway/internal/record"
	"fairway/proxy"
)

// build makes the load balancer of a configuration.
func build(tb testing.TB, c *Config, env proxy.Env) proxy.Service {
	tb.Helper()
	if env.Forwarder == nil {
		env.Forwarder = proxy.NewStandard()
	}
	s, err := c.New(tb.Context(), env)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// send sends one request and returns its response and record.
func send(h http.Handler, method, text string) (*httptest.ResponseRecorder, *record.Record) {
	rec := &record.Record{}
	r := httptest.NewRequest(method, "/", strings.NewReader(text))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r.WithContext(record.With(r.Context(), rec)))
	return w, rec
}

// named starts a server that answers with its name and the body it got.
func named(tb testing.TB, name string) string {
	tb.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, name)
		_, _ = io.Copy(w, r.Body)
	}))
	tb.Cleanup(s.Close)
	return s.URL
}

// gone is the address of a server that does not run any more.
func gone(tb testing.TB) string {
	tb.Helper()
	s := httptest.NewServer(nil)
	s.Close()
	return s.URL
}

func TestLoadBalancer_SpreadsByWeight(t *testing.T) {
	a, b, c := named(t, "a"), named(t, "b"), named(t, "c")
	tests := map[string]struct {
		servers []Server
		want    string
	}{
		"in turn":              {[]Server{{URL: a}, {URL: b}, {URL: c}}, "abcabcabcabc"},
		"evenly by weight":     {[]Server{{URL: a, Weight: new(5)}, {URL: b}}, "aaabaaaaabaa"},
		"weight 0 gets none":   {[]Server{{URL: a, Weight: new(0)}, {URL: b}, {URL: c}}, "bcbcbcbcbcbc"},
		"common factors count": {[]Server{{URL: a, Weight: new(200)}, {URL: b, Weight: new(100)}}, "abaabaabaaba"},
		"only one":             {[]Server{{URL: a, Weight: new(7)}}, "aaaaaaaaaaaa"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			h := build(t, &Config{Servers: tt.servers}, proxy.Env{})
			var got strings.Builder
			for range 12 {
				w, _ := send(h, http.MethodGet, "")
				got.WriteString(w.Body.String())
			}
			if got.String() != tt.want {
				t.Errorf("got %s, want %s", &got, tt.want)
			}
		})
	}
}

func TestLoadBalancer_NoServer(t *testing.T) {
	for name, servers := range map[string][]Server{"none": nil, "all of weight 0": {{URL: "http://x", Weight: new(0)}}} {
		w, rec := send(build(t, &Config{Servers: servers}, proxy.Env{}), http.MethodGet, "")
		if w.Code != 503 || w.Body.String() != "no available server" || rec.Cause != "no available server" || rec.Server != "" {
			t.Errorf("%s: got %d %q, %+v", name, w.Code, w.Body, rec)
		}
	}
}

func TestLoadBalancer_DeadServerCostsNoRequest(t *testing.T) {
	dead, alive := gone(t), named(t, "alive ")
	tests := map[string][]Server{
		"equal":                    {{URL: dead}, {URL: alive}},
		"the dead one weighs more": {{URL: dead, Weight: new(9)}, {URL: alive}},
		"several dead":             {{URL: dead}, {URL: gone(t), Weight: new(3)}, {URL: alive}},
	}
	for name, servers := range tests {
		t.Run(name, func(t *testing.T) {
			h := build(t, &Config{Servers: servers}, proxy.Env{})
			for range 20 {
				w, rec := send(h, http.MethodPost, "body")
				if w.Code != 200 || w.Body.String() != "alive body" || rec.Server != alive || rec.Cause != "" {
					t.Fatalf("got %d %q, %+v", w.Code, w.Body, rec)
				}
			}
		})
	}
}

func TestLoadBalancer_AllDead(t *testing.T) {
	dead := gone(t)
	w, rec := send(build(t, &Config{Servers: []Server{{URL: dead}, {URL: gone(t), Weight: new(0)}, {URL: dead + "/"}}}, proxy.Env{}), http.MethodGet, "")
	if w.Code != 502 || w.Body.String() != "Bad Gateway" || !strings.HasPrefix(rec.Cause, "connect to "+dead) {
		t.Errorf("got %d %q, %+v", w.Code, w.Body, rec)
	}
}

// failing fails in a certain way and counts the tries.
type failing struct {
	err   proxy.Error
	tries int
}

func (f *failing) Forward(http.ResponseWriter, *http.Request, *proxy.Target, proxy.Options) error {
	f.tries++
	return &f.err
}

func TestLoadBalancer_TriesAgainOnlyWhileNothingWasSent(t *testing.T) {
	three := []Server{{URL: "http://a"}, {URL: "http://b"}, {URL: "http://c"}}
	tests := map[string]struct {
		err    proxy.Error
		tries  int
		status int
	}{
		"not sent":         {proxy.Error{Status: 502, Unsent: true}, 3, 502},
		"sent":             {proxy.Error{Status: 502}, 1, 502},
		"too late":         {proxy.Error{Status: 504}, 1, 504},
		"the client left":  {proxy.Error{Status: 499}, 1, 499},
		"answered already": {proxy.Error{Status: 502, Answered: true}, 1, 200}, // nothing is written
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			tt.err.Err = errors.New("why")
			f := &failing{err: tt.err}
			w, rec := send(build(t, &Config{Servers: three}, proxy.Env{Forwarder: f}), http.MethodGet, "")
			if f.tries != tt.tries || w.Code != tt.status || rec.Cause != "why" {
				t.Errorf("got %d tries, %d, %+v", f.tries, w.Code, rec)
			}
		})
	}
}

// options keeps what it was asked to do.
type options struct{ last proxy.Options }

func (o *options) Forward(_ http.ResponseWriter, _ *http.Request, _ *proxy.Target, with proxy.Options) error {
	o.last = with
	return nil
}

func TestLoadBalancer_Options(t *testing.T) {
	tests := map[string]struct {
		config Config
		want   proxy.Options
	}{
		"defaults":           {Config{}, proxy.Options{PassHost: true, FlushInterval: defaultFlushInterval}},
		"no host":            {Config{PassHostHeader: new(false)}, proxy.Options{FlushInterval: defaultFlushInterval}},
		"flushed at once":    {Config{ResponseForwarding: &ResponseForwarding{FlushInterval: -1}}, proxy.Options{PassHost: true, FlushInterval: -1}},
		"flushed at the end": {Config{ResponseForwarding: &ResponseForwarding{}}, proxy.Options{PassHost: true}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			o := &options{}
			tt.config.Servers = []Server{{URL: "http://a"}}
			send(build(t, &tt.config, proxy.Env{Forwarder: o}), http.MethodGet, "")
			if diff := cmp.Diff(tt.want, o.last); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestNew_NamesTheServerThatIsWrong(t *testing.T) {
	tests := map[string]struct {
		server Server
		want   string
	}{
		"no url":          {Server{}, "server 2: has no url"},
		"no scheme":       {Server{URL: "10.0.0.1:80"}, `server 2: url "10.0.0.1:80": `},
		"another scheme":  {Server{URL: "tcp://a"}, `server 2: url "tcp://a": the scheme is none of http, https and h2c`},
		"no host":         {Server{URL: "http:///x"}, `server 2: url "http:///x": has no host`},
		"bad port":        {Server{URL: "http://a:b"}, `server 2: url "http://a:b": `},
		"negative weight": {Server{URL: "http://a", Weight: new(-1)}, "server 2: weight -1: is below 0"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := (&Config{Servers: []Server{{URL: "http://fine"}, tt.server}}).New(t.Context(), proxy.Env{})
			if err == nil || !strings.HasPrefix(err.Error(), tt.want) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

func TestNew_KeepsWhatIsKnownOfServers(t *testing.T) {
	by := proxy.NewStandard()
	old := build(t, &Config{Servers: []Server{{URL: "http://a"}, {URL: "http://b"}}}, proxy.Env{Forwarder: by}).(*balancer)
	now := build(t, &Config{Servers: []Server{{URL: "http://b", Weight: new(3)}, {URL: "http://c"}, {URL: "http://a", PreservePath: true}}}, proxy.Env{Previous: old, Forwarder: by}).(*balancer)
	for i, want := range []bool{true, false, false} {
		known := now.servers[i].target == old.servers[0].target || now.servers[i].target == old.servers[1].target
		if known != want {
			t.Errorf("server %d: known from before %v, want %v", i, known, want)
		}
	}
}

func TestServers_HidePasswords(t *testing.T) {
	h := build(t, &Config{Servers: []Server{{URL: "http://user:hunter2@a:80"}}}, proxy.Env{Forwarder: &options{}})
	_, rec := send(h, http.MethodGet, "")
	if got := fmt.Sprint(h.Servers(), rec); strings.Contains(got, "hunter2") {
		t.Errorf("got %s", got)
	}
}

func TestNew_TakesServersByEveryScheme(t *testing.T) {
	for _, url := range []string{"http://a", "https://a:8443", "h2c://a:50051"} {
		c := &Config{Servers: []Server{{URL: url}}}
		s, err := c.New(t.Context(), proxy.Env{})
		if err != nil || s.Servers()[0].URL != url {
			t.Errorf("%s: got %v, %v", url, s, err)
		}
	}
}

// What follows, as a retry, has to know whether any server has got the request.
func TestLoadBalancer_NotesWhetherARequestWasSent(t *testing.T) {
	breaks := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			_ = conn.Close()
		}
	}))
	t.Cleanup(breaks.Close)
	for url, want := range map[string]bool{gone(t): true, breaks.URL: false} {
		_, rec := send(build(t, &Config{Servers: []Server{{URL: url}}}, proxy.Env{Forwarder: proxy.NewEngine()}), http.MethodPost, "hello")
		if rec.Cause == "" || rec.Unsent != want {
			t.Errorf("cause %q: unsent %v, want %v", rec.Cause, rec.Unsent, want)
		}
	}
}
