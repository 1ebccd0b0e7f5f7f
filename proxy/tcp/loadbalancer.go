package tcp

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// New makes the service, with the transport that it names, or, if that is nil, the usual one. It works until ctx ends, which
// is when its health checks end, too.
func (c *LoadBalancer) New(ctx context.Context, t, usual *Transport) (Service, error) {
	if err := errors.Join(c.ProxyProtocol.check(), c.HealthCheck.check()); err != nil {
		return nil, err
	}
	if t == nil {
		t = &Transport{}
		*t = *usual
		if c.ProxyProtocol != nil {
			t.version = c.ProxyProtocol.Version
		}
		if c.TerminationDelay != nil {
			t.delay = time.Duration(*c.TerminationDelay) * time.Millisecond
		}
	}
	lb := &loadBalancer{transport: t}
	for i, s := range c.Servers {
		if err := s.check(); err != nil {
			return nil, fmt.Errorf("servers[%d]: %w", i, err)
		}
		lb.servers = append(lb.servers, &server{Server: s})
	}
	if c.HealthCheck != nil {
		for _, s := range lb.servers {
			go c.HealthCheck.follow(ctx, t, s) // ends with ctx
		}
	}
	return lb, nil
}

// server is one of a load balancer.
type server struct {
	Server
	down atomic.Pointer[string] // why; nil: it is up
}

type loadBalancer struct {
	transport *Transport
	servers   []*server
	turn      atomic.Uint64
}

// ServeTCP implements Handler: the server whose turn it is gets the connection, or the next one that can be
// reached. Servers that a check has found to be away are asked last.
func (lb *loadBalancer) ServeTCP(ctx context.Context, c *Client) error {
	var failed error
	for _, s := range lb.order() {
		conn, err := lb.transport.dial(ctx, s.Server, c)
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("server %s: %w", s.Address, err))
			continue
		}
		pipe(ctx, c, conn, lb.transport.delay)
		return nil
	}
	_ = c.Close()
	if failed == nil {
		failed = errors.New("there is no server")
	}
	return failed
}

// order is that in which servers are tried.
func (lb *loadBalancer) order() []*server {
	n := len(lb.servers)
	if n == 0 {
		return nil
	}
	first := int(lb.turn.Add(1)-1) % n
	if first < 0 {
		first += n
	}
	up, away := make([]*server, 0, n), []*server(nil)
	for i := range n {
		if s := lb.servers[(first+i)%n]; s.down.Load() == nil {
			up = append(up, s)
		} else {
			away = append(away, s)
		}
	}
	return append(up, away...)
}

// Up implements Service.
func (lb *loadBalancer) Up() bool {
	for _, s := range lb.servers {
		if s.down.Load() == nil {
			return true
		}
	}
	return false
}

// Servers implements Service.
func (lb *loadBalancer) Servers() (all []ServerStatus) {
	for _, s := range lb.servers {
		status := ServerStatus{Address: s.Address, Up: true}
		if why := s.down.Load(); why != nil {
			status.Up, status.Reason = false, *why
		}
		all = append(all, status)
	}
	return all
}
