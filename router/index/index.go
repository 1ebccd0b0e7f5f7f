// Package index finds the router of a request among many without trying them
// one after the other.
//
// Every rule tells where its requests are found: under a host, under a
// wildcard, or under any host, and there at a path, below a prefix, or
// anywhere. The index files each router in those places. A lookup visits at
// most three of them, the host's, its wildcard's and the common one, and takes
// the first router in order that matches: the answer of a scan over all.
//
// An Index never changes. With returns another that shares all the places no
// changed router is filed in.
package index

import (
	"cmp"
	"iter"
	"slices"
	"strings"

	"fairway/router/rule"
)

// Entry is a router to file.
type Entry[T any] struct {
	Rule *rule.Rule
	// Priority decides first, larger wins. The caller resolves the default,
	// the length of the rule's text.
	Priority int
	// Precedence decides among equal priorities, smaller wins: the place of
	// the provider in the operator's list.
	Precedence int
	// Name decides next, in alphabetical order, then the text of the rule,
	// then the order in which the entries were given.
	Name  string
	Value T
}

// Index holds the routers of one entry point. The zero value is empty.
type Index[T any] struct {
	hosts     table[*place[T]] // by host
	wildcards table[*place[T]] // by what follows "*."
	common    *place[T]        // any host
	names     table[[]*ranked[T]]
	ordered   []*ranked[T]
	serial    uint64
}

// New files the entries. Those without a rule match nothing and are left out.
func New[T any](entries []Entry[T]) *Index[T] {
	return new(Index[T]).With(nil, entries)
}

// Lookup returns the first entry in order whose rule matches, or nil. The
// entry belongs to the index and must not be changed.
func (ix *Index[T]) Lookup(q *rule.Request) *Entry[T] {
	best := ix.hosts.get(q.Host).best(q, nil)
	if len(ix.wildcards.shards) > 0 {
		if dot := strings.IndexByte(q.Host, '.'); dot > 0 {
			best = ix.wildcards.get(q.Host[dot+1:]).best(q, best)
		}
	}
	if best = ix.common.best(q, best); best == nil {
		return nil
	}
	return &best.Entry
}

// All yields the entries in order.
func (ix *Index[T]) All() iter.Seq[*Entry[T]] {
	return func(yield func(*Entry[T]) bool) {
		for _, r := range ix.ordered {
			if !yield(&r.Entry) {
				return
			}
		}
	}
}

// Len returns the number of entries.
func (ix *Index[T]) Len() int { return len(ix.ordered) }

// ranked is an entry with its last word in the order.
type ranked[T any] struct {
	Entry[T]
	serial uint64
}

// compare is the order of routers. No two entries of an index are equal.
func compare[T any](a, b *ranked[T]) int {
	if c := cmp.Compare(b.Priority, a.Priority); c != 0 {
		return c
	}
	if c := cmp.Compare(a.Precedence, b.Precedence); c != 0 {
		return c
	}
	if c := strings.Compare(a.Name, b.Name); c != 0 {
		return c
	}
	if c := strings.Compare(a.Rule.String(), b.Rule.String()); c != 0 {
		return c
	}
	return cmp.Compare(a.serial, b.serial)
}

// splice returns an ordered list without removed and with added, both in order
// too. It copies the stretches between changes as they are.
func splice[E any](ordered, removed, added []E, compare func(a, b E) int) []E {
	out := make([]E, 0, len(ordered)-len(removed)+len(added))
	for len(removed)+len(added) > 0 {
		drop := len(added) == 0 || len(removed) > 0 && compare(removed[0], added[0]) < 0
		next := added
		if drop {
			next = removed
		}
		at, _ := slices.BinarySearchFunc(ordered, next[0], compare)
		out = append(out, ordered[:at]...)
		if ordered = ordered[at:]; drop {
			ordered, removed = ordered[1:], removed[1:]
		} else {
			out, added = append(out, added[0]), added[1:]
		}
	}
	return append(out, ordered...)
}
