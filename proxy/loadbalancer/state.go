package loadbalancer

import (
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"fairway/proxy"
)

// server is one server with its share of requests.
type server struct {
	target  *proxy.Target
	key     string // its URL
	name    string // the same without password, for the eyes of people
	mark    string // in cookies
	weight  int
	options proxy.Options
	state   *state
}

// state is what is known of a server. It is kept over reloads, as long as a server of
// that URL is there.
type state struct {
	underWay atomic.Int64 // requests
	pace     pace

	mu      sync.Mutex
	since   time.Time // in use since then, for the slow start
	health  health    // by active checks
	good    int       // results in a row
	bad     int
	failing []time.Time // failures with requests, of late
	ejected time.Time   // until then
	reason  string      // why it is out of use
}

// health is what active checks say.
type health int

const (
	unknown health = iota // not asked yet
	well
	ill
)

// load is what a server has to do, for its weight.
func (s *server) load() float64 { return float64(s.state.underWay.Load()) / float64(s.weight) }

// pace is how long a server takes to begin with an answer, of late: an average in
// which each answer counts one in paceSamples.
type pace struct{ bits atomic.Uint64 }

const paceSamples = 100

func (p *pace) seconds() float64 { return math.Float64frombits(p.bits.Load()) }

func (p *pace) took(d time.Duration) {
	for {
		old := p.bits.Load()
		before, now := math.Float64frombits(old), max(d.Seconds(), 1e-6)
		if before > 0 {
			now = before + (now-before)/paceSamples
		}
		if p.bits.CompareAndSwap(old, math.Float64bits(now)) {
			return
		}
	}
}

// drawn draws a server that is not among those tried, each with its chance.
func drawn(servers, tried []*server, chance func(*server) float64) (chosen *server) {
	total := 0.0
	for _, s := range servers {
		c := chance(s)
		if c <= 0 || slices.Contains(tried, s) {
			continue
		}
		// Each replaces what was drawn with the share that it has of all so far.
		total += c
		if rand.Float64()*total < c { //nolint:gosec // a choice, not a secret
			chosen = s
		}
	}
	return chosen
}

// warm tells how much of its share a server gets, from 0 to 1.
func (s *state) warm(now time.Time, slowStart time.Duration) float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.since.IsZero() {
		return 1
	}
	const least = 0.1 // else one with little traffic would never begin
	return min(1, max(least, now.Sub(s.since).Seconds()/slowStart.Seconds()))
}

// checked is what the last active checks said.
func (s *state) checked() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch s.health {
	case well:
		return "passed"
	case ill:
		return "failed"
	case unknown:
	}
	return "waiting"
}
