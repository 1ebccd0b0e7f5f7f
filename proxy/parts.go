package proxy

import (
	"errors"
	"fmt"
	"net/http"

	"fairway/internal/answer"
	"fairway/internal/balance"
)

// Part is one of the services that a service is made of.
type Part struct {
	// Name of the service, with @provider if it is another provider's.
	Name string `json:"name,omitempty"`
	// Weight is its share of requests in relation to the others. Default: 1. One of
	// weight 0 gets none.
	Weight *int `json:"weight,omitempty"`
}

// PartsHealth is accepted for the sake of Traefik, where a service has to ask for it:
// parts without a server that is well are always left out.
type PartsHealth struct{}

// Parts finds the services that parts name. One that cannot be had is left out, with a
// warning: the containers of a part may be stopped, and the others go on.
func Parts(env Env, parts []Part) ([]balance.Candidate[Child], error) {
	if len(parts) == 0 {
		return nil, errors.New("services: there are none")
	}
	var all []balance.Candidate[Child]
	var missing []error
	for i, p := range parts {
		weight := 1
		if p.Weight != nil {
			weight = *p.Weight
		}
		switch {
		case p.Name == "":
			return nil, fmt.Errorf("services[%d]: has no name", i)
		case weight < 0:
			return nil, fmt.Errorf("services[%d]: weight %d: is below 0", i, weight)
		}
		child, err := env.Service(p.Name)
		if err != nil {
			missing = append(missing, fmt.Errorf("it goes on without one of its services: %w", err))
			continue
		}
		all = append(all, balance.Candidate[Child]{Value: child, Weight: weight, Key: p.Name})
	}
	if len(all) == 0 {
		return nil, errors.Unwrap(missing[0])
	}
	for _, err := range missing {
		env.Warn(err)
	}
	return all, nil
}

// FirstUp returns the first service that next offers and that is up. next is told of
// those that are not. It is nil when there is none.
func FirstUp(next func(but []Child) (Child, bool)) Child {
	var down []Child
	for {
		c, ok := next(down)
		switch {
		case !ok:
			return nil
		case c.Up():
			return c
		}
		down = append(down, c)
	}
}

// AnyUp tells whether one of the services is up that get requests.
func AnyUp(parts []balance.Candidate[Child]) bool {
	for _, p := range parts {
		if p.Weight > 0 && p.Value.Up() {
			return true
		}
	}
	return false
}

// NoServer answers a request that nobody is there for.
func NoServer(w http.ResponseWriter, r *http.Request, cause string) {
	answer.Text(w, r, http.StatusServiceUnavailable, cause, "no available server")
}
