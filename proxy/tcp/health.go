package tcp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"
)

// follow asks a server again and again, until ctx ends.
func (c *HealthCheck) follow(ctx context.Context, t *Transport, s *server) {
	for {
		pause := time.Duration(c.Interval)
		if err := c.ask(ctx, t, s.Server); err != nil {
			why := err.Error()
			if s.down.Store(&why); c.UnhealthyInterval > 0 {
				pause = time.Duration(c.UnhealthyInterval)
			}
		} else {
			s.down.Store(nil)
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
	}
}

// ask tells why a server is not there.
func (c *HealthCheck) ask(ctx context.Context, t *Transport, s Server) error {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(c.Timeout))
	defer cancel()
	if c.Port != 0 {
		host, _, _ := net.SplitHostPort(s.Address)
		s.Address = net.JoinHostPort(host, strconv.Itoa(c.Port))
	}
	conn, err := t.dial(ctx, s, &Client{})
	if err != nil {
		return err
	}
	defer conn.Close()
	end, _ := ctx.Deadline()
	_ = conn.SetDeadline(end)
	if c.Send != "" {
		if _, err := io.WriteString(conn, c.Send); err != nil {
			return fmt.Errorf("send: %w", err)
		}
	}
	if c.Expect == "" {
		return nil
	}
	got := make([]byte, len(c.Expect))
	n, err := io.ReadFull(conn, got)
	switch {
	case err == nil && string(got) != c.Expect:
		return fmt.Errorf("it answers %q, and not %q", got, c.Expect)
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return fmt.Errorf("it answers %q, and not %q", got[:n], c.Expect)
	case err != nil:
		return fmt.Errorf("expect: %w", err)
	}
	return nil
}
