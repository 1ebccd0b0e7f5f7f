package index

import (
	"cmp"
	"slices"
	"strings"

	"fairway/router/rule"
)

// vertex is a node of a radix tree over paths. The labels from the root down
// spell the path it stands for; the routers that want this path, and those
// that want any path below it, are lists in order. A request passes at most
// one vertex per letter of its path.
//
// A vertex is immutable: a change copies the vertices from the root to it.
type vertex[T any] struct {
	label    string
	exact    []hit[T]
	below    []hit[T]
	firsts   string // first letter of each child's label, in order
	children []*vertex[T]
}

// hit is a router in a tree: the vertex knows the path.
type hit[T any] struct {
	router     *ranked[T]
	sufficient bool
}

// best goes down first: a longer path mostly belongs to a longer rule, so the
// winner tends to be deep, and what stands after it is never asked.
func (v *vertex[T]) best(q *rule.Request, path string, best *ranked[T]) *ranked[T] {
	if path == "" {
		best = first(v.exact, q, best)
	} else if i := strings.IndexByte(v.firsts, path[0]); i >= 0 {
		if child := v.children[i]; strings.HasPrefix(path, child.label) {
			best = child.best(q, path[len(child.label):], best)
		}
	}
	return first(v.below, q, best)
}

func first[T any](hits []hit[T], q *rule.Request, best *ranked[T]) *ranked[T] {
	for i := range hits {
		h := &hits[i]
		if best != nil && compare(best, h.router) <= 0 {
			return best
		}
		if h.sufficient || h.router.Rule.Match(q) {
			return h.router
		}
	}
	return best
}

func compareHit[T any](a, b hit[T]) int {
	if a.router != b.router {
		return compare(a.router, b.router)
	}
	return compareSufficient(a.sufficient, b.sufficient)
}

// with returns the tree after a change. Changes of the same list are made in
// one go, so that a long list is copied once.
func (v *vertex[T]) with(leaving, coming []filed[T]) *vertex[T] {
	byList := func(a, b filed[T]) int { return cmp.Or(compareWhere(a, b), compareFiled(a, b)) }
	slices.SortFunc(leaving, byList)
	slices.SortFunc(coming, byList)
	for len(leaving)+len(coming) > 0 {
		var at filed[T]
		if len(leaving) == 0 || len(coming) > 0 && compareWhere(coming[0], leaving[0]) < 0 {
			at = coming[0]
		} else {
			at = leaving[0]
		}
		e := edit[T]{kind: at.kind}
		e.leaving, leaving = cut(leaving, at)
		e.coming, coming = cut(coming, at)
		v = v.edit(at.path, &e)
	}
	return v
}

// cut takes from the head of the list what stands at the same place as at.
func cut[T any](all []filed[T], at filed[T]) (head []hit[T], rest []filed[T]) {
	for len(all) > 0 && compareWhere(all[0], at) == 0 {
		head = append(head, hit[T]{all[0].router, all[0].sufficient})
		all = all[1:]
	}
	return head, all
}

// edit is what comes to and leaves one list of one vertex.
type edit[T any] struct {
	kind            rule.PathKind
	leaving, coming []hit[T]
}

func (e *edit[T]) apply(hits []hit[T]) []hit[T] {
	return splice(hits, e.leaving, e.coming, compareHit)
}

// edit returns a copy of v with the list at path, relative to v, edited.
func (v *vertex[T]) edit(path string, e *edit[T]) *vertex[T] {
	next := *v
	if path == "" {
		if e.kind == rule.ExactPath {
			next.exact = e.apply(v.exact)
		} else {
			next.below = e.apply(v.below)
		}
		return &next
	}
	i := strings.IndexByte(v.firsts, path[0])
	if i < 0 {
		child := (&vertex[T]{label: path}).edit("", e)
		at, _ := slices.BinarySearch([]byte(v.firsts), path[0])
		next.firsts = v.firsts[:at] + path[:1] + v.firsts[at:]
		next.children = slices.Insert(slices.Clone(v.children), at, child)
		return &next
	}
	child := v.children[i]
	if shared := commonPrefix(child.label, path); shared < len(child.label) {
		child = child.split(shared)
	}
	child = child.edit(path[len(child.label):], e).tidy()
	next.children = slices.Clone(v.children)
	if child == nil {
		next.firsts = v.firsts[:i] + v.firsts[i+1:]
		next.children = slices.Delete(next.children, i, i+1)
	} else {
		next.children[i] = child
	}
	return &next
}

// split puts a vertex above v that takes the first n letters of its label.
func (v *vertex[T]) split(n int) *vertex[T] {
	lower := *v
	lower.label = v.label[n:]
	return &vertex[T]{label: v.label[:n], firsts: lower.label[:1], children: []*vertex[T]{&lower}}
}

// tidy removes a vertex nobody needs any more: it returns nil when v holds
// nothing, and v joined with its child when that is all it holds.
func (v *vertex[T]) tidy() *vertex[T] {
	if len(v.exact)+len(v.below) > 0 || len(v.children) > 1 {
		return v
	}
	if len(v.children) == 0 {
		return nil
	}
	joined := *v.children[0]
	joined.label = v.label + joined.label
	return &joined
}

// flatten appends everything in the tree to list, in no order.
func (v *vertex[T]) flatten(above string, list []filed[T]) []filed[T] {
	path := above + v.label
	for _, h := range v.exact {
		list = append(list, filed[T]{path, h.router, rule.ExactPath, h.sufficient})
	}
	for _, h := range v.below {
		list = append(list, filed[T]{path, h.router, rule.PrefixPath, h.sufficient})
	}
	for _, child := range v.children {
		list = child.flatten(path, list)
	}
	return list
}

func commonPrefix(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}
