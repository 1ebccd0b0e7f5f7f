package server

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/sirupsen/logrus"

	"fairway/config"
	"fairway/config/dynamic"
	"fairway/internal/decode"
	"fairway/providers"
)

// buffer is a log that tests can read while it is written.
type buffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func newLog() (*logrus.Logger, *buffer) {
	b := &buffer{}
	log := logrus.New()
	log.SetOutput(b)
	log.SetLevel(logrus.DebugLevel)
	return log, b
}

// running is a server at work in a test.
type running struct {
	*Server
	log  *buffer
	stop func() // tells it to stop, and waits for the end
}

// start runs a server with the options, on free ports, and with the routes of a
// YAML document as provider "file".
func start(t *testing.T, routes string, options ...string) *running {
	t.Helper()
	loaded, err := config.Load(append([]string{"--entrypoints.web.address=127.0.0.1:0"}, options...), nil)
	if err != nil {
		t.Fatal(err)
	}
	tree, err := decode.Document([]byte(routes), ".yml")
	if err != nil {
		t.Fatal(err)
	}
	var cfg dynamic.Configuration
	for _, f := range tree.Into(&cfg, nil) {
		if f.Kind != decode.Deprecated {
			t.Fatal(f)
		}
		cfg.Problems = append(cfg.Problems, cfg.Blame(f))
	}
	log, text := newLog()
	s, err := New(Options{Config: loaded, Log: log, Version: "test", Extra: map[string]providers.Provider{"file": static{&cfg}}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := s.Run(ctx); err != nil {
			t.Error(err)
		}
	}()
	<-s.watch.Heard()
	r := &running{Server: s, log: text, stop: func() { cancel(); <-ended }}
	t.Cleanup(r.stop)
	return r
}

// get asks the entry point for a path at a host.
func (r *running) get(t *testing.T, host, path string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, "http://"+r.Addresses()["web"]+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = host
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(body)
}

// backend starts a server that hands each request to see before it answers.
func backend(t *testing.T, see func(*http.Request)) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		see(r)
		_, _ = w.Write([]byte("answer"))
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// routeTo is a document with one route for all hosts to a server.
func routeTo(url string) string {
	return "http:\n  routers: {all: {rule: 'PathPrefix(`/`)', service: all}}\n  services: {all: {loadBalancer: {servers: [{url: '" + url + "'}]}}}\n"
}
