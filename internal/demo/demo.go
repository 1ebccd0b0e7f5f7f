// Package demo has what `fairway demo` shows: a few sample services inside the
// process, routed to by labels as containers would carry them.
package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"fairway/config/labels"
	"fairway/providers"
)

// Options are the install options of the demo. Options given behind them win.
func Options() []string {
	return []string{
		"--entrypoints.web.address=127.0.0.1:8000",
		"--entrypoints.traefik.address=127.0.0.1:8080",
		"--api.insecure=true", "--ping=true",
	}
}

// sample is one sample service with its labels.
type sample struct {
	name     string
	replicas int
	labels   map[string]string
	says     string // JSON; empty: it answers with what arrived
}

// page is what begins the labels of the page that is made of several services.
const page = "fairway.http.services.page.aggregate."

var samples = []sample{
	{name: "whoami", replicas: 3, labels: map[string]string{
		"fairway.http.routers.whoami.rule": "Host(`whoami.localhost`)",
	}},
	{name: "shop", replicas: 1, labels: map[string]string{
		"fairway.http.routers.shop.rule":                             "Host(`shop.localhost`) && PathPrefix(`/api`)",
		"fairway.http.routers.shop.middlewares":                      "strip-api",
		"fairway.http.middlewares.strip-api.stripprefix.prefixes":    "/api",
		"fairway.http.routers.old-shop.rule":                         "Host(`old.localhost`)",
		"fairway.http.routers.old-shop.middlewares":                  "to-shop",
		"fairway.http.middlewares.to-shop.redirectregex.regex":       "^http://old.localhost(:[0-9]+)?/(.*)",
		"fairway.http.middlewares.to-shop.redirectregex.replacement": "http://shop.localhost$1/api/$2",
	}},
	{name: "vault", replicas: 1, labels: map[string]string{
		"fairway.http.routers.vault.rule":        "Host(`vault.localhost`)",
		"fairway.http.routers.vault.middlewares": "login",
		// The password is "demo".
		"fairway.http.middlewares.login.basicauth.users": "demo:$2a$06$dHkI3GRZocKvUmUZc1c88e1c60l136y2HGgfPufgCFseW3.qPQA3m",
	}},
	{name: "typo", replicas: 1, labels: map[string]string{
		"fairway.http.routers.typo.rule":       "Host(`typo.localhost`)",
		"fairway.http.routers.typo.middleware": "strip-api",
	}},
	{name: "orders", replicas: 1, says: `[{"sku": "cup", "count": 2}, {"sku": "pot", "count": 1}]`},
	{name: "users", replicas: 1, says: `{"id": 7, "name": "Ann", "address": {"city": "Ulm"}}`},
	{name: "page", replicas: 1, labels: map[string]string{
		"fairway.http.routers.page.rule":    "Host(`shop.localhost`) && PathPrefix(`/page/`)",
		"fairway.http.routers.page.service": "page",
		page + "path":                       "/page/{id}",
		page + "parts.user.service":         "users",
		page + "parts.user.path":            "/users/{path.id}",
		page + "parts.orders.service":       "orders",
		page + "parts.orders.query.of":      "{parts.user.id}",
		page + "parts.stars.service":        "reviews", // there is none: the page goes on without it, and says so
		page + "parts.stars.required":       "false",
		page + "parts.stars.fallback":       "[]",
		page + "variantby":                  "{header.X-Client},{client}",
		page + "variants.mobile.parts":      "user,orders",
		page + "variants.mobile.fields":     "user.name,orders.sku",
		page + "fields.parameter":           "fields",
	}},
}

// Samples are sample services at work.
type Samples struct {
	workloads []*labels.Workload
	servers   []*http.Server
}

// Start starts the sample services on free ports of this machine.
func Start() (*Samples, error) {
	s := &Samples{}
	for _, sample := range samples {
		for i := range sample.replicas {
			if err := s.start(sample, fmt.Sprintf("%s-%d", sample.name, i+1)); err != nil {
				return nil, errors.Join(err, s.Close())
			}
		}
	}
	return s, nil
}

func (s *Samples) start(sample sample, container string) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("start sample service %s: %w", container, err)
	}
	server := &http.Server{Handler: sample.handler(container), ReadHeaderTimeout: 10 * time.Second}
	s.servers = append(s.servers, server)
	go func() { _ = server.Serve(l) }() // ends with Close
	s.workloads = append(s.workloads, &labels.Workload{
		ID: container, Source: "sample " + container, Name: sample.name, Container: container,
		Labels: sample.labels, Control: labels.ReadControl(sample.labels), Running: true, Ready: true,
		Address: "127.0.0.1", Ports: []labels.Port{{Number: l.Addr().(*net.TCPAddr).Port}},
	})
	return nil
}

// Close ends the sample services.
func (s *Samples) Close() error {
	var errs []error
	for _, server := range s.servers {
		errs = append(errs, server.Close())
	}
	return errors.Join(errs...)
}

// Provider returns the provider of the samples under its name.
func (s *Samples) Provider() map[string]providers.Provider {
	return map[string]providers.Provider{"demo": s}
}

// Run implements providers.Provider.
func (s *Samples) Run(ctx context.Context, publish providers.Publish) error {
	decoder, err := labels.New(labels.Options{Provider: "demo", ExposedByDefault: true})
	if err != nil {
		return err
	}
	publish(decoder.Configuration(s.workloads))
	<-ctx.Done()
	return ctx.Err()
}

func (s sample) handler(container string) http.Handler {
	if s.says == "" {
		return echo(container)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, s.says)
	})
}

// echo answers with what arrived.
func echo(container string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		encoder := json.NewEncoder(w)
		encoder.SetIndent("", "  ")
		_ = encoder.Encode(map[string]any{
			"container": container, "method": r.Method, "host": r.Host, "path": r.URL.Path, "headers": r.Header,
		})
	})
}

// Welcome is what the demo prints: where to look and what to try.
func Welcome(addresses map[string]string, docker bool) string {
	web, api := addresses["web"], addresses["traefik"]
	_, port, _ := net.SplitHostPort(web)
	var b strings.Builder
	say := func(text, command string) { fmt.Fprintf(&b, "  %-58s # %s\n", command, text) }
	b.WriteString("\nfairway demo\n  web       http://" + web + "\n  API       http://" + api + "/dashboard/\n\nTry:\n")
	say("round robin over three", "curl -H 'Host: whoami.localhost' http://"+web)
	say("a prefix stripped", "curl http://shop.localhost:"+port+"/api/cart")
	say("a redirect", "curl -i http://old.localhost:"+port+"/cart")
	say("a login asked for", "curl -u demo:demo http://vault.localhost:"+port)
	say("one page of several services", "curl -i http://shop.localhost:"+port+"/page/7")
	say("the same for a phone", "curl -H 'X-Client: mobile' http://shop.localhost:"+port+"/page/7")
	say("a mistyped label, explained", "curl http://"+api+"/api/problems")
	say("everything that is routed", "curl http://"+api+"/api/http/routers")
	if docker {
		b.WriteString("\nContainers of this machine's Docker engine are routed to as well, when they carry fairway.enable=true.\n")
	}
	b.WriteString("\nCtrl-C ends it.\n\n")
	return b.String()
}
