package tcp

import (
	"context"
	"errors"
	"fmt"

	"fairway/internal/balance"
)

// New makes the service of others, which are found by their names.
func (c *Weighted) New(find func(name string) (Service, error)) (Service, error) {
	if len(c.Services) == 0 {
		return nil, errors.New("services: there are none")
	}
	w := &weighted{}
	var parts []balance.Candidate[Service]
	for i, p := range c.Services {
		child, err := find(p.Name)
		if err != nil {
			return nil, fmt.Errorf("services[%d]: %w", i, err)
		}
		weight := 1
		if p.Weight != nil {
			weight = *p.Weight
		}
		if weight < 0 {
			return nil, fmt.Errorf("services[%d]: weight %d: is below 0", i, weight)
		}
		parts = append(parts, balance.Candidate[Service]{Value: child, Weight: weight})
		w.children = append(w.children, child)
	}
	w.turns, w.others = balance.NewRoundRobin(parts), balance.NewRandom(parts)
	return w, nil
}

type weighted struct {
	children []Service
	turns    *balance.RoundRobin[Service]
	others   *balance.Random[Service] // when the one whose turn it is is away
}

// ServeTCP implements Handler.
func (w *weighted) ServeTCP(ctx context.Context, c *Client) error {
	child, found := w.turns.Next(nil)
	var away []Service
	for found && !child.Up() {
		away = append(away, child)
		child, found = w.others.Next(away)
	}
	if !found {
		_ = c.Close()
		return errors.New("none of the services has a server")
	}
	return child.ServeTCP(ctx, c)
}

// Up implements Service.
func (w *weighted) Up() bool {
	for _, child := range w.children {
		if child.Up() {
			return true
		}
	}
	return false
}

// Servers implements Service: they are those of the services.
func (w *weighted) Servers() []ServerStatus { return nil }
