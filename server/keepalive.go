package server

import (
	"context"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"fairway/config"
)

// keepAlive bounds how much a connection serves (RFC 9112, section 9.6, and RFC
// 9113, section 6.8). The engine does so by itself; this is for the standard
// library, which says so to the client by "Connection: close" or GOAWAY when a
// handler sets that field.
type keepAlive struct {
	requests int64
	age      time.Duration
}

func newKeepAlive(c *config.Transport) keepAlive {
	return keepAlive{int64(c.KeepAliveMaxRequests), time.Duration(c.KeepAliveMaxTime)}
}

func (k *keepAlive) limited() bool { return k.requests > 0 || k.age > 0 }

// service is what a connection has served.
type service struct {
	since    time.Time
	requests atomic.Int64
}

type serviceKey struct{}

// begin is http.Server.ConnContext.
func (k *keepAlive) begin(ctx context.Context, _ net.Conn) context.Context {
	return context.WithValue(ctx, serviceKey{}, &service{since: time.Now()})
}

// count notes a request, and ends its connection when it was the last.
func (k *keepAlive) count(w http.ResponseWriter, r *http.Request) {
	if !k.limited() {
		return
	}
	s, ok := r.Context().Value(serviceKey{}).(*service)
	if !ok {
		return
	}
	if n := s.requests.Add(1); k.requests > 0 && n >= k.requests || k.age > 0 && time.Since(s.since) >= k.age {
		w.Header().Set("Connection", "close")
	}
}
