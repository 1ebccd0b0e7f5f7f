package udp

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"fairway/internal/balance"
	"fairway/proxy"
)

// LoadBalancer spreads sessions over servers, in turn.
type LoadBalancer struct {
	// Servers to spread sessions over. A container has one server, written server.port.
	Servers []Server `json:"servers,omitempty" label-slice-as-struct:"server"`
}

// Server is one server behind a load balancer.
type Server struct {
	// Address of the server, as in 10.0.0.2:53. On a container it replaces port.
	Address string `json:"address,omitempty"`
	// Port of the container. Default: the lowest port that the container exposes.
	Port string `json:"-" file:"-"`
}

// Weighted spreads sessions over other services.
type Weighted struct {
	// Services to spread over, by their weights, in turn. One without a server is left out.
	Services []proxy.Part `json:"services,omitempty"`
}

// New makes the service.
func (c *LoadBalancer) New() (Service, error) {
	lb := &loadBalancer{}
	for i, s := range c.Servers {
		host, port, err := net.SplitHostPort(s.Address)
		if n, bad := strconv.Atoi(port); err != nil || bad != nil || host == "" || n < 1 || n > 65535 {
			return nil, fmt.Errorf("servers[%d]: address %q: is none, as in 10.0.0.2:53", i, s.Address)
		}
		lb.servers = append(lb.servers, s.Address)
	}
	return lb, nil
}

type loadBalancer struct {
	servers []string
	turn    atomic.Uint64
}

// Dial implements Service.
func (lb *loadBalancer) Dial() (*net.UDPConn, string, error) {
	n := uint64(len(lb.servers))
	if n == 0 {
		return nil, "", errors.New("there is no server")
	}
	first := lb.turn.Add(1) - 1
	var failed error
	for i := range n {
		address := lb.servers[(first+i)%n]
		conn, err := net.DialTimeout("udp", address, longestLookup) // nothing is sent: it waits for names only
		if err == nil {
			return conn.(*net.UDPConn), address, nil
		}
		failed = errors.Join(failed, fmt.Errorf("server %s: %w", address, err))
	}
	return nil, "", failed
}

// longestLookup bounds the wait for an address of a name, which all sessions of an entry point share.
const longestLookup = 500 * time.Millisecond

// Has implements Service.
func (lb *loadBalancer) Has(server string) bool { return slices.Contains(lb.servers, server) }

// Up implements Service.
func (lb *loadBalancer) Up() bool { return len(lb.servers) > 0 }

// Servers implements Service.
func (lb *loadBalancer) Servers() []string { return lb.servers }

// New makes the service of others, which are found by their names.
func (c *Weighted) New(find func(name string) (Service, error)) (Service, error) {
	if len(c.Services) == 0 {
		return nil, errors.New("services: there are none")
	}
	var parts []balance.Candidate[Service]
	w := &weighted{}
	for i, p := range c.Services {
		child, err := find(p.Name)
		if err != nil {
			return nil, fmt.Errorf("services[%d]: %w", i, err)
		}
		weight := 1
		if p.Weight != nil {
			weight = *p.Weight
		}
		if weight < 0 {
			return nil, fmt.Errorf("services[%d]: weight %d: is below 0", i, weight)
		}
		w.children = append(w.children, child)
		if child.Up() {
			parts = append(parts, balance.Candidate[Service]{Value: child, Weight: weight})
		}
	}
	w.turns = balance.NewRoundRobin(parts)
	return w, nil
}

type weighted struct {
	children []Service
	turns    *balance.RoundRobin[Service]
}

// Dial implements Service.
func (w *weighted) Dial() (*net.UDPConn, string, error) {
	child, found := w.turns.Next(nil)
	if !found {
		return nil, "", errors.New("none of the services has a server")
	}
	return child.Dial()
}

// Up implements Service.
func (w *weighted) Up() bool {
	for _, child := range w.children {
		if child.Up() {
			return true
		}
	}
	return false
}

// Has implements Service.
func (w *weighted) Has(server string) bool {
	return slices.ContainsFunc(w.children, func(child Service) bool { return child.Has(server) })
}

// Servers implements Service: they are those of the services.
func (w *weighted) Servers() []string { return nil }
