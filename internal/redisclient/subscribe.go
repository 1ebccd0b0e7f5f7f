package redisclient

import (
	"context"
	"fmt"
	"sync"

	"github.com/gomodule/redigo/redis"
)

// Subscription is told what servers publish. Of what comes while nobody listens, one message is
// kept: they are all alike.
type Subscription struct {
	// Told has a value when something was published.
	Told <-chan struct{}
	// Lost is closed when a connection has ended, so that something may have been missed.
	Lost <-chan struct{}

	end func()
}

// Close ends the subscription.
func (s *Subscription) Close() { s.end() }

// Subscribe asks every server with keys to tell what is published in the channels of these
// patterns. When it returns, whatever is published from then on is told.
func (c *Client) Subscribe(ctx context.Context, patterns ...string) (*Subscription, error) {
	nodes, err := c.finder.all(ctx)
	if err != nil {
		return nil, err
	}
	told, lost := make(chan struct{}, 1), make(chan struct{})
	var conns []redis.Conn
	var readers sync.WaitGroup
	end := func() {
		for _, conn := range conns {
			_ = conn.Close()
		}
		readers.Wait()
	}
	var once sync.Once
	for _, n := range nodes {
		conn, err := n.subscribe(ctx, c, patterns)
		if err != nil {
			end()
			c.finder.missed(n)
			return nil, err
		}
		conns = append(conns, conn)
		readers.Go(func() {
			listen(conn, told)
			once.Do(func() { close(lost) })
		})
	}
	stop := context.AfterFunc(ctx, end)
	return &Subscription{Told: told, Lost: lost, end: func() {
		stop()
		end()
	}}, nil
}

func (n *node) subscribe(ctx context.Context, c *Client, patterns []string) (redis.Conn, error) {
	conn, err := n.dial(ctx, c.deadline(ctx))
	if err != nil {
		return nil, err
	}
	p := redis.PubSubConn{Conn: conn}
	args := make([]any, len(patterns))
	for i, pattern := range patterns {
		args[i] = pattern
	}
	if err = p.PSubscribe(args...); err == nil {
		for range patterns {
			if failed, ok := p.Receive().(error); ok && err == nil {
				err = failed
			}
		}
	}
	if err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("subscribe at %s: %w", n.address, err)
	}
	return conn, nil
}

// listen reads until the connection ends.
func listen(conn redis.Conn, told chan<- struct{}) {
	p := redis.PubSubConn{Conn: conn}
	for {
		if _, failed := p.ReceiveWithTimeout(0).(error); failed {
			return
		}
		select {
		case told <- struct{}{}:
		default:
		}
	}
}
