package index

import (
	"cmp"
	"slices"
	"strings"

	"fairway/router/rule"
)

// listLimit is the number of routers up to which one place is a plain list:
// below it, comparing paths one by one costs less than walking a tree.
// It is a variable for the benchmark and the tests only.
var listLimit = 8

// place holds the routers filed under one host: a list in order while there
// are few, a tree of paths when there are many. It is immutable; nil is empty.
type place[T any] struct {
	list  []filed[T]
	tree  *vertex[T]
	count int
}

// filed is a router at one place, with the path it wants there.
type filed[T any] struct {
	path       string // "" with kind PrefixPath is any path
	router     *ranked[T]
	kind       rule.PathKind
	sufficient bool // the path settles it: no need to ask the rule
}

func newFiled[T any](r *ranked[T], a rule.Alternative) filed[T] {
	kind := a.PathKind
	if kind == rule.AnyPath {
		kind = rule.PrefixPath
	}
	return filed[T]{path: a.Path, router: r, kind: kind, sufficient: a.Sufficient}
}

func (f *filed[T]) admits(path string) bool {
	if f.kind == rule.ExactPath {
		return path == f.path
	}
	return len(path) >= len(f.path) && path[:len(f.path)] == f.path
}

// compareFiled is the order inside a list. One router may stand there more
// than once; what settles it comes first.
func compareFiled[T any](a, b filed[T]) int {
	if a.router != b.router {
		return compare(a.router, b.router)
	}
	return cmp.Or(compareWhere(a, b), compareSufficient(a.sufficient, b.sufficient))
}

// compareWhere groups what belongs to the same list of a tree.
func compareWhere[T any](a, b filed[T]) int {
	return cmp.Or(strings.Compare(a.path, b.path), cmp.Compare(a.kind, b.kind))
}

func compareSufficient(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	}
	return 1
}

// best returns the first router in order that matches and stands before best,
// or best itself.
func (p *place[T]) best(q *rule.Request, best *ranked[T]) *ranked[T] {
	if p == nil {
		return best
	}
	if p.tree != nil {
		return p.tree.best(q, q.Path, best)
	}
	for i := range p.list {
		f := &p.list[i]
		if !f.admits(q.Path) {
			continue
		}
		if best != nil && compare(best, f.router) <= 0 {
			return best
		}
		if f.sufficient || f.router.Rule.Match(q) {
			return f.router
		}
	}
	return best
}

// with returns the place after the change, and whether anything is left.
func (p *place[T]) with(c *change[T]) (*place[T], bool) {
	if p == nil {
		p = new(place[T])
	}
	next := &place[T]{count: p.count - len(c.leaving) + len(c.coming)}
	if next.count == 0 {
		return nil, false
	}
	if p.tree == nil {
		slices.SortFunc(c.leaving, compareFiled)
		slices.SortFunc(c.coming, compareFiled)
		next.list = splice(p.list, c.leaving, c.coming, compareFiled)
		if next.count > listLimit {
			next.list, next.tree = nil, new(vertex[T]).with(nil, next.list)
		}
		return next, true
	}
	next.tree = p.tree.with(c.leaving, c.coming)
	if next.count <= listLimit {
		next.list, next.tree = next.tree.flatten("", nil), nil
		slices.SortFunc(next.list, compareFiled)
	}
	return next, true
}
