// Package weighted is the service that spreads requests over other services.
package weighted

import (
	"context"
	"net/http"
	"slices"

	"fairway/internal/balance"
	"fairway/proxy"
)

// Config of a weighted service.
type Config struct {
	// Services to spread requests over, by their weights, in turn. One whose servers are
	// all out of use is left out.
	Services []proxy.Part `json:"services,omitempty"`
	// Sticky keeps a client at the service that it had first.
	Sticky *balance.Sticky `json:"sticky,omitempty" label:"allowEmpty" file:"allowEmpty"`
	// HealthCheck changes nothing: services without a server that is well are always left
	// out. In Traefik it has to be asked for.
	HealthCheck *proxy.PartsHealth `json:"healthCheck,omitempty" label:"allowEmpty" file:"allowEmpty"`
}

// New implements proxy.Config.
func (c *Config) New(_ context.Context, env proxy.Env) (proxy.Service, error) {
	parts, err := proxy.Parts(env, c.Services)
	if err != nil {
		return nil, err
	}
	sticky, err := c.Sticky.New(env.Name)
	if err != nil {
		return nil, err
	}
	return &service{parts: parts, turns: balance.NewRoundRobin(parts), others: balance.NewRandom(parts), sticky: sticky}, nil
}

// service is a weighted service at work.
type service struct {
	parts  []balance.Candidate[proxy.Child]
	turns  *balance.RoundRobin[proxy.Child]
	others *balance.Random[proxy.Child] // when the one whose turn it is is down
	sticky *balance.Stickiness          // nil: none
}

func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	child := s.known(r)
	if child == nil {
		child = proxy.FirstUp(s.next)
	}
	if child == nil {
		proxy.NoServer(w, r, "no available server: none of the services has one")
		return
	}
	if s.sticky != nil {
		s.sticky.Give(w.Header(), r, balance.Mark(s.nameOf(child)))
	}
	child.ServeHTTP(w, r)
}

// next is the one whose turn it is; instead of others, one by lot, so that nobody
// gets the share of a neighbour that is down.
func (s *service) next(but []proxy.Child) (proxy.Child, bool) {
	if len(but) == 0 {
		return s.turns.Next(nil)
	}
	return s.others.Next(but)
}

// known is the service that the client had before, if it is up.
func (s *service) known(r *http.Request) proxy.Child {
	if s.sticky == nil {
		return nil
	}
	mark := s.sticky.Of(r)
	if mark == "" {
		return nil
	}
	for _, p := range s.parts {
		if p.Weight > 0 && slices.Contains(balance.Marks(p.Key), mark) && p.Value.Up() {
			return p.Value
		}
	}
	return nil
}

func (s *service) nameOf(child proxy.Child) string {
	for _, p := range s.parts {
		if p.Value == child {
			return p.Key
		}
	}
	return ""
}

// Servers implements proxy.Service: they are those of the services.
func (s *service) Servers() []proxy.ServerStatus { return nil }

// Up implements proxy.Child.
func (s *service) Up() bool { return proxy.AnyUp(s.parts) }
