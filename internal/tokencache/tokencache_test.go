package tokencache

import (
	"fmt"
	"sync"
	"testing"
)

func TestCache_KeepsWhatIsUsedAndIsBounded(t *testing.T) {
	c := New[int](100 * (perValue + 3))
	c.Put("use", 1)
	for i := range 1000 {
		c.Put(fmt.Sprintf("%03d", i), i)
		if v, ok := c.Get("use"); !ok || v != 1 {
			t.Fatalf("after %d others what is used is gone", i)
		}
	}
	kept := 0
	for i := range 1000 {
		if v, ok := c.Get(fmt.Sprintf("%03d", i)); ok {
			kept++
			if v != i {
				t.Fatalf("%d is %d", i, v)
			}
		}
	}
	if kept == 0 || kept > 110 {
		t.Errorf("%d are kept", kept)
	}
	c.Put("use", 2)
	if v, _ := c.Get("use"); v != 2 {
		t.Errorf("got %d", v)
	}
	c.Drop("use")
	if _, ok := c.Get("use"); ok {
		t.Error("it was dropped")
	}
	c.Put("x", 1)
	c.Forget()
	if _, ok := c.Get("x"); ok {
		t.Error("it was forgotten")
	}
}

func TestCache_ServesManyAtOnce(t *testing.T) {
	c := New[string](20 * perValue)
	var all sync.WaitGroup
	for g := range 8 {
		all.Go(func() {
			for i := range 2000 {
				token := fmt.Sprint((i + g) % 50)
				if v, ok := c.Get(token); ok && v != token {
					t.Errorf("%s is %s", token, v)
				}
				c.Put(token, token)
			}
		})
	}
	all.Wait()
}

func TestGet_AllocatesNothing(t *testing.T) {
	c := New[*int](1 << 20)
	c.Put("token", new(int))
	token := string([]byte("token"))
	if n := testing.AllocsPerRun(100, func() { c.Get(token) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// Who has read a value that is replaced or dropped meanwhile does not bring it back.
func TestCache_BringsNothingBack(t *testing.T) {
	for name, change := range map[string]func(c *Cache[int]){
		"replaced":  func(c *Cache[int]) { c.Put("token", 2) },
		"dropped":   func(c *Cache[int]) { c.Drop("token") },
		"forgotten": func(c *Cache[int]) { c.Forget() },
	} {
		for _, known := range []bool{false, true} {
			c := New[int](1 << 20)
			c.Put("token", 1)
			if known {
				c.Get("token")
			}
			place := c.latest.place("token")
			before := place.Load()
			read, _ := c.young.Load().values.Load("token")
			change(c)
			place.CompareAndSwap(before, read.(*entry[int])) // as Get does
			if v, ok := c.Get("token"); ok && v == 1 {
				t.Errorf("%s: it is back", name)
			}
		}
	}
}

// An empty token is nobody's, also where nothing is kept.
func TestCache_HasNothingOfTheEmptyToken(t *testing.T) {
	c := New[int](1 << 20)
	if _, ok := c.Get(""); ok {
		t.Error("there is one")
	}
}
