// Package proxytest has stand-ins for the tests of services that are made of others.
package proxytest

import (
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"

	"fairway/proxy"
)

// Child is a service that answers with its name, and can be down.
type Child struct {
	Name   string
	Status atomic.Int32 // to answer with; 0 is 200
	Down   atomic.Bool

	mu   sync.Mutex
	seen []string // bodies of the requests that it got
}

func (c *Child) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	c.mu.Lock()
	c.seen = append(c.seen, string(body))
	c.mu.Unlock()
	w.Header().Set("X-From", c.Name)
	if status := c.Status.Load(); status != 0 {
		w.WriteHeader(int(status))
	}
	_, _ = io.WriteString(w, c.Name)
}

// Seen returns the bodies of the requests that it got.
func (c *Child) Seen() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string(nil), c.seen...)
}

// Up implements proxy.Child.
func (c *Child) Up() bool { return !c.Down.Load() }

// Servers implements proxy.Service.
func (c *Child) Servers() []proxy.ServerStatus { return nil }

// Among makes proxy.Env's Service of some children.
func Among(children ...*Child) func(string) (proxy.Child, error) {
	return func(name string) (proxy.Child, error) {
		for _, c := range children {
			if c.Name == name {
				return c, nil
			}
		}
		return nil, fmt.Errorf("the service %q does not exist", name)
	}
}
