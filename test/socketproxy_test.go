//go:build e2e

package test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

// What a read-only socket proxy lets through, as SECURITY.md describes it.
var readOnly = regexp.MustCompile(`^(/v1\.\d+)?/(_ping|version|events|containers/json|containers/[0-9a-f]+/json|networks)$`)

func TestDocker_ThroughAReadOnlySocketProxy(t *testing.T) {
	e := needDocker(t)
	var mu sync.Mutex
	var refused []string
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: "docker"})
	proxy.FlushInterval = -1
	proxy.Transport = &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", e.socket())
	}}
	guard := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if (r.Method != http.MethodGet && r.Method != http.MethodHead) || !readOnly.MatchString(r.URL.Path) {
			mu.Lock()
			refused = append(refused, r.Method+" "+r.URL.Path)
			mu.Unlock()
			w.WriteHeader(http.StatusForbidden)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	defer guard.CloseClientConnections()
	f := startFairway(t, "--providers.docker.endpoint="+strings.Replace(guard.URL, "http://", "tcp://", 1))
	e.container(t, "guarded")
	f.awaitStatus("guarded", 200)
	e.do(t, "stop", "-t", "1", "guarded")
	f.awaitStatus("guarded", 404)
	mu.Lock()
	defer mu.Unlock()
	slices.Sort(refused)
	if refused = slices.Compact(refused); len(refused) > 0 {
		t.Errorf("more was asked for than the proxy allows: %q", refused)
	}
}
