// Package udp chooses the service of the datagrams of an entry point. There is nothing in a datagram to go by: an entry
// point has one router.
package udp

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"fairway/config/dynamic"
	"fairway/internal/nearest"
	datagrams "fairway/proxy/udp"
)

// Status of an object.
type Status string

// Statuses, as routers of HTTP have them.
const (
	Enabled  Status = "enabled"
	Warned   Status = "warning"
	Disabled Status = "disabled"
)

// Table is all that is routed.
type Table struct {
	routes      map[string]*Route
	services    map[string]*Service
	entryPoints map[string]*Route
	problems    []dynamic.Problem
}

// Route is one router.
type Route struct {
	Name    string
	Config  *dynamic.UDPRouter
	Status  Status
	Errors  []string
	Service string

	service datagrams.Service
}

// Service is one service.
type Service struct {
	Name   string
	Config *dynamic.UDPService
	Status Status
	Errors []string

	service datagrams.Service // nil: out of use
}

// Servers are those of the service.
func (s *Service) Servers() []string {
	if s.service == nil {
		return nil
	}
	return s.service.Servers()
}

// At is the service of an entry point; nil: there is none.
func (t *Table) At(entryPoint string) datagrams.Service {
	if t == nil || t.entryPoints[entryPoint] == nil {
		return nil
	}
	return t.entryPoints[entryPoint].service
}

// Routes returns all routes. The map is not to be changed, nor is the next one.
func (t *Table) Routes() map[string]*Route { return t.routes }

// Services returns all services.
func (t *Table) Services() map[string]*Service { return t.services }

// Problems are those found in building the table.
func (t *Table) Problems() []dynamic.Problem { return t.problems }

// Build makes the table of cfg, for the entry points of datagrams. It never fails as a whole; previous may be nil.
func Build(cfg *dynamic.Configuration, previous *Table, entryPoints []string, precedence dynamic.Precedence) *Table {
	u := cfg.UDP
	if u == nil {
		u = &dynamic.UDP{}
	}
	if previous == nil {
		previous = &Table{}
	}
	b := &building{cfg: cfg, udp: u, previous: previous, entryPoints: entryPoints, said: map[object][]string{}, blamed: map[object]bool{}, next: &Table{
		routes: map[string]*Route{}, services: map[string]*Service{}, entryPoints: map[string]*Route{},
	}}
	for _, p := range cfg.Problems {
		if o := (object{p.Kind, p.Name}); p.Kind != "" && p.Severity != dynamic.Notice {
			b.blamed[o] = b.blamed[o] || p.Disables
			p.Kind, p.Name = "", ""
			b.said[o] = append(b.said[o], p.String())
		}
	}
	for name := range u.Services {
		_, _ = b.service(name)
	}
	for _, name := range slices.SortedFunc(maps.Keys(u.Routers), func(x, y string) int {
		return cmp.Or(cmp.Compare(precedence.Place(dynamic.ProviderOf(x)), precedence.Place(dynamic.ProviderOf(y))), cmp.Compare(x, y))
	}) {
		b.router(name, u.Routers[name])
	}
	slices.SortFunc(b.next.problems, func(x, y dynamic.Problem) int {
		return cmp.Or(cmp.Compare(x.Source, y.Source), cmp.Compare(x.Kind, y.Kind), cmp.Compare(x.Name, y.Name), cmp.Compare(x.Reason, y.Reason))
	})
	return b.next
}

type object struct{ kind, name string }

// building is a table in the making.
type building struct {
	cfg         *dynamic.Configuration
	udp         *dynamic.UDP
	previous    *Table
	next        *Table
	entryPoints []string
	said        map[object][]string
	blamed      map[object]bool
	path        []string
}

// judge is the status of an object, by what came with the configuration, and by err.
func (b *building) judge(o object, err error) (Status, []string) {
	errs := slices.Clone(b.said[o])
	switch {
	case b.blamed[o]:
		return Disabled, errs
	case err != nil:
		return Disabled, append(errs, b.report(o, err, dynamic.Error))
	case len(errs) > 0:
		return Warned, errs
	}
	return Enabled, nil
}

func (b *building) report(o object, err error, severity dynamic.Severity) string {
	p := dynamic.Problem{Severity: severity, Provider: dynamic.ProviderOf(o.name), Kind: o.kind, Name: o.name, Reason: err.Error(), Disables: severity == dynamic.Error}
	if m, ok := errors.AsType[*missing](err); ok {
		p.Nearest = m.near
	}
	if b.cfg.Origin != nil {
		p.Source, p.Line = b.cfg.Origin(o.kind, o.name)
	}
	b.next.problems = append(b.next.problems, p)
	return dynamic.Problem{Reason: p.Reason, Nearest: p.Nearest}.String()
}

// missing is a name of something that is not there.
type missing struct{ what, name, near string }

func (m *missing) Error() string { return fmt.Sprintf("its %s %q does not exist", m.what, m.name) }

func (b *building) service(name string) (*Service, error) {
	if s := b.next.services[name]; s != nil {
		return s, nil
	}
	c := b.udp.Services[name]
	if c == nil {
		return nil, &missing{"service", name, nearest.Name(name, slices.Collect(maps.Keys(b.udp.Services)))}
	}
	if slices.Contains(b.path, name) {
		return nil, fmt.Errorf("it is made of itself: %s > %s", strings.Join(b.path, " > "), name)
	}
	b.path = append(b.path, name)
	defer func() { b.path = b.path[:len(b.path)-1] }()
	s := &Service{Name: name, Config: c}
	var err error
	switch {
	case c.LoadBalancer != nil && c.Weighted != nil:
		err = errors.New("it has more than one kind: loadBalancer and weighted")
	case c.LoadBalancer != nil:
		if old := b.previous.services[name]; old != nil && old.Status == Enabled && dynamic.Same(old.Config, c) {
			s.service = old.service // with its turn
		} else {
			s.service, err = c.LoadBalancer.New()
		}
	case c.Weighted != nil:
		s.service, err = c.Weighted.New(func(part string) (datagrams.Service, error) {
			child, err := b.service(dynamic.Qualify(part, dynamic.ProviderOf(name)))
			if err == nil && child.service == nil {
				err = fmt.Errorf("the service %q is out of use", child.Name)
			}
			if err != nil {
				return nil, err
			}
			return child.service, nil
		})
	default:
		err = errors.New("it has no kind: loadBalancer or weighted")
	}
	if s.Status, s.Errors = b.judge(object{dynamic.KindUDPService, name}, err); s.Status == Disabled {
		s.service = nil
	}
	b.next.services[name] = s
	return s, nil
}

func (b *building) router(name string, c *dynamic.UDPRouter) {
	o := object{dynamic.KindUDPRouter, name}
	rt := &Route{Name: name, Config: c, Service: dynamic.Qualify(c.Service, dynamic.ProviderOf(name))}
	var err error
	if !b.blamed[o] {
		err = b.route(rt)
	}
	rt.Status, rt.Errors = b.judge(o, err)
	b.next.routes[name] = rt
	if rt.Status == Disabled {
		return
	}
	for _, entryPoint := range c.EntryPoints {
		if first := b.next.entryPoints[entryPoint]; first != nil {
			rt.Status = Warned
			rt.Errors = append(rt.Errors, b.report(o, fmt.Errorf("the entry point %s has the router %s already: nothing in a datagram tells them apart", entryPoint, first.Name), dynamic.Warning))
			continue
		}
		b.next.entryPoints[entryPoint] = rt
	}
}

func (b *building) route(rt *Route) error {
	if len(rt.Config.EntryPoints) == 0 {
		return errors.New("it has no entry points: name some whose address ends with /udp")
	}
	for _, name := range rt.Config.EntryPoints {
		if !slices.Contains(b.entryPoints, name) {
			return &missing{"entry point (of UDP)", name, nearest.Name(name, b.entryPoints)}
		}
	}
	if rt.Config.Service == "" {
		return errors.New("it has no service")
	}
	s, err := b.service(rt.Service)
	switch {
	case err != nil:
		return err
	case s.service == nil:
		return fmt.Errorf("its service %q is out of use: %s", rt.Service, strings.Join(s.Errors, "; "))
	}
	rt.service = s.service
	return nil
}
