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

// Who has read a value that is replaced, or goes, meanwhile may put it among the latest: there it
// is nobody's.
func TestCache_BringsNothingBack(t *testing.T) {
	for name, change := range map[string]func(c *Cache[int]){
		"replaced, young": func(c *Cache[int]) { c.Put("token", 2) },
		"replaced, old":   func(c *Cache[int]) { fill(c, 60); c.Put("token", 2) },
		"gone":            func(c *Cache[int]) { fill(c, 150) },
	} {
		c := New[int](100 * (perValue + 3))
		c.Put("token", 1)
		read := c.young.Load().get("token")
		change(c)
		c.latest.place("token").Store(read) // what Get does in the end
		if v, ok := c.Get("token"); ok && v != 2 {
			t.Errorf("%s: it is back", name)
		}
	}
}

func fill(c *Cache[int], n int) {
	for i := range n {
		c.Put(fmt.Sprintf("%03d", i), i)
	}
}

// Those that were asked for last are not looked for in the generations; they stay all the same.
func TestCache_TheLatestStay(t *testing.T) {
	c := New[int](100 * (perValue + 3))
	c.Put("use", 1)
	c.Get("use")
	fill(c, 1000)
	if e := c.latest.place("use").Load(); !e.is("use") {
		t.Error("it is gone")
	}
	c.latest.place("use").Store(nil) // another one took its place
	if v, ok := c.Get("use"); !ok || v != 1 {
		t.Errorf("got %d, %v", v, ok)
	}
}

func TestCache_HasNothingOfTheEmptyToken(t *testing.T) {
	c := New[int](1 << 20)
	if _, ok := c.Get(""); ok {
		t.Error("there is one")
	}
}
