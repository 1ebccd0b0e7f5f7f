package dashboard

import (
	"fmt"
	"slices"
	"strings"

	"fairway/config/dynamic"
	"fairway/internal/secret"
	"fairway/router"
)

// The way of a request through a table, as it is shown: chains with their members, and
// services with those that they are made of, down to the servers. Both may be nested, and
// name each other in a circle by mistake, so that what is followed is bounded.
const (
	deepest   = 8
	mostSteps = 100
)

// Step is a middleware or a service on the way of a request.
type Step struct {
	Name   string        `json:"name"`
	Type   string        `json:"type,omitempty"`
	Status router.Status `json:"status,omitempty"`
	In     string        `json:"in,omitempty"` // the chain that it is a member of
}

// Pool is a service, and who answers for it.
type Pool struct {
	Step
	Role        string   `json:"role,omitempty"`    // in the one that it is a part of: main, fallback or mirror
	Weight      *int     `json:"weight,omitempty"`  // among the parts
	Percent     *int     `json:"percent,omitempty"` // of the requests that a mirror gets
	Middlewares []Step   `json:"middlewares,omitempty"`
	Servers     []Server `json:"servers,omitempty"`
	Parts       []Pool   `json:"parts,omitempty"`
}

// Server is one that may answer.
type Server struct {
	URL      string `json:"url"`
	Up       bool   `json:"up"`
	Weight   int    `json:"weight,omitempty"`
	InFlight int    `json:"inFlight"`
	Check    string `json:"check,omitempty"`  // of the active checks: passed, failed or waiting
	Reason   string `json:"reason,omitempty"` // why it gets no requests
}

func serversOf(s *router.Slot) (list []Server) {
	for _, server := range s.Servers() {
		list = append(list, Server{secret.URL(server.URL), server.Up, server.Weight, server.InFlight, server.Check, server.Reason})
	}
	return list
}

// way follows names through a table.
type way struct {
	table *router.Table
	steps int
}

// middlewares are those of these names, each chain before its members.
func (w *way) middlewares(names []string, provider, in string, depth int) (list []Step) {
	for _, name := range names {
		if w.steps++; w.steps > mostSteps {
			return list
		}
		step := Step{Name: dynamic.Qualify(name, provider), In: in}
		m := w.table.Middlewares()[step.Name]
		if m == nil {
			list = append(list, step)
			continue
		}
		step.Type, step.Status = strings.ToLower(m.Kind), statusOf(w.table, m)
		list = append(list, step)
		if m.Config != nil && m.Config.Chain != nil && depth < deepest {
			list = append(list, w.middlewares(m.Config.Chain.Middlewares, dynamic.ProviderOf(step.Name), step.Name, depth+1)...)
		}
	}
	return list
}

// pool is the service of a name with all that it is made of.
func (w *way) pool(name string, depth int) Pool {
	w.steps++
	p := Pool{Step: Step{Name: name}}
	slot := w.table.Services()[name]
	if slot == nil {
		return p
	}
	p.Type, p.Status, p.Servers = strings.ToLower(slot.Kind), slot.Status, serversOf(slot)
	c := slot.Config()
	if c == nil {
		return p
	}
	provider := dynamic.ProviderOf(name)
	p.Middlewares = w.middlewares(c.Middlewares, provider, "", 0)
	for i, part := range c.Parts() {
		if depth == deepest || w.steps >= mostSteps {
			break
		}
		its := w.pool(dynamic.Qualify(part, provider), depth+1)
		its.share(c, i)
		p.Parts = append(p.Parts, its)
	}
	return p
}

// share tells what a pool is to the service that has it as its i-th part.
func (p *Pool) share(of *dynamic.Service, i int) {
	switch {
	case of.Weighted != nil:
		p.Weight = orOne(of.Weighted.Services[i].Weight)
	case of.HighestRandomWeight != nil:
		p.Weight = orOne(of.HighestRandomWeight.Services[i].Weight)
	case of.Mirroring != nil && i > 0:
		p.Role, p.Percent = "mirror", new(of.Mirroring.Mirrors[i-1].Percent)
	case of.Failover != nil && i > 0:
		p.Role = "fallback"
	default:
		p.Role = "main"
	}
}

// answering adds the servers whose answers clients get.
func (p *Pool) answering(to []Server) []Server {
	if p.Role == "mirror" {
		return to
	}
	to = append(to, p.Servers...)
	for i := range p.Parts {
		to = p.Parts[i].answering(to)
	}
	return to
}

func orOne(weight *int) *int {
	if weight == nil {
		return new(1)
	}
	return weight
}

// statusOf is the status of a middleware; a chain is out of use as soon as a member is.
func statusOf(t *router.Table, m *router.Middleware) router.Status {
	if m.Status != router.Disabled && len(broken(t, m, nil)) > 0 {
		return router.Disabled
	}
	return m.Status
}

// broken says which members take a chain out of use.
func broken(t *router.Table, m *router.Middleware, within []string) (reasons []string) {
	if m.Config == nil || m.Config.Chain == nil || len(within) > deepest {
		return nil
	}
	within = append(slices.Clip(within), m.Name)
	for _, name := range m.Config.Chain.Middlewares {
		name = dynamic.Qualify(name, dynamic.ProviderOf(m.Name))
		member := t.Middlewares()[name]
		switch {
		case member == nil:
			reasons = append(reasons, fmt.Sprintf("its middleware %q does not exist", name))
		case slices.Contains(within, name):
			reasons = append(reasons, fmt.Sprintf("the middleware %q contains itself", name))
		case member.Status == router.Disabled, len(broken(t, member, within)) > 0:
			reasons = append(reasons, fmt.Sprintf("its middleware %q is out of use", name))
		}
	}
	return reasons
}
