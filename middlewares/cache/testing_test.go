package cache

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"fairway/internal/record"
	"fairway/middlewares"
	"fairway/middlewares/middlewarestest"
)

// keeping is an Env that keeps, and begins what is begun, as the gateway does.
func keeping(t *testing.T) middlewares.Env {
	env := middlewarestest.Env("test")
	var value any
	env.Keep = func(fresh func() any) any {
		if value == nil {
			value = fresh()
		}
		return value
	}
	env.Serves = "shop@docker"
	env.Start = func(run func(context.Context)) { run(t.Context()) }
	return env
}

func defaults(change ...func(*Config)) *Config {
	c := &Config{}
	c.SetDefaults()
	for _, f := range change {
		f(c)
	}
	return c
}

func build(t *testing.T, c *Config, env middlewares.Env, next http.Handler) http.Handler {
	t.Helper()
	h, err := c.New(t.Context(), env, next)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// service counts what it is asked.
type service struct {
	asked atomic.Int64
	serve func(w http.ResponseWriter, r *http.Request, n int64)
}

func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.serve(w, r, s.asked.Add(1))
}

// saying is a service that answers with fields, "Name: value", and its count as body.
func saying(fields ...string) *service {
	return &service{serve: func(w http.ResponseWriter, _ *http.Request, n int64) {
		put(w, fields...)
		_, _ = w.Write([]byte{'0' + byte(n)})
	}}
}

func put(w http.ResponseWriter, fields ...string) {
	for _, f := range fields {
		name, value, _ := strings.Cut(f, ": ")
		w.Header().Add(name, value)
	}
}

// ask sends a request, with fields as "Name: value".
func ask(t *testing.T, h http.Handler, method, url string, fields ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(method, url, http.NoBody)
	r.RequestURI = r.URL.RequestURI()
	for _, f := range fields {
		name, value, _ := strings.Cut(f, ": ")
		r.Header.Add(name, value)
	}
	r = r.WithContext(record.With(r.Context(), &record.Record{}))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// want checks the body and, where it is not empty, what Cache-Status has.
func want(t *testing.T, w *httptest.ResponseRecorder, body, told string) {
	t.Helper()
	if w.Body.String() != body || !strings.Contains(w.Header().Get("Cache-Status"), told) {
		t.Errorf("got %d %q, Cache-Status %q, want %q, %q", w.Code, w.Body, w.Header().Get("Cache-Status"), body, told)
	}
}
