// Package kv reads routes from stores of keys and values: a key as
// fairway/http/routers/shop/rule has what a file has at that place, and lists have numbered
// keys, as fairway/http/routers/shop/middlewares/0. traefik/ is read as well.
//
// A store tells all of its keys at once, so that a change of several that was made together
// is seen together. consul.go asks that of Consul, redis.go of Redis, etcd.go of etcd.
package kv

import (
	"context"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/sirupsen/logrus"

	"fairway/config/dynamic"
	"fairway/providers"
)

// store is where keys and values are.
type store interface {
	// watch tells all that is below the roots, at first and whenever it changes, until ctx
	// ends or it fails.
	watch(ctx context.Context, tell func(pairs)) error
}

// provider follows one store.
type provider struct {
	name    string
	address string // for problems
	store   store
	log     logrus.FieldLogger

	last *dynamic.Configuration
}

const (
	firstRetry = 250 * time.Millisecond
	lastRetry  = 15 * time.Second
)

// Run implements providers.Provider. While the store cannot be asked the last known state
// stays.
func (p *provider) Run(ctx context.Context, publish providers.Publish) error {
	pause := firstRetry
	var before pairs
	for {
		err := p.store.watch(ctx, func(all pairs) {
			pause = firstRetry
			if before != nil && reflect.DeepEqual(before, all) && !p.blind() {
				return
			}
			before = all
			p.take(all, publish)
		})
		if ctx.Err() != nil {
			return ctx.Err()
		}
		p.log.WithError(err).WithField("retry", pause).Warn("the store cannot be followed; its last known state stays in force")
		publish(p.without(err))
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause/2 + rand.N(pause)): //nolint:gosec // so that not all instances ask at once
		}
		pause = min(2*pause, lastRetry)
	}
}

// take publishes what the keys come to. Keys that cannot be put together at all leave what
// was there.
func (p *provider) take(all pairs, publish providers.Publish) {
	cfg, err := configuration(all)
	if err != nil {
		publish(p.without(fmt.Errorf("the keys cannot be read: %w", err)))
		return
	}
	for i := range cfg.Problems {
		cfg.Problems[i].Source = p.address
	}
	cfg.Origin = func(kind, name string) (string, int) { return p.address, 0 }
	p.last = cfg
	publish(cfg)
}

// blind tells whether the last word was that nothing can be seen.
func (p *provider) blind() bool {
	return p.last != nil && slices.ContainsFunc(p.last.Problems, func(problem dynamic.Problem) bool { return problem.Blind })
}

// without is the last known state, with why it may be old.
func (p *provider) without(err error) *dynamic.Configuration {
	old := dynamic.Configuration{HTTP: &dynamic.HTTP{}}
	if p.last != nil {
		old = *p.last
	}
	old.Problems = slices.DeleteFunc(slices.Clone(old.Problems), func(problem dynamic.Problem) bool { return problem.Blind })
	old.Problems = append(old.Problems, dynamic.Problem{
		Severity: dynamic.Error, Provider: p.name, Source: p.address, Blind: true,
		Reason: fmt.Sprintf("the keys cannot be followed, their last known state stays in force: %v", err),
	})
	p.last = &old
	return &old
}

// rootsOf are what keys begin with, in the order in which they count.
func rootsOf(chosen string) []string {
	if chosen == ownRoot {
		return []string{ownRoot}
	}
	return []string{ownRoot, chosen}
}

// below takes a root off a key. What ends with a slash has no value.
func below(key, root string) (string, bool) {
	rest, found := strings.CutPrefix(key, root+"/")
	return rest, found && rest != "" && !strings.HasSuffix(rest, "/")
}
