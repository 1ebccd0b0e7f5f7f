package redisclient

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync/atomic"
	"time"

	"github.com/gomodule/redigo/redis"
)

// sentinels know who the master is. They are asked when nobody is known, or the known one did not
// answer as a master; and every few seconds when there is something to do, so that a master that was cut off from
// the others is not taken for one for long. A new connection asks the server itself as well
// (ROLE).
type sentinels struct {
	client *Client
	name   string
	asking *settings

	master atomic.Pointer[known]
	search search
	known  []string // sentinels; the one that has answered last is the first
}

// known is a master, and since when.
type known struct {
	node  *node
	since time.Time
	bad   atomic.Bool
}

const freshMaster = 5 * time.Second

func newSentinels(c *Client, config *Config) *sentinels {
	own := *c.settings
	own.username, own.password, own.passwordFile = config.Sentinel.Username, config.Sentinel.Password.Reveal(), ""
	own.db, own.master = 0, false
	return &sentinels{client: c, name: config.Sentinel.MasterName, asking: &own, known: slices.Clone(config.Endpoints)}
}

func (s *sentinels) of(ctx context.Context, _ string) (*node, error) {
	k := s.master.Load()
	if k == nil || k.bad.Load() {
		if err := s.search.begin(s.client, s.ask).wait(ctx); err != nil {
			return nil, err
		}
		return s.master.Load().node, nil
	}
	if time.Since(k.since) > freshMaster {
		s.search.begin(s.client, s.ask) // the known one stays meanwhile, until it is missed
	}
	return k.node, nil
}

func (s *sentinels) instead(ctx context.Context, key string) (*node, error) { return s.of(ctx, key) }

func (s *sentinels) all(ctx context.Context) ([]*node, error) {
	n, err := s.of(ctx, "")
	return []*node{n}, err
}

func (s *sentinels) missed(n *node) {
	if k := s.master.Load(); k != nil && k.node == n {
		k.bad.Store(true)
	}
}

// ask asks one sentinel after the other, each for its part of the time.
func (s *sentinels) ask(ctx context.Context) error {
	until, _ := ctx.Deadline()
	var all []error
	for i, address := range s.known {
		part, cancel := context.WithTimeout(ctx, time.Until(until)/time.Duration(len(s.known)-i))
		master, err := s.askOne(part, address)
		cancel()
		if err != nil {
			all = append(all, fmt.Errorf("ask the sentinel %s: %w", address, err))
			continue
		}
		s.known[0], s.known[i] = s.known[i], s.known[0]
		n := s.client.node(master)
		s.master.Store(&known{node: n, since: time.Now()})
		s.client.keepOnly(map[*node]bool{n: true})
		return nil
	}
	return errors.Join(all...)
}

func (s *sentinels) askOne(ctx context.Context, address string) (string, error) {
	conn, err := s.asking.connect(ctx, address)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }()
	until, _ := ctx.Deadline()
	pair, err := redis.Strings(redis.DoWithTimeout(conn, max(time.Until(until), time.Millisecond), "SENTINEL", "get-master-addr-by-name", s.name))
	switch {
	case errors.Is(err, redis.ErrNil):
		return "", fmt.Errorf("it knows no master %q", s.name)
	case err != nil:
		return "", err
	case len(pair) != 2:
		return "", errors.New("its answer is no address")
	}
	return net.JoinHostPort(pair[0], pair[1]), nil
}
