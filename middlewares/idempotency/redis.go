package idempotency

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gomodule/redigo/redis"

	"fairway/internal/httpcache"
	"fairway/internal/redisclient"
	"fairway/internal/sharing"
)

// kept is what the instances of one middleware share.
type kept struct {
	memory  *memory
	clients sharing.ByOptions[*redisclient.Client]
}

func (k *kept) ledger(ctx context.Context, c *Config) (ledger, error) {
	if c.Redis == nil {
		k.memory.bound(c.MemoryBytes)
		return k.memory, nil
	}
	client, err := k.clients.Use(ctx, sharing.Options(c.Redis, c.Redis.Password), c.Redis.Open)
	if err != nil {
		return nil, fmt.Errorf("redis: %w", err)
	}
	return &remote{client: client, prefix: c.RedisPrefix}, nil
}

// remote is a ledger in Redis. Under a name is an entry: that of the response, whose tags are
// the mark of the request and how far the request is. A claim ends by itself, should its gateway die.
type remote struct {
	client *redisclient.Client
	prefix string
}

// States, as the second tag has them.
const (
	underWay = "under way"
	carried  = "carried out" // and the response is not kept
	answered = "answered"
)

// claimFor is how long a request may be under way.
const claimFor = longestCall + 10*time.Second

func (l *remote) claim(ctx context.Context, name, mark string) (known, bool, error) {
	claim := httpcache.Encode(nil, &httpcache.Entry{Tags: []string{mark, underWay}, Came: time.Now()})
	for range 2 { // what was there may go in between
		_, err := redis.String(l.client.Do(ctx, "SET", l.prefix+name, claim, "NX", "PX", claimFor.Milliseconds()))
		switch {
		case err == nil:
			return known{}, true, nil
		case !errors.Is(err, redis.ErrNil):
			return known{}, false, fmt.Errorf("take it at %s: %w", l.client.Address(), err)
		}
		text, err := redis.Bytes(l.client.Do(ctx, "GET", l.prefix+name))
		switch {
		case errors.Is(err, redis.ErrNil):
			continue
		case err != nil:
			return known{}, false, fmt.Errorf("read it at %s: %w", l.client.Address(), err)
		}
		found, err := readKnown(text)
		return found, false, err
	}
	return known{}, false, errors.New("it is taken and given back all the time")
}

func readKnown(text []byte) (known, error) {
	e, err := httpcache.Decode(text)
	if err != nil {
		return known{}, fmt.Errorf("read what is known of it: %w", err)
	}
	return knownOf(e)
}

// knownOf is what an entry says: its tags are the mark of the request and how far that is.
func knownOf(e *httpcache.Entry) (known, error) {
	if len(e.Tags) != 2 {
		return known{}, errors.New("what is known of it is not of this middleware")
	}
	k := known{mark: e.Tags[0], done: e.Tags[1] != underWay}
	if e.Tags[1] == answered {
		k.response = e
	}
	return k, nil
}

// entry is what knownOf reads.
func (k *known) entry(name string, ttl time.Duration) *httpcache.Entry {
	e := httpcache.Entry{Tags: []string{k.mark, carried}}
	if k.response != nil {
		e = *k.response
		e.Tags = []string{k.mark, answered}
	}
	e.Key, e.Came, e.Lifetime = name, time.Now(), ttl
	e.Init()
	return &e
}

func (l *remote) keep(ctx context.Context, name string, k known, ttl time.Duration) error {
	e := k.entry(name, ttl)
	if _, err := l.client.Do(ctx, "SET", l.prefix+name, httpcache.Encode(nil, e), "PX", ttl.Milliseconds()); err != nil {
		return fmt.Errorf("write it to %s: %w", l.client.Address(), err)
	}
	return nil
}

func (l *remote) release(ctx context.Context, name string) error {
	if _, err := l.client.Do(ctx, "DEL", l.prefix+name); err != nil {
		return fmt.Errorf("give it back at %s: %w", l.client.Address(), err)
	}
	return nil
}
