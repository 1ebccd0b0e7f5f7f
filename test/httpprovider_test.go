//go:build e2e

package test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

// TestHTTPProvider_FollowsAServer has fairway fetch its routes from a server that knows a
// login, sends them only when they are new, and goes away and comes back.
func TestHTTPProvider_FollowsAServer(t *testing.T) {
	one, two := named(t, "one"), named(t, "two")
	var document atomic.Pointer[string]
	var unchanged atomic.Int64
	set := func(to string) {
		text := fmt.Sprintf(`{"http": {
			"routers": {"shop": {"rule": "Host(%[1]cshop.test%[1]c)", "service": "shop"}, "wrong": {"rul": "x"}},
			"services": {"shop": {"loadBalancer": {"servers": [{"url": %[2]q}]}}}}}`, '`', to)
		document.Store(&text)
	}
	set(one)
	routes := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Token") != "t0ken" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		text := *document.Load()
		tag := fmt.Sprintf("%q", fmt.Sprint(len(text), strings.Contains(text, one)))
		w.Header().Set("ETag", tag)
		w.Header().Set("Content-Type", "application/json")
		if r.Header.Get("If-None-Match") == tag {
			unchanged.Add(1)
			w.WriteHeader(http.StatusNotModified)
			return
		}
		_, _ = io.WriteString(w, text)
	}))
	routes.Start()
	address := routes.Listener.Addr().String()
	f := startFairway(t, "--providers.http.endpoint=http://"+address+"/routes", "--providers.http.pollinterval=20ms", "--providers.http.headers.X-Token=t0ken")
	f.await("the first routes", f.says("shop.test", "one"))
	if p := f.problem("/routes", "http.routers.wrong.rul"); p.Provider != "http" || p.Line != 2 || p.Nearest != "http.routers.wrong.rule" {
		t.Errorf("got %+v", p)
	}
	f.await("answers that nothing is new", func() bool { return unchanged.Load() > 2 })
	stop := f.untouched("shop.test")
	set(two)
	f.await("the second routes", f.says("shop.test", "two"))
	routes.Close()
	f.problem("http://"+address+"/routes", "no configuration can be fetched", "the last good one stays in force")
	if !f.says("shop.test", "two")() {
		t.Error("the routes are gone with their server")
	}
	stop()
	set(one)
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	again := &httptest.Server{Listener: l, Config: &http.Server{Handler: routes.Config.Handler}}
	again.Start()
	t.Cleanup(again.Close)
	f.await("the routes of the server that is back", f.says("shop.test", "one"))
	if a := f.get("shop.test", "/"); a.status != http.StatusOK {
		t.Errorf("got %d", a.status)
	}
	var install struct{}
	f.api("/api/install", &install)
	if a, err := ask(fresh, "http://"+f.address("traefik")+"/api/install", ""); err != nil || strings.Contains(a.text, "t0ken") {
		t.Errorf("the install configuration shows a credential: %s, %v", a.text, err)
	}
}

func TestPrecedence_DecidesBetweenProviders(t *testing.T) {
	one, two := named(t, "file"), named(t, "http")
	document := func(to string) string {
		return "http:\n  routers:\n    shop: {rule: 'Host(`shop.test`)', service: shop}\n  services:\n    shop: {loadBalancer: {servers: [{url: '" + to + "'}]}}\n"
	}
	routes := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, document(two)) }))
	defer routes.Close()
	for order, want := range map[string]string{"file": "file", "http,file": "http"} {
		f := startFairway(t, routesIn(t, document(one)), "--providers.http.endpoint="+routes.URL, "--providers.precedence="+order)
		f.await("the router of "+want, func() bool {
			var all []struct{ Name string }
			f.api("/api/http/routers", &all)
			n := 0
			for _, r := range all {
				if strings.HasPrefix(r.Name, "shop@") {
					n++
				}
			}
			return n == 2 && f.says("shop.test", want)()
		})
	}
}
