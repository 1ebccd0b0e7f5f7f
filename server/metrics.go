package server

import (
	"context"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"fairway/config/dynamic"
	"fairway/internal/record"
	"fairway/middlewares"
	"fairway/router"
	"fairway/telemetry"
	"fairway/telemetry/metrics"
)

// counting is all that counts requests, and sends what was counted.
type counting struct {
	sets    metrics.Sets
	fetched *metrics.Metrics           // by Prometheus; nil: it does not
	pushers map[string]*metrics.Pusher // by where to
}

// newMetrics makes what the install configuration asks for. Those that can share a set of
// counters with others come last. Errors name the option below metrics.
func (s *Server) newMetrics(o Options) (err error) {
	c, m := s.config.Metrics, &s.metrics
	if c == nil {
		return nil
	}
	m.sets.State, m.pushers = s.state(o), map[string]*metrics.Pusher{}
	if c.Prometheus != nil {
		if m.fetched, err = m.sets.For(c.Prometheus); err != nil {
			return fmt.Errorf("prometheus.%w", err)
		}
	}
	if c.OTLP != nil {
		if m.pushers["otlp"], err = c.OTLP.New(&m.sets, s.log); err != nil {
			return fmt.Errorf("otlp.%w", err)
		}
	}
	if c.StatsD != nil {
		if m.pushers["statsD"], err = c.StatsD.New(&m.sets, s.log); err != nil {
			return fmt.Errorf("statsD.%w", err)
		}
	}
	return nil
}

// state is what metrics ask the gateway for.
func (s *Server) state(o Options) metrics.State {
	state := metrics.State{
		Connections: s.connections, Servers: s.tellServers, Certificates: s.tellCertificates,
		Problems: func() map[string]int {
			n := map[string]int{"error": 0, "warning": 0, "notice": 0}
			for _, p := range s.problems() {
				n[string(p.Severity)]++
			}
			return n
		},
		Objects: func() map[string]int {
			t := s.router.Table()
			return map[string]int{"router": len(t.Routes()), "service": len(t.Services()), "middleware": len(t.Middlewares())}
		},
		Decisions: s.tellDecisions, Missed: s.tellMissed, Scripts: s.tellScripts, Circuits: s.tellCircuits, Caches: s.tellCaches, Violations: s.tellViolations, Providers: s.tellProviders, Refused: s.tellRefused, OwnLogDropped: o.LogDropped,
		FailedPushes: func() map[string]uint64 {
			n := map[string]uint64{}
			for to, p := range s.metrics.pushers {
				n[to] = p.Failed()
			}
			return n
		},
	}
	if s.accessLog != nil {
		state.LogDropped = s.accessLog.Dropped
	}
	state.Lost = func() map[string]uint64 {
		n := map[string]uint64{}
		if s.tracer != nil {
			n["spans"] = s.tracer.Lost()
		}
		if o.LogLost != nil {
			n["log"] = o.LogLost()
		}
		return n
	}
	return state
}

// pushMetrics sends metrics until stop is called, which waits for the last ones.
func (s *Server) pushMetrics() (stop func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	var pushing sync.WaitGroup
	for _, p := range s.metrics.pushers {
		pushing.Go(func() { p.Run(ctx) })
	}
	return func(context.Context) error {
		cancel()
		pushing.Wait()
		return nil
	}
}

func (s *Server) connections() map[[2]string]int {
	open := map[[2]string]int{}
	for _, e := range s.entryPoints {
		n := int(e.open.Load() + e.streamsOpen.Load())
		if e.engine != nil {
			n += e.engine.Connections()
		}
		open[[2]string{e.name, "TCP"}] = n
		if e.http3 != nil {
			open[[2]string{e.name, "UDP"}] = int(e.http3.open.Load())
		}
	}
	return open
}

func (s *Server) tellRefused(tell func(entryPoint string, status int, n uint64)) {
	for _, e := range s.entryPoints {
		e.refused.tell(func(status int, n uint64) { tell(e.name, status, n) })
	}
}

// count follows the connections that the standard library serves.
func (e *entryPoint) count(_ net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		e.open.Add(1)
	case http.StateClosed, http.StateHijacked:
		e.open.Add(-1)
	}
}

func (s *Server) tellServers(tell func(service, url string, up bool)) {
	for name, slot := range s.router.Table().Services() {
		for _, server := range slot.Servers() {
			tell(name, server.URL, server.Up)
		}
	}
}

// tellCertificates has the labels as Traefik makes them.
func (s *Server) tellCertificates(tell func(name, serial, sans string, until time.Time)) {
	for _, leaf := range s.https.leafs() {
		tell(leaf.Subject.CommonName, leaf.SerialNumber.String(), strings.Join(slices.Sorted(slices.Values(leaf.DNSNames)), ","), leaf.NotAfter)
	}
}

func (s *Server) tellDecisions(tell func(kind, middleware string, passed, refused uint64)) {
	for name, m := range s.router.Table().Middlewares() {
		if d, counts := m.Kept().(middlewares.Decider); counts {
			passed, refused := d.Decisions()
			tell(m.Kind, name, passed, refused)
		}
	}
}

func (s *Server) tellMissed(tell func(kind, middleware string, n uint64)) {
	for name, m := range s.router.Table().Middlewares() {
		if d, is := m.Kept().(middlewares.Dependent); is {
			tell(m.Kind, name, d.Missed())
		}
	}
}

func (s *Server) tellScripts(tell func(kind, middleware string, failed uint64)) {
	for name, m := range s.router.Table().Middlewares() {
		if r, runs := m.Kept().(middlewares.Scripted); runs {
			tell(m.Kind, name, r.ScriptErrors())
		}
	}
}

// troubles are what middlewares cannot do at the moment.
func (s *Server) troubles() (list []dynamic.Problem) {
	all := s.router.Table().Middlewares()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		t, is := all[name].Kept().(middlewares.Troubled)
		if !is {
			continue
		}
		if trouble := t.Trouble(); trouble != "" {
			list = append(list, dynamic.Problem{Severity: dynamic.Error, Provider: dynamic.ProviderOf(name), Kind: dynamic.KindMiddleware, Name: name, Reason: trouble})
		}
	}
	return list
}

func (s *Server) tellCircuits(tell func(middleware, service, state string)) {
	for name, m := range s.router.Table().Middlewares() {
		if c, has := m.Kept().(middlewares.Circuits); has {
			c.EachCircuit(func(service, state string) { tell(name, service, state) })
		}
	}
}

func (s *Server) tellViolations(tell func(middleware, direction string, checked, violated uint64)) {
	for name, m := range s.router.Table().Middlewares() {
		if v, looks := m.Kept().(middlewares.Violations); looks {
			v.EachViolation(func(direction string, checked, violated uint64) { tell(name, direction, checked, violated) })
		}
	}
}

func (s *Server) tellCaches(tell func(middleware string, c metrics.Cache)) {
	for name, m := range s.router.Table().Middlewares() {
		if c, stores := m.Kept().(middlewares.Cache); stores {
			tell(name, c)
		}
	}
}

func (s *Server) tellProviders(tell func(name string, updates uint64, last time.Time, up bool)) {
	for name, state := range s.watch.States() {
		tell(name, state.Updates, state.Updated, state.Down == "")
	}
}

// keepMetrics forgets what a table does not have any more.
func (s *Server) keepMetrics(t *router.Table, at time.Time) {
	for _, m := range s.metrics.sets.All() {
		m.Reloaded(time.Now(), time.Since(at))
		m.Keep(func(name, service string) bool {
			route := t.Routes()[name]
			return route != nil && route.Service == service
		}, func(name string) bool { return t.Services()[name] != nil })
	}
}

// selective is an observer that is not told of everything.
type selective struct {
	telemetry.Observer
	internals bool // also of fairway's own services
	silent    func(*record.Silent) bool
}

// Observe implements telemetry.Observer.
func (o selective) Observe(e *telemetry.Exchange) {
	if (o.internals || !strings.HasSuffix(e.Record.Service, "@internal")) && !o.silent(&e.Record.Silent) {
		o.Observer.Observe(e)
	}
}

// observersOf are told of the exchanges of an entry point; nil: nobody is.
func (s *Server) observersOf() *observers {
	o := &observers{origin: s.accessLog != nil && s.accessLog.WantsHeaders(), log: s.log}
	o.headers = o.origin || s.tracer != nil && s.tracer.WantsHeaders()
	if s.accessLog != nil { // it knows about fairway's own services itself
		o.list = append(o.list, selective{s.accessLog, true, func(silent *record.Silent) bool { return silent.Log }})
	}
	if s.tracer != nil {
		o.follow = s.tracer.Begin
		o.list = append(o.list, s.tracer) // it knows whom it follows
	}
	for _, m := range s.metrics.sets.All() {
		o.list = append(o.list, selective{m, s.config.Metrics.AddInternals, func(silent *record.Silent) bool { return silent.Metrics }})
	}
	if s.live != nil {
		o.list = append(o.list, s.live) // it knows about fairway's own services itself
	}
	if len(o.list) == 0 {
		return nil
	}
	return o
}
