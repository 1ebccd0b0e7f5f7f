package main

import (
	"context"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"regexp"
	"strings"
)

// socketProxy lets through to the socket of Docker what tecnativa/docker-socket-proxy
// does: GET, below the parts of the API that the environment allows with NAME=1.
func socketProxy() http.Handler {
	allowed := []string{"_ping", "version", "events"} // by default
	for _, part := range []string{"containers", "networks"} {
		if os.Getenv(strings.ToUpper(part)) == "1" {
			allowed = append(allowed, part)
		}
	}
	pattern := regexp.MustCompile(`^(/v[\d.]+)?/(` + strings.Join(allowed, "|") + `)(/|$)`)
	docker := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: "docker"})
	docker.FlushInterval = -1
	docker.Transport = &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", "/var/run/docker.sock")
	}}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if (r.Method != http.MethodGet && r.Method != http.MethodHead) || !pattern.MatchString(r.URL.Path) {
			http.Error(w, "not allowed here", http.StatusForbidden)
			return
		}
		docker.ServeHTTP(w, r)
	})
}
