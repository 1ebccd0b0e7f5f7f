package oidc

import (
	"context"
	"sync"

	"github.com/redis/go-redis/v9"
)

// pools are connections to Redis, which the instances of a middleware have in common. The last
// one that ends closes them.
type pools struct {
	mu  sync.Mutex
	all map[string]*pool
}

type pool struct {
	client *redis.Client
	users  int
}

// take returns a client for one more user, until its context ends.
func (p *pools) take(done context.Context, key string, options *redis.Options) *redis.Client {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.all == nil {
		p.all = map[string]*pool{}
	}
	one := p.all[key]
	if one == nil {
		one = &pool{client: redis.NewClient(options)}
		p.all[key] = one
	}
	one.users++
	context.AfterFunc(done, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if one.users--; one.users == 0 {
			delete(p.all, key)
			_ = one.client.Close()
		}
	})
	return one.client
}
