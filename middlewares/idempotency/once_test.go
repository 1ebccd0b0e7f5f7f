package idempotency

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"fairway/middlewares/middlewarestest"
)

// forgetful is a ledger that cannot write what is longer than a few bytes, as a Redis that is full.
type forgetful struct {
	*memory
	released bool
}

func (f *forgetful) keep(ctx context.Context, name string, k known, ttl time.Duration) error {
	if k.response != nil {
		return errors.New("OOM command not allowed when used memory > 'maxmemory'")
	}
	return f.memory.keep(ctx, name, k, ttl)
}

func (f *forgetful) release(ctx context.Context, name string) error {
	f.released = true
	return f.memory.release(ctx, name)
}

func TestIdempotency_WhatCannotBeKeptIsNotCarriedOutAgain(t *testing.T) {
	var n atomic.Int64
	h := build(t, counting(&n)).(*handler)
	h.ledger = &forgetful{memory: h.ledger.(*memory)}
	post(t, h, "/", "a", key)
	if w := post(t, h, "/", "a", key); w.Code != http.StatusConflict || n.Load() != 1 {
		t.Errorf("got %d, and it was carried out %d times", w.Code, n.Load())
	}
}

func TestIdempotency_AnAnswerThatBreaksOffIsNoReasonToDoItAgain(t *testing.T) {
	n := 0
	h := build(t, func(w http.ResponseWriter, _ *http.Request) {
		n++
		w.WriteHeader(http.StatusCreated)
		panic(http.ErrAbortHandler)
	})
	func() {
		defer func() { _ = recover() }()
		post(t, h, "/", "a", key)
	}()
	if w := post(t, h, "/", "a", key); w.Code != http.StatusConflict || n != 1 {
		t.Errorf("got %d, and it was carried out %d times", w.Code, n)
	}
}

// These say that a request was not carried out, and may be sent again.
func TestIdempotency_WhatWasNotCarriedOutMayBeTriedAgain(t *testing.T) {
	for _, status := range []int{http.StatusRequestTimeout, http.StatusMisdirectedRequest, http.StatusTooEarly, http.StatusTooManyRequests, 499} {
		n := 0
		h := build(t, func(w http.ResponseWriter, _ *http.Request) {
			if n++; n == 1 {
				w.WriteHeader(status)
			}
		})
		post(t, h, "/", "a", key)
		if w := post(t, h, "/", "a", key); w.Code != 200 || n != 2 {
			t.Errorf("%d: got %d, and it was tried %d times", status, w.Code, n)
		}
	}
}

func TestMemory_AResponseThatIsTooLongForItIsNoReasonToDoItAgain(t *testing.T) {
	n := 0
	h := build(t, func(w http.ResponseWriter, _ *http.Request) {
		n++
		_, _ = fmt.Fprint(w, strings.Repeat("x", 20_000))
	}, func(c *Config) { c.MemoryBytes = 10_000 })
	post(t, h, "/", "a", key)
	if w := post(t, h, "/", "a", key); w.Code != http.StatusConflict || n != 1 {
		t.Errorf("got %d, and it was carried out %d times", w.Code, n)
	}
}

func TestDisk_WhatIsRecalledStaysWithinTheMemory(t *testing.T) {
	dir := t.TempDir()
	var n atomic.Int64
	gateway := func(most int64) http.Handler {
		c := &Config{}
		c.SetDefaults()
		c.Disk, c.MemoryBytes = &Disk{Path: dir, MaxBytes: 1 << 20}, most
		env := middlewarestest.Env("test")
		env.Start = func(run func(context.Context)) { run(t.Context()) }
		h, err := c.New(t.Context(), env, counting(&n))
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	for _, most := range []int64{1 << 20, 5_000} {
		h := gateway(most)
		for i := range 40 {
			post(t, h, "/", "a", fmt.Sprintf("Idempotency-Key: %d", i))
		}
		if m := h.(*handler).ledger.(*memory); m.held > m.most {
			t.Errorf("%d bytes are held of %d", m.held, m.most)
		}
	}
	if n.Load() != 40 {
		t.Errorf("40 requests were carried out %d times", n.Load())
	}
}

func TestDisk_IsOpenedOnce(t *testing.T) {
	m := newMemory()
	m.bound(1 << 20)
	dir := t.TempDir()
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			m.open(dir, 1<<20, middlewarestest.Env("test").Log)
			first := m.disk.Load()
			first.Save(t.Context(), (&known{mark: "m", done: true}).entry("k", time.Hour))
		})
	}
	all.Wait()
	if m.disk.Load().Load(t.Context(), []byte("k")) == nil {
		t.Error("what was saved is gone")
	}
}
