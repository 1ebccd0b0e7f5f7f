package index

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"fairway/router/rule"
)

var sizes = []int{10, 1_000, 10_000, 100_000}

// shape is a way in which n routers may be spread over hosts and paths.
type shape struct {
	name string
	rule func(i int) string
	host func(i int) string
	path func(i int) string
}

var shapes = []shape{
	{
		name: "host",
		rule: func(i int) string { return fmt.Sprintf("Host(`app-%d.example.com`)", i) },
		host: func(i int) string { return fmt.Sprintf("app-%d.example.com", i) },
		path: func(int) string { return "/index.html" },
	},
	{
		name: "host+prefix",
		rule: func(i int) string { return fmt.Sprintf("Host(`app-%d.example.com`) && PathPrefix(`/v%d`)", i/4, i%4) },
		host: func(i int) string { return fmt.Sprintf("app-%d.example.com", i/4) },
		path: func(i int) string { return fmt.Sprintf("/v%d/index.html", i%4) },
	},
	{
		name: "one-host",
		rule: func(i int) string { return fmt.Sprintf("Host(`example.com`) && PathPrefix(`/service-%d/`)", i) },
		host: func(int) string { return "example.com" },
		path: func(i int) string { return fmt.Sprintf("/service-%d/index.html", i) },
	},
}

func (s shape) entry(tb testing.TB, i int) Entry[int] {
	text := s.rule(i)
	return Entry[int]{Rule: parse(tb, text), Priority: len(text), Name: fmt.Sprintf("app-%d@docker", i), Value: i}
}

func (s shape) entries(tb testing.TB, n int) []Entry[int] {
	entries := make([]Entry[int], n)
	for i := range entries {
		entries[i] = s.entry(tb, i)
	}
	return entries
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// BenchmarkLookup asks for random routers. index-B is the memory of the index
// alone, rules-B that of the parsed rules and the names.
func BenchmarkLookup(b *testing.B) {
	for _, s := range shapes {
		for _, n := range sizes {
			b.Run(fmt.Sprintf("%s/%d", s.name, n), func(b *testing.B) {
				before := heap()
				entries := s.entries(b, n)
				parsed := heap()
				ix := New(entries)
				built := heap()
				requests := make([]rule.Request, 4096)
				for i := range requests {
					at := rand.IntN(n)
					requests[i] = request(s.host(at), s.path(at))
				}
				b.ReportAllocs()
				b.ResetTimer()
				for i := range b.N {
					if ix.Lookup(&requests[i%len(requests)]) == nil {
						b.Fatal("nothing found")
					}
				}
				b.ReportMetric(float64(built-parsed), "index-B")
				b.ReportMetric(float64(parsed-before), "rules-B")
				runtime.KeepAlive(entries)
			})
		}
	}
}

// BenchmarkLookup_Scan is the case no index helps: nothing but headers.
func BenchmarkLookup_Scan(b *testing.B) {
	entries := make([]Entry[int], 10_000)
	for i := range entries {
		entries[i] = Entry[int]{Rule: parse(b, fmt.Sprintf("HeaderRegexp(`X-Tenant`, `^t%d$`)", i)), Name: fmt.Sprint(i)}
	}
	ix := New(entries)
	q := request("example.com", "/")
	q.HTTP.Header.Set("X-Tenant", "t5000")
	b.ReportAllocs()
	for b.Loop() {
		ix.Lookup(&q)
	}
}

func BenchmarkBuild(b *testing.B) {
	for _, s := range shapes {
		b.Run(s.name+"/10000", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				New(s.entries(b, 10_000))
			}
		})
	}
}

// BenchmarkWith changes one router among 10,000, its parsing included.
func BenchmarkWith(b *testing.B) {
	for _, s := range shapes {
		b.Run(s.name+"/10000", func(b *testing.B) {
			ix := New(s.entries(b, 10_000))
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				e := s.entry(b, i%10_000)
				ix = ix.With([]string{e.Name}, []Entry[int]{e})
			}
		})
	}
}

// BenchmarkListLimit shows where a tree begins to pay: routers of one host,
// as a list and as a tree.
func BenchmarkListLimit(b *testing.B) {
	for _, n := range []int{2, 4, 8, 16, 32} {
		for _, limit := range []int{0, 1000} {
			name := map[bool]string{true: "tree", false: "list"}[limit == 0]
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				old := listLimit
				listLimit = limit
				defer func() { listLimit = old }()
				ix := New(shapes[2].entries(b, n))
				q := request("example.com", strings.Repeat("/service-1", 2))
				for b.Loop() {
					ix.Lookup(&q)
				}
			})
		}
	}
}
