package remember

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestCache_ForgetsAfterTheTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New[int](10)
		key := c.Key("a")
		c.Put(key, 1, time.Minute)
		time.Sleep(time.Minute - 1)
		if v, ok := c.Get(key); v != 1 || !ok {
			t.Errorf("before its time: got %v, %v", v, ok)
		}
		time.Sleep(time.Nanosecond)
		if _, ok := c.Get(key); ok {
			t.Error("there after its time")
		}
		if len(c.values) != 0 || c.order.Len() != 0 {
			t.Error("it takes room still")
		}
	})
}

func TestCache_IsBounded(t *testing.T) {
	c := New[int](2)
	for i, name := range []string{"a", "b", "a", "c"} {
		c.Put(c.Key(name), i, time.Minute)
	}
	if _, ok := c.Get(c.Key("b")); ok {
		t.Error("the oldest is there still")
	}
	for name, want := range map[string]int{"a": 2, "c": 3} {
		if v, ok := c.Get(c.Key(name)); v != want || !ok {
			t.Errorf("%s: got %v, %v", name, v, ok)
		}
	}
	c.Limit(1)
	if _, ok := c.Get(c.Key("a")); ok || len(c.values) != 1 {
		t.Error("the lower limit is not kept")
	}
	c.Forget()
	if _, ok := c.Get(c.Key("c")); ok {
		t.Error("something is left")
	}
}

func TestKey_KeepsPartsApart(t *testing.T) {
	c, other := New[int](1), New[int](1)
	keys := []Key{c.Key("ab", "c"), c.Key("a", "bc"), c.Key("abc"), c.Key("ab", "c", ""), other.Key("abc")}
	seen := map[Key]bool{}
	for _, k := range keys {
		seen[k] = true
	}
	if len(seen) != len(keys) {
		t.Errorf("%d different keys of %d", len(seen), len(keys))
	}
	if c.Key("ab", "c") != keys[0] {
		t.Error("the same parts make another key")
	}
}
