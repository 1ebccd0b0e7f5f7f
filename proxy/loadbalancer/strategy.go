package loadbalancer

import (
	"net/http"
	"strings"

	"fairway/internal/balance"
	"fairway/internal/clientip"
	"fairway/internal/record"
)

// chooser chooses among servers that are all to be used. What there is to know of
// them is at the servers, so that another set of them needs only another chooser.
type chooser interface {
	// choose returns a server that is not among those tried, or nil.
	choose(r *http.Request, tried []*server) *server
}

// strategies make choosers, by their names.
var strategies = map[string]func([]*server) chooser{
	"":          newInTurn,
	"wrr":       newInTurn,
	"p2c":       newTwoChoices,
	"hrw":       newByClient,
	"leasttime": newLeastTime,
}

func strategyOf(name string) (func([]*server) chooser, error) {
	if s, ok := strategies[strings.ToLower(name)]; ok {
		return s, nil
	}
	return nil, oneOf("strategy", name, "wrr", "p2c", "hrw", "leasttime")
}

func candidates(servers []*server) []balance.Candidate[*server] {
	all := make([]balance.Candidate[*server], len(servers))
	for i, s := range servers {
		all[i] = balance.Candidate[*server]{Value: s, Weight: s.weight, Key: s.key}
	}
	return all
}

// inTurn is weighted round robin.
type inTurn struct{ *balance.RoundRobin[*server] }

func newInTurn(servers []*server) chooser { return inTurn{balance.NewRoundRobin(candidates(servers))} }

func (o inTurn) choose(_ *http.Request, tried []*server) *server {
	s, _ := o.Next(tried)
	return s
}

// twoChoices draws two servers by lot and takes the one that has less to do for its
// weight ("power of two choices", Mitzenmacher 1996). Of two that have equally much
// the first stays, so that weights are honoured when there is nothing to do.
type twoChoices struct{ *balance.Random[*server] }

func newTwoChoices(servers []*server) chooser {
	return twoChoices{balance.NewRandom(candidates(servers))}
}

func (o twoChoices) choose(_ *http.Request, tried []*server) *server {
	a, _ := o.Next(tried)
	b, _ := o.Next(tried)
	if a != nil && b != nil && b.load() < a.load() {
		return b
	}
	return a
}

// byClient sends each client to the same server, by its address.
type byClient struct{ *balance.Rendezvous[*server] }

func newByClient(servers []*server) chooser {
	return byClient{balance.NewRendezvous(candidates(servers))}
}

func (o byClient) choose(r *http.Request, tried []*server) *server {
	s, _ := o.Next(clientOf(r), tried)
	return s
}

func clientOf(r *http.Request) string {
	if rec := record.From(r.Context()); rec != nil && rec.Peer != "" {
		return rec.Peer
	}
	return clientip.Peer(r).String()
}

// leastTime draws servers by lot, each with a chance of its weight over the time that
// it would take: what it took of late, times what it has to do. Servers that are
// equally fast get requests by their weights; one that is slow still gets some, so
// that it is seen when it is fast again.
type leastTime struct{ servers []*server }

func newLeastTime(servers []*server) chooser { return leastTime{servers} }

func (o leastTime) choose(_ *http.Request, tried []*server) (chosen *server) {
	usual := 0.0 // what is not known of a server is taken to be as for the others
	known := 0.0
	for _, s := range o.servers {
		if t := s.state.pace.seconds(); t > 0 {
			usual, known = usual+t, known+1
		}
	}
	if known > 0 {
		usual /= known
	} else {
		usual = 1
	}
	return drawn(o.servers, tried, func(s *server) float64 {
		t := s.state.pace.seconds()
		if t == 0 {
			t = usual
		}
		return float64(s.weight) / (t * float64(1+s.state.underWay.Load()))
	})
}
