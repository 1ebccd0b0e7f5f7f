package loadbalancer

import (
	"slices"
	"sync/atomic"
)

// roundRobin hands out servers in a fixed sequence in which each appears as often
// as its weight says, spread as evenly as may be ("smooth weighted round robin",
// the method of nginx). The sequence is made once; picking is one atomic addition.
type roundRobin struct {
	sequence []*server
	turn     atomic.Uint64
}

// longestSequence bounds the memory of a balancer with odd weights. Above it the
// weights are scaled down, to a precision of one in this number.
const longestSequence = 4096

func newRoundRobin(servers []*server) *roundRobin {
	weights := reduced(servers)
	total := 0
	for _, w := range weights {
		total += w
	}
	r := &roundRobin{sequence: make([]*server, 0, total)}
	credit := make([]int, len(servers))
	for range total {
		best := -1
		for i, w := range weights {
			credit[i] += w
			if w > 0 && (best < 0 || credit[i] > credit[best]) {
				best = i
			}
		}
		credit[best] -= total
		r.sequence = append(r.sequence, servers[best])
	}
	return r
}

// reduced returns the weights in their smallest whole numbers.
func reduced(servers []*server) []int {
	weights := make([]int, len(servers))
	divisor := 0
	for i, s := range servers {
		weights[i] = s.weight
		divisor = gcd(divisor, s.weight)
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

// next returns the server whose turn it is, or nil when there is none.
func (r *roundRobin) next() *server {
	n := uint64(len(r.sequence))
	switch n {
	case 0:
		return nil
	case 1:
		return r.sequence[0]
	}
	return r.sequence[(r.turn.Add(1)-1)%n]
}

// nextBut returns the next server in turn that is not among those tried, or nil.
func (r *roundRobin) nextBut(tried []*server) *server {
	n := uint64(len(r.sequence))
	turn := r.turn.Add(1) - 1
	for i := range n {
		if s := r.sequence[(turn+i)%n]; !slices.Contains(tried, s) {
			return s
		}
	}
	return nil
}
