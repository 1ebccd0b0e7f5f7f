package rule

import (
	"cmp"
	"slices"
)

// node is a matcher or a combination of matchers. A match has no effect, so
// the operands of && and || may be tried in any order: cheap ones go first.
type node interface {
	match(q *Request) bool
	cost() cost
}

// cost ranks nodes by what a match takes. Only the order matters, save for
// combinations, which add up what they hold.
type cost int

const (
	costCompare cost = 1   // one comparison of strings
	costMap     cost = 4   // a lookup in the header
	costIP      cost = 8   // may have to read the peer's address
	costQuery   cost = 20  // may have to take the query apart
	costRegexp  cost = 100 // a run of the regular expression engine
)

type (
	and []node
	or  []node
	not struct{ node }
)

func (a and) match(q *Request) bool {
	for _, n := range a {
		if !n.match(q) {
			return false
		}
	}
	return true
}

func (o or) match(q *Request) bool {
	for _, n := range o {
		if n.match(q) {
			return true
		}
	}
	return false
}

func (n not) match(q *Request) bool { return !n.node.match(q) }

func (a and) cost() cost { return sum(a) }
func (o or) cost() cost  { return sum(o) }

func sum(nodes []node) cost {
	var total cost
	for _, n := range nodes {
		total += n.cost()
	}
	return total
}

func newAnd(nodes []node) node {
	var flat and
	for _, n := range nodes {
		if inner, ok := n.(and); ok {
			flat = append(flat, inner...)
		} else {
			flat = append(flat, n)
		}
	}
	if len(flat) == 1 {
		return flat[0]
	}
	cheapFirst(flat)
	return slices.Clip(flat)
}

func newOr(nodes []node) node {
	var flat or
	for _, n := range nodes {
		if inner, ok := n.(or); ok {
			flat = append(flat, inner...)
		} else {
			flat = append(flat, n)
		}
	}
	if len(flat) == 1 {
		return flat[0]
	}
	cheapFirst(flat)
	return slices.Clip(flat)
}

func newNot(n node) node {
	if inner, ok := n.(not); ok {
		return inner.node
	}
	return not{n}
}

func cheapFirst(nodes []node) {
	slices.SortStableFunc(nodes, func(a, b node) int { return cmp.Compare(a.cost(), b.cost()) })
}
