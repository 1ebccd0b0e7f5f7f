package redisclient

import (
	"context"
	"sync"
)

// search looks for servers: once for all who wait for it, and in its own time. Somebody who has
// less waits no longer, and the next one finds what was found.
type search struct {
	mu    sync.Mutex
	under *finding
}

type finding struct {
	done chan struct{}
	err  error
}

// begin starts a search, unless there is one under way.
func (s *search) begin(c *Client, run func(ctx context.Context) error) *finding {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.under != nil {
		return s.under
	}
	f := &finding{done: make(chan struct{})}
	started := c.look(func(ctx context.Context) {
		f.err = run(ctx)
		s.mu.Lock()
		s.under = nil
		s.mu.Unlock()
		close(f.done)
	})
	if !started {
		f.err = errEnded
		close(f.done)
		return f
	}
	s.under = f
	return f
}

func (f *finding) wait(ctx context.Context) error {
	select {
	case <-f.done:
		return f.err
	case <-ctx.Done():
		return ctx.Err()
	}
}
