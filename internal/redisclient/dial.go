package redisclient

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/gomodule/redigo/redis"
)

// connect makes a connection that can be used: protected, with a login, and at the database. ctx
// has a deadline for all of it.
func (s *settings) connect(ctx context.Context, address string) (redis.Conn, error) {
	var dialer net.Dialer
	plain, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	if s.tls != nil {
		config := s.tls.Clone()
		config.ServerName, _, _ = net.SplitHostPort(address)
		protected := tls.Client(plain, config)
		if err := protected.HandshakeContext(ctx); err != nil {
			_ = plain.Close()
			return nil, fmt.Errorf("tls: %w", err)
		}
		plain = protected
	}
	c := redis.NewConn(plain, s.read, s.write)
	if err := s.greet(ctx, c); err != nil {
		_ = c.Close()
		return nil, err
	}
	return c, nil
}

func (s *settings) greet(ctx context.Context, c redis.Conn) error {
	say := func(command string, args ...any) (any, error) {
		within := s.read
		if until, ok := ctx.Deadline(); ok {
			within = max(min(within, time.Until(until)), time.Millisecond)
		}
		return redis.DoWithTimeout(c, within, command, args...)
	}
	password, err := s.secret()
	if err != nil {
		return err
	}
	if password != "" {
		login := []any{password}
		if s.username != "" {
			login = []any{s.username, password}
		}
		if _, err := say("AUTH", login...); err != nil {
			return fmt.Errorf("log in: %w", err)
		}
	}
	if s.db > 0 {
		if _, err := say("SELECT", s.db); err != nil {
			return fmt.Errorf("select the database %d: %w", s.db, err)
		}
	}
	if s.master {
		role, err := redis.Values(say("ROLE"))
		if err != nil || len(role) == 0 {
			return fmt.Errorf("ask for its role: %w", cmp.Or(err, redis.ErrNil))
		}
		if name, err := redis.String(role[0], nil); err != nil || name != "master" {
			return errors.New("it is the master no more")
		}
	}
	return nil
}
