package server

import (
	"io"
	"math"
	"net/http"
	"strings"

	"fairway/config"
)

// Whoever watches over fairway asks two things. /ping: does it work, or is it to be started
// again? /ready: does it know what to route to, so that it may get requests? The second is
// no from the moment it is told to stop, as is the first.

func (s *Server) ping(w http.ResponseWriter, _ *http.Request) {
	if s.stopping.Load() {
		w.WriteHeader(s.config.Ping.TerminatingStatusCode)
		return
	}
	_, _ = io.WriteString(w, "OK")
}

func (s *Server) ready(w http.ResponseWriter, _ *http.Request) {
	waiting := s.watch.Waiting()
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	switch {
	case s.stopping.Load():
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(w, "stopping\n")
	case len(waiting) > 0:
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(w, "waiting for "+strings.Join(waiting, ", ")+"\n")
	default:
		_, _ = io.WriteString(w, config.Ready+"\n")
	}
}

// readyPriority is that of /ready at an entry point. Traefik has no such path, so that a
// service may have it: where routers of users are, these come first.
func readyPriority(c *config.Configuration, entryPoint string) int {
	e := c.EntryPoints[entryPoint]
	if entryPoint == config.InternalEntryPoint || e != nil && e.HTTP.Redirections != nil && e.HTTP.Redirections.EntryPoint != nil {
		return math.MaxInt
	}
	return 1
}
