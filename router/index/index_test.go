package index

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"testing"

	"fairway/router/rule"
)

func request(host, path string) rule.Request {
	return rule.NewRequest(&http.Request{Method: "GET", Host: host, URL: &url.URL{Path: path}, Header: http.Header{}})
}

func TestLookup_Order(t *testing.T) {
	entry := func(name, text string, priority, precedence int) Entry[int] {
		return Entry[int]{Rule: parse(t, text), Name: name, Priority: priority, Precedence: precedence}
	}
	for _, tc := range []struct {
		name    string
		entries []Entry[int]
		want    string
	}{
		{"nothing", nil, ""},
		{"larger priority", []Entry[int]{entry("a", "Host(`a.x`)", 1, 0), entry("b", "PathPrefix(`/`)", 2, 9)}, "b"},
		{"negative priority", []Entry[int]{entry("a", "Host(`a.x`)", -1, 0), entry("b", "Host(`a.x`)", -2, 0)}, "a"},
		{"smaller precedence", []Entry[int]{entry("a", "Host(`a.x`)", 1, 2), entry("b", "Host(`*.x`)", 1, 1)}, "b"},
		{"name", []Entry[int]{entry("b", "Host(`a.x`)", 1, 1), entry("a", "Host(`*`)", 1, 1)}, "a"},
		{"text of the rule", []Entry[int]{entry("a", "Path(`/p`)", 1, 1), entry("a", "Host(`a.x`)", 1, 1)}, "a"},
		{"best does not match", []Entry[int]{entry("a", "Host(`a.x`) && Method(`PUT`)", 2, 1), entry("b", "Host(`a.x`)", 1, 1)}, "b"},
		{"none matches", []Entry[int]{entry("a", "Host(`b.x`)", 2, 1), entry("b", "Host(`*.a.x`)", 1, 1)}, ""},
		{"no rule", []Entry[int]{{Name: "a"}}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			q := request("a.x", "/p")
			got := ""
			if e := New(tc.entries).Lookup(&q); e != nil {
				got = e.Name
			}
			if got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestIndex_ZeroValueIsEmpty(t *testing.T) {
	var ix Index[int]
	q := request("a", "/")
	if ix.Lookup(&q) != nil || ix.Len() != 0 {
		t.Error("the zero index holds something")
	}
	next := ix.With([]string{"unknown"}, []Entry[int]{{Rule: parse(t, "Host(`a`)")}})
	if next.Lookup(&q) == nil || ix.Lookup(&q) != nil {
		t.Error("With on the zero index: want the entry in the new index only")
	}
}

// withListLimit runs the test with short lists, so that trees are made early.
func withListLimit(t *testing.T, limit int) {
	old := listLimit
	listLimit = limit
	t.Cleanup(func() { listLimit = old })
}

func TestLookup_EqualsLinearScan(t *testing.T) {
	for _, limit := range []int{0, 2, 8, 1000} {
		t.Run(fmt.Sprintf("list limit %d", limit), func(t *testing.T) {
			withListLimit(t, limit)
			src := rand.New(rand.NewPCG(1, uint64(limit)))
			found := 0
			for range 100 {
				entries := make([]Entry[int], src.IntN(80))
				for i := range entries {
					entries[i] = drawEntry(t, src)
				}
				ix, oracle := New(entries), linear(nil).with(nil, entries)
				checkOrder(t, ix, oracle)
				for range 100 {
					q := drawRequest(src)
					if checkSame(t, ix, oracle, &q) {
						found++
					}
				}
			}
			if found < 2000 {
				t.Errorf("only %d of 10000 requests matched: the test says little", found)
			}
		})
	}
}

func TestWith_EqualsLinearScan(t *testing.T) {
	for _, limit := range []int{0, 3, 8} {
		t.Run(fmt.Sprintf("list limit %d", limit), func(t *testing.T) {
			withListLimit(t, limit)
			for seed := range uint64(20) {
				checkChanges(t, rand.New(rand.NewPCG(seed, uint64(limit))), 60, 20)
			}
		})
	}
}

// checkChanges takes an index through random changes and compares each
// version with the oracle. Earlier versions have to stay as they were.
func checkChanges(tb testing.TB, src source, steps, requests int) {
	tb.Helper()
	ix, oracle := New[int](nil), linear(nil)
	for range steps {
		before, beforeOracle := ix, oracle
		var removed []string
		for range src.IntN(6) {
			removed = append(removed, fmt.Sprintf("r%d", src.IntN(40)))
		}
		var added []Entry[int]
		for range src.IntN(8) {
			added = append(added, drawEntry(tb, src))
		}
		ix, oracle = ix.With(removed, added), oracle.with(removed, added)
		checkOrder(tb, ix, oracle)
		for range requests {
			q := drawRequest(src)
			checkSame(tb, ix, oracle, &q)
			checkSame(tb, before, beforeOracle, &q)
		}
	}
}

func TestWith_RemovingAllLeavesNothingBehind(t *testing.T) {
	withListLimit(t, 0)
	src := rand.New(rand.NewPCG(7, 7))
	var entries []Entry[int]
	var names []string
	for range 200 {
		e := drawEntry(t, src)
		entries, names = append(entries, e), append(names, e.Name)
	}
	ix := New(entries).With(names, nil)
	if ix.Len() != 0 || ix.common != nil {
		t.Errorf("got %d entries, common place %v", ix.Len(), ix.common)
	}
	for name, left := range map[string]int{"hosts": size(ix.hosts), "wildcards": size(ix.wildcards), "names": size(ix.names)} {
		if left != 0 {
			t.Errorf("%d %s left", left, name)
		}
	}
}

func TestWith_RemovingJoinsTheTreeAgain(t *testing.T) {
	withListLimit(t, 0)
	prefix := func(p string) Entry[int] {
		return Entry[int]{Rule: parse(t, "PathPrefix(`"+p+"`)"), Name: p}
	}
	ix := New([]Entry[int]{prefix("/apple"), prefix("/apply")}).With([]string{"/apply"}, nil)
	root := ix.common.tree
	if len(root.children) != 1 || root.children[0].label != "/apple" {
		t.Errorf("want one vertex /apple below the root, got %q first", root.children[0].label)
	}
}

func size[V any](t table[V]) int {
	n := 0
	for _, shard := range t.shards {
		n += len(shard)
	}
	return n
}

func TestLookup_DoesNotAllocate(t *testing.T) {
	var entries []Entry[int]
	for i := range 100 {
		entries = append(entries, Entry[int]{Rule: parse(t, fmt.Sprintf("Host(`a.x`) && PathPrefix(`/p%d`) && Method(`GET`)", i)), Name: fmt.Sprint(i)})
	}
	ix := New(entries)
	q := request("a.x", "/p42/x")
	got := testing.AllocsPerRun(100, func() {
		if ix.Lookup(&q) == nil {
			t.Fatal("nothing found")
		}
	})
	if got != 0 {
		t.Errorf("got %v allocations, want 0", got)
	}
}

func FuzzIndex(f *testing.F) {
	src := rand.New(rand.NewPCG(3, 3))
	for _, n := range []int{0, 10, 100, 500} {
		seed := make([]byte, n)
		for i := range seed {
			seed[i] = byte(src.IntN(256))
		}
		f.Add(uint8(n), seed)
	}
	f.Fuzz(func(t *testing.T, limit uint8, program []byte) {
		withListLimit(t, int(limit)%10)
		checkChanges(t, &byteSource{program}, min(len(program)/20, 30)+1, 5)
	})
}
