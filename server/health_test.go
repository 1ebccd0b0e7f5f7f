package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"fairway/config"
	"fairway/config/dynamic"
	"fairway/providers"
)

// told is a provider that publishes, or fails, when it is told to.
type told struct{ say chan error }

func (p told) Run(ctx context.Context, publish providers.Publish) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-p.say:
			if err != nil {
				return err
			}
			publish(&dynamic.Configuration{})
		}
	}
}

// answers waits until the answer is as it is to be.
func answers(t *testing.T, status int, body string, ask func() (int, string)) {
	t.Helper()
	await(t, fmt.Sprintf("%d %s", status, body), func() bool {
		code, got := ask()
		return code == status && strings.TrimSpace(got) == body
	})
}

func TestServer_ReadyWhenProvidersHaveTold(t *testing.T) {
	loaded, err := config.Load([]string{"--entrypoints.web.address=127.0.0.1:0", "--ping", "--ping.entrypoint=web"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	log, _ := newLog()
	docker, file := told{make(chan error)}, told{make(chan error)}
	s, err := New(Options{Config: loaded, Log: log, Extra: map[string]providers.Provider{"docker": docker, "file": file}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = s.Run(ctx)
	}()
	t.Cleanup(func() { cancel(); <-ended })
	for _, step := range []struct {
		say    func()
		status int
		body   string
	}{
		{func() {}, 503, "waiting for docker, file"},
		{func() { file.say <- errors.New("nowhere") }, 503, "waiting for docker"}, // given up, with a problem
		{func() { docker.say <- nil }, 200, "ready"},
	} {
		step.say()
		answers(t, step.status, step.body, func() (int, string) {
			w := httptest.NewRecorder()
			s.ready(w, nil)
			return w.Code, w.Body.String()
		})
	}
}

// Both tell that fairway stops, while it still accepts connections.
func TestServer_HealthWhileStopping(t *testing.T) {
	r := start(t, "", "--ping", "--ping.entrypoint=web", "--entrypoints.web.transport.lifecycle.requestacceptgracetimeout=2s")
	asked := func(path string) func() (int, string) {
		return func() (int, string) {
			res, body := r.get(t, "any", path)
			return res.StatusCode, body
		}
	}
	answers(t, 200, "OK", asked("/ping"))
	answers(t, 200, "ready", asked("/ready"))
	stopped := make(chan struct{})
	go func() { r.stop(); close(stopped) }()
	answers(t, 503, "", asked("/ping"))
	answers(t, 503, "stopping", asked("/ready"))
	<-stopped
}

func TestServer_HealthByRoutersOfOnesOwn(t *testing.T) {
	r := start(t, `
http:
  routers:
    well: {rule: "Path(`+"`/well`"+`)", service: ping@internal}
    told: {rule: "Path(`+"`/told`"+`)", service: ready@internal}
`, "--ping.manualrouting", "--entrypoints.web.address=127.0.0.1:0")
	for path, want := range map[string]int{"/well": 200, "/told": 200, "/ping": 404, "/ready": 404} {
		if res, body := r.get(t, "any", path); res.StatusCode != want {
			t.Errorf("%s: got %d %q, want %d", path, res.StatusCode, body, want)
		}
	}
	if len(r.Addresses()) != 1 {
		t.Errorf("there are the entry points %v", r.Addresses())
	}
}

// Traefik has no /ready: a service may have it.
func TestServer_ReadyStandsBackForServices(t *testing.T) {
	url := backend(t, func(*http.Request) {})
	routes := strings.ReplaceAll(routeTo(url), "PathPrefix(`/`)", "Host(`app.test`)")
	r := start(t, routes, "--ping.entrypoint=web")
	for host, want := range map[string]string{"app.test": "answer", "10.0.0.1": "ready\n"} {
		if _, body := r.get(t, host, "/ready"); body != want {
			t.Errorf("%s: got %q, want %q", host, body, want)
		}
		if _, body := r.get(t, host, "/ping"); body != "OK" {
			t.Errorf("%s: /ping: got %q", host, body)
		}
	}
	redirecting := start(t, "", "--ping.entrypoint=web", "--entrypoints.web.http.redirections.entrypoint.to=:443")
	if res, body := redirecting.get(t, "any", "/ready"); res.StatusCode != 200 {
		t.Errorf("where all is sent elsewhere: got %d %q", res.StatusCode, body)
	}
}

func TestServer_DebugAsOfTraefik(t *testing.T) {
	manual := start(t, "http: {routers: {all: {rule: 'Host(`api`)', service: api@internal}, debug: {rule: 'Host(`debug`)', service: debug@internal}}}", "--api.debug", "--api")
	insecure := start(t, "", "--api.insecure", "--api.debug", "--entrypoints.traefik.address=127.0.0.1:0")
	for path, want := range map[string]string{
		"/debug/vars": `"Goroutines2": `, "/debug/pprof/": "goroutine", "/debug/pprof/cmdline": "", "/debug/pprof/goroutine?debug=1": "goroutine profile",
		"/debug/pprof/heap?debug=1": "heap profile", "/debug/pprof/symbol": "num_symbols", "/debug/pprof/trace?seconds=0.01": "", "/debug/pprof/profile?seconds=1": "",
	} {
		for _, host := range []string{"api", "debug"} {
			if res, body := manual.get(t, host, path); res.StatusCode != 200 || !strings.Contains(body, want) {
				t.Errorf("%s%s: got %d %.100q", host, path, res.StatusCode, body)
			}
			if strings.Contains(path, "profile?") {
				break // takes its time
			}
		}
		if strings.Contains(path, "profile?") {
			continue
		}
		res, err := http.Get("http://" + insecure.Addresses()["traefik"] + path)
		if err != nil {
			t.Fatal(err)
		}
		if _ = res.Body.Close(); res.StatusCode != 200 {
			t.Errorf("insecure: %s: got %d", path, res.StatusCode)
		}
	}
	if res, _ := manual.get(t, "api", "/api/version"); res.StatusCode != 200 {
		t.Errorf("the API beside it: got %d", res.StatusCode)
	}
	without := start(t, "http: {routers: {all: {rule: 'Host(`api`)', service: api@internal}}}", "--api")
	if res, _ := without.get(t, "api", "/debug/vars"); res.StatusCode != 404 {
		t.Errorf("not turned on: got %d", res.StatusCode)
	}
}
