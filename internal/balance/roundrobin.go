package balance

import (
	"slices"
	"sync/atomic"
)

// RoundRobin hands out candidates in a fixed sequence in which each appears as often
// as its weight says, spread as evenly as may be ("smooth weighted round robin", the
// method of nginx). The sequence is made once; choosing is one atomic addition.
type RoundRobin[T comparable] struct {
	sequence []T
	turn     atomic.Uint64
}

// longestSequence bounds the memory for odd weights. Above it the weights are scaled
// down, to a precision of one in this number.
const longestSequence = 4096

// NewRoundRobin makes a RoundRobin.
func NewRoundRobin[T comparable](all []Candidate[T]) *RoundRobin[T] {
	weights := reduced(all)
	total := 0
	for _, w := range weights {
		total += w
	}
	r := &RoundRobin[T]{sequence: make([]T, 0, total)}
	credit := make([]int, len(all))
	for range total {
		best := -1
		for i, w := range weights {
			credit[i] += w
			if w > 0 && (best < 0 || credit[i] > credit[best]) {
				best = i
			}
		}
		credit[best] -= total
		r.sequence = append(r.sequence, all[best].Value)
	}
	return r
}

// reduced returns the weights in their smallest whole numbers.
func reduced[T comparable](all []Candidate[T]) []int {
	weights := make([]int, len(all))
	divisor := 0
	for i, c := range all {
		weights[i] = max(c.Weight, 0)
		divisor = gcd(divisor, weights[i])
	}
	if divisor == 0 {
		return weights
	}
	total := 0.0 // whole numbers may add up to more than an int holds
	for i := range weights {
		weights[i] /= divisor
		total += float64(weights[i])
	}
	if total <= longestSequence {
		return weights
	}
	scale := longestSequence / float64(slices.Max(weights)) / float64(len(weights))
	for i, w := range weights {
		if w > 0 {
			weights[i] = max(1, int(float64(w)*scale))
		}
	}
	return weights
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// Next returns the one whose turn it is, or the next one that is not among but. ok is
// false when there is none.
func (r *RoundRobin[T]) Next(but []T) (chosen T, ok bool) {
	n := uint64(len(r.sequence))
	switch {
	case n == 0:
		return chosen, false
	case n == 1 && len(but) == 0:
		return r.sequence[0], true
	}
	turn := r.turn.Add(1) - 1
	for i := range n {
		if c := r.sequence[(turn+i)%n]; len(but) == 0 || !slices.Contains(but, c) {
			return c, true
		}
	}
	return chosen, false
}
