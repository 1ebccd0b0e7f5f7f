package sharing

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"fairway/internal/secret"
)

func TestUse_OneValueForAllWithTheSameOptionsUntilTheLastHasGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b ByOptions[*int]
		var ended atomic.Int32
		n := 0
		fresh := func(ctx context.Context) (*int, error) { //nolint:unparam // what Use asks for
			n++
			v := n
			context.AfterFunc(ctx, func() { ended.Add(1) })
			return &v, nil
		}
		use := func(options string) (*int, context.CancelFunc) {
			ctx, end := context.WithCancel(t.Context())
			v, _ := b.Use(ctx, options, fresh)
			return v, end
		}
		a, endA := use("x")
		b2, endB := use("x")
		c, endC := use("y")
		if a != b2 || a == c {
			t.Errorf("got %d %d %d", *a, *b2, *c)
		}
		endA()
		synctest.Wait()
		if again, end := use("x"); again != a || ended.Load() != 0 {
			t.Error("it went while somebody used it")
		} else {
			end()
		}
		endB()
		endC()
		synctest.Wait()
		if ended.Load() != 2 || len(b.held) != 0 {
			t.Errorf("%d have ended, %d are held", ended.Load(), len(b.held))
		}
	})
}

func TestUse_WhatCannotBeMadeIsNotHeld(t *testing.T) {
	var b ByOptions[int]
	if _, err := b.Use(t.Context(), "x", func(context.Context) (int, error) { return 0, errors.New("no") }); err == nil || len(b.held) != 0 {
		t.Errorf("got %v, %d are held", err, len(b.held))
	}
}

func TestOptions_TellsSecretsApart(t *testing.T) {
	type config struct{ A secret.String }
	one, again, other := Options(config{"a"}, "a"), Options(config{"a"}, "a"), Options(config{"b"}, "b")
	if one == other || one != again {
		t.Error("they are not told apart")
	}
}

func TestTyped_IsForOneTypeUnderAName(t *testing.T) {
	var b ByOptions[any]
	number, err := Typed(t.Context(), &b, "x", func(context.Context) (int, error) { return 7, nil })
	if err != nil || number != 7 {
		t.Errorf("got %d, %v", number, err)
	}
	again, err := Typed(t.Context(), &b, "x", func(context.Context) (int, error) { return 8, nil })
	if err != nil || again != 7 {
		t.Errorf("again: got %d, %v", again, err)
	}
	if _, err := Typed(t.Context(), &b, "x", func(context.Context) (string, error) { return "", nil }); err == nil {
		t.Error("a number is taken for a text")
	}
	wrong := errors.New("wrong")
	if _, err := Typed(t.Context(), &b, "y", func(context.Context) (string, error) { return "", wrong }); !errors.Is(err, wrong) {
		t.Errorf("got %v", err)
	}
}
