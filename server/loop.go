package server

import (
	"crypto/rand"
	"net/http"
	"strconv"
)

// passHeader counts how often a request has passed this gateway. Its value names
// the process, so that gateways in a row do not count each other's passes.
const passHeader = "X-Fairway-Pass"

// mostPasses is how often a request may pass. Services that call others through
// the gateway hand on what they received; a route that leads to the gateway
// itself would do so for ever.
const mostPasses = 8

// passes are the values of passHeader, made once: counting allocates nothing.
type passes [mostPasses + 1][]string

func newPasses() *passes {
	id := rand.Text()[:10]
	p := new(passes)
	for n := range p {
		p[n] = []string{id + "-" + strconv.Itoa(n)}
	}
	return p
}

// count notes that a request passes. It returns false when it has done so too
// often.
func (p *passes) count(h http.Header) bool {
	n := 0
	if values := h[passHeader]; len(values) > 0 {
		for i := range p {
			if p[i][0] == values[0] {
				n = i
			}
		}
	}
	if n == mostPasses {
		return false
	}
	h[passHeader] = p[n+1]
	return true
}
