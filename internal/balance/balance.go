// Package balance chooses among candidates by their weights: servers, or services
// that are made of others. What it is given does not change; for other candidates
// another order is made.
package balance

import (
	"math"
	"math/rand/v2"
	"slices"
)

// Candidate is one that may be chosen.
type Candidate[T comparable] struct {
	Value  T
	Weight int    // its share in relation to the others; 0 or less is never chosen
	Key    string // what it is told by, over restarts
}

// positive leaves out what is never chosen.
func positive[T comparable](all []Candidate[T]) []Candidate[T] {
	return slices.DeleteFunc(slices.Clone(all), func(c Candidate[T]) bool { return c.Weight <= 0 })
}

// Random chooses at random, each candidate as often as its weight says.
type Random[T comparable] struct {
	of    []Candidate[T]
	upTo  []float64 // sums of the weights
	total float64
}

// NewRandom makes a Random.
func NewRandom[T comparable](all []Candidate[T]) *Random[T] {
	r := &Random[T]{of: positive(all)}
	for _, c := range r.of {
		r.total += float64(c.Weight)
		r.upTo = append(r.upTo, r.total)
	}
	return r
}

// Next chooses one that is not among but. ok is false when there is none.
func (r *Random[T]) Next(but []T) (chosen T, ok bool) {
	if len(r.of) == 0 {
		return chosen, false
	}
	if len(but) == 0 {
		at, _ := slices.BinarySearch(r.upTo, rand.Float64()*r.total) //nolint:gosec // a choice, not a secret
		return r.of[min(at, len(r.of)-1)].Value, true
	}
	left := 0.0
	for _, c := range r.of {
		if slices.Contains(but, c.Value) {
			continue
		}
		// Each replaces what was chosen with the share that it has of all so far.
		left += float64(c.Weight)
		if rand.Float64()*left < float64(c.Weight) { //nolint:gosec // a choice, not a secret
			chosen, ok = c.Value, true
		}
	}
	return chosen, ok
}

// Rendezvous chooses the same candidate for the same key, and moves as few keys as may
// be when candidates come and go (highest random weight, Thaler and Ravishankar
// 1998; weighted as by Schindelhauer and Schomaker 2005).
type Rendezvous[T comparable] struct {
	of []Candidate[T]
}

// NewRendezvous makes a Rendezvous.
func NewRendezvous[T comparable](all []Candidate[T]) *Rendezvous[T] {
	return &Rendezvous[T]{of: positive(all)}
}

// Next chooses for a key one that is not among but. ok is false when there is none.
func (r *Rendezvous[T]) Next(key string, but []T) (chosen T, ok bool) {
	best := math.Inf(-1)
	for _, c := range r.of {
		if slices.Contains(but, c.Value) {
			continue
		}
		// A number in (0, 1), as if drawn by lot for this pair.
		lot := (float64(mixed(key, c.Key)>>11) + 0.5) / (1 << 53)
		if score := -float64(c.Weight) / math.Log(lot); score > best {
			best, chosen, ok = score, c.Value, true
		}
	}
	return chosen, ok
}

// mixed hashes a pair. It is the same in every process: gateways beside each other
// choose alike (FNV-1a, and the finalizer of MurmurHash3, for FNV leaves the high
// bits of short texts alike).
func mixed(a, b string) uint64 {
	const offset, prime = 14695981039346656037, 1099511628211
	h := uint64(offset)
	for i := range len(a) {
		h = (h ^ uint64(a[i])) * prime
	}
	h = (h ^ 0xff) * prime
	for i := range len(b) {
		h = (h ^ uint64(b[i])) * prime
	}
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}
