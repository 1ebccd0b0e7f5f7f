package router

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/sirupsen/logrus"

	"fairway/config/dynamic"
	"fairway/internal/decode"
	"fairway/proxy"
)

// toServer answers with the address of the server, the path and the host that it
// was asked to forward.
type toServer struct{}

func (toServer) Forward(w http.ResponseWriter, r *http.Request, target *proxy.Target, _ proxy.Options) error {
	_, err := fmt.Fprintf(w, "%s %s", target.URL.Host, r.URL.Path)
	if err != nil {
		return &proxy.Error{Err: err}
	}
	return nil
}

// newEnv has the entry points web, websecure and traefik; routers that name none
// listen at the first two.
func newEnv(points ...EntryPoint) Env {
	log := logrus.New()
	log.SetOutput(io.Discard)
	if points == nil {
		points = []EntryPoint{{Name: "web", Default: true}, {Name: "websecure", Default: true}, {Name: "traefik"}}
	}
	return Env{Log: log, EntryPoints: points, Forwarder: toServer{}, Internal: map[string]http.Handler{
		"api": http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "api") }),
	}}
}

// parse reads the YAML of one provider.
func parse(tb testing.TB, provider, text string) *dynamic.Configuration {
	tb.Helper()
	tree, err := decode.Document([]byte(strings.ReplaceAll(text, "\t", "  ")), ".yml")
	if err != nil {
		tb.Fatal(err)
	}
	cfg := &dynamic.Configuration{HTTP: &dynamic.HTTP{}}
	for _, f := range tree.Into(cfg, dynamic.TraefikOption) {
		cfg.Problems = append(cfg.Problems, cfg.Blame(f))
	}
	return cfg.Qualified(provider)
}

// changed is cfg with the file provider's objects of text in place of those of the same names.
// What is not in text is the same pointer, as a provider publishes it.
func changed(tb testing.TB, cfg *dynamic.Configuration, text string) *dynamic.Configuration {
	tb.Helper()
	over := parse(tb, "file", text)
	return &dynamic.Configuration{Problems: over.Problems, HTTP: &dynamic.HTTP{
		Routers:     overlaid(cfg.HTTP.Routers, over.HTTP.Routers),
		Services:    overlaid(cfg.HTTP.Services, over.HTTP.Services),
		Middlewares: overlaid(cfg.HTTP.Middlewares, over.HTTP.Middlewares),
	}}
}

func overlaid[T any](under, over map[string]*T) map[string]*T {
	out := map[string]*T{}
	maps.Copy(out, under)
	maps.Copy(out, over)
	return out
}

// ask sends a request to an entry point and returns status and body.
func ask(tb testing.TB, r *Router, entryPoint, url string) string {
	tb.Helper()
	w := httptest.NewRecorder()
	r.Handler(entryPoint).ServeHTTP(w, httptest.NewRequest(http.MethodGet, url, nil))
	return fmt.Sprintf("%d %s", w.Code, strings.TrimSpace(w.Body.String()))
}

// reasons are the problems of a table that name the object.
func reasons(t *Table, name string) (list []string) {
	for _, p := range t.Problems() {
		if p.Name == name {
			list = append(list, p.String())
		}
	}
	slices.Sort(list)
	return list
}

// watchRetired counts how often each route and service of a table is retired.
func watchRetired(t *Table) map[string]int {
	counts := map[string]int{}
	count := func(name string, retire context.CancelFunc) context.CancelFunc {
		return func() { counts[name]++; retire() }
	}
	for name, rt := range t.routes {
		rt.retire = count("router "+name, rt.retire)
	}
	for name, s := range t.services {
		if in := s.current.Load(); in.retire != nil {
			in.retire = count("service "+name, in.retire)
		}
	}
	return counts
}
