// Package sharing has what all instances of one middleware use in common: caches, connections
// and tokens, which would else be there once for each route.
package sharing

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"

	"fairway/internal/secret"
)

// ByOptions holds a value for each set of options. It is what Env.Keep keeps, which may have
// been made for other options: what is of old ones goes with the last instance that has them.
// The zero value is empty.
type ByOptions[V any] struct {
	mu   sync.Mutex
	held map[string]*held[V]
}

type held[V any] struct {
	value V
	users int
	end   context.CancelFunc
}

// Use returns what there is for these options, and makes it if there is nothing yet. ctx is
// that of the instance; the context that fresh gets ends with the last one.
func (b *ByOptions[V]) Use(ctx context.Context, options string, fresh func(ctx context.Context) (V, error)) (V, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	h := b.held[options]
	if h == nil {
		own, end := context.WithCancel(context.WithoutCancel(ctx))
		value, err := fresh(own)
		if err != nil {
			end()
			return value, err
		}
		h = &held[V]{value: value, end: end}
		if b.held == nil {
			b.held = map[string]*held[V]{}
		}
		b.held[options] = h
	}
	h.users++
	context.AfterFunc(ctx, func() { b.leave(options, h) })
	return h.value, nil
}

func (b *ByOptions[V]) leave(options string, h *held[V]) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if h.users--; h.users == 0 {
		h.end()
		delete(b.held, options)
	}
}

// Options are the options of a middleware as one text. Secrets are stars in what is written
// of them, so that they are named once more.
func Options(config any, secrets ...secret.String) string {
	raw, _ := json.Marshal(config)
	var text strings.Builder
	_, _ = text.Write(raw)
	for _, s := range secrets {
		_, _ = text.WriteString("\x00" + s.Reveal())
	}
	return text.String()
}

// Typed is Use of a pool that has values of several types.
func Typed[V any](ctx context.Context, b *ByOptions[any], options string, fresh func(ctx context.Context) (V, error)) (V, error) {
	value, err := b.Use(ctx, options, func(ctx context.Context) (any, error) { return fresh(ctx) })
	if err != nil {
		var none V
		return none, err
	}
	typed, ok := value.(V)
	if !ok {
		return typed, fmt.Errorf("%s: what is kept under this name is a %T", options, value)
	}
	return typed, nil
}
