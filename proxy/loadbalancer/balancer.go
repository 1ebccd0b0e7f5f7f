package loadbalancer

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sirupsen/logrus"

	"fairway/internal/answer"
	"fairway/internal/balance"
	"fairway/internal/record"
	"fairway/proxy"
)

// balancer is a load balancer at work. Which servers are used is decided when
// something becomes known of one of them, not for each request.
type balancer struct {
	name      string
	log       logrus.FieldLogger
	servers   []*server
	forwarder proxy.Forwarder
	strategy  func([]*server) chooser
	sticky    *balance.Stickiness // nil: none
	active    *HealthCheck        // nil: none
	passive   *PassiveHealthCheck // nil: none
	slowStart time.Duration
	counts    bool            // requests under way matter
	ctx       context.Context //nolint:containedctx // ends with the instance; checks hang on it

	inUse atomic.Pointer[selection]
	mu    sync.Mutex // guards the making of a selection
}

// selection are the servers that are used at one time.
type selection struct {
	chooser
	servers []*server
}

// New implements proxy.Config.
func (c *Config) New(ctx context.Context, env proxy.Env) (proxy.Service, error) {
	b := &balancer{
		name: env.Name, ctx: ctx, log: env.Log, forwarder: env.Forwarder, active: c.HealthCheck, passive: c.PassiveHealthCheck,
		slowStart: time.Duration(c.SlowStart),
	}
	var err error
	if b.strategy, err = strategyOf(c.Strategy); err != nil {
		return nil, err
	}
	if b.sticky, err = c.Sticky.New(env.Name); err != nil {
		return nil, err
	}
	if c.ServersTransport != "" {
		if b.forwarder, err = env.Transport(c.ServersTransport); err != nil {
			return nil, err
		}
	}
	if b.active != nil {
		if err := b.active.validate(); err != nil {
			return nil, err
		}
	}
	if b.passive != nil {
		if err := b.passive.validate(); err != nil {
			return nil, err
		}
	}
	if c.SlowStart < 0 {
		return nil, fmt.Errorf("slowStart: %s is below 0", b.slowStart)
	}
	kind := b.strategy(nil)
	_, b.counts = kind.(twoChoices)
	_, timed := kind.(leastTime)
	b.counts = b.counts || timed
	previous, _ := env.Previous.(*balancer)
	if err := b.take(c, previous, timed); err != nil {
		return nil, err
	}
	b.choose()
	return b, nil
}

// take makes the servers, with what is known of them.
func (b *balancer) take(c *Config, previous *balancer, timed bool) error {
	options := proxy.Options{PassHost: c.PassHostHeader == nil || *c.PassHostHeader, FlushInterval: defaultFlushInterval}
	if c.ResponseForwarding != nil {
		options.FlushInterval = time.Duration(c.ResponseForwarding.FlushInterval)
	}
	for i, s := range c.Servers {
		target, weight, err := s.target()
		if err != nil {
			return fmt.Errorf("server %d: %w", i+1, err)
		}
		srv := &server{target: target, name: target.URL.Redacted(), key: target.URL.String(), weight: weight, options: options, state: &state{}}
		srv.mark = balance.Mark(srv.key)
		if old := previous.find(srv); old != nil {
			srv.state = old.state
			if b.forwarder == previous.forwarder {
				srv.target = old.target
			}
			srv.state.carryOver(b.active != nil, previous.active != nil)
		} else if previous != nil {
			srv.state.since = time.Now()
		}
		if b.passive != nil || timed {
			srv.options.Answered = b.answered(srv, timed)
		}
		srv.target.Use(b.ctx)
		b.servers = append(b.servers, srv)
	}
	return nil
}

// carryOver makes a state fit to whether there are active checks now. A server that
// was used without any goes on being used until the first one says otherwise.
func (s *state) carryOver(checked, before bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case !checked:
		s.health, s.good, s.bad = unknown, 0, 0
	case !before:
		s.health = well
	}
}

// find returns what is already known of a server. It accepts a nil balancer.
func (b *balancer) find(srv *server) *server {
	if b == nil {
		return nil
	}
	for _, s := range b.servers {
		if s.key == srv.key && s.target.PreservePath == srv.target.PreservePath {
			return s
		}
	}
	return nil
}

// Start begins with the checks. It is called when the service comes into force.
func (b *balancer) Start() {
	if b.active != nil {
		b.check()
	}
	for _, s := range b.servers { // ejected before the reload
		s.state.mu.Lock()
		until := s.state.ejected
		s.state.mu.Unlock()
		if b.passive != nil && time.Now().Before(until) {
			b.chooseAt(until)
		}
	}
}

// choose makes the selection anew.
func (b *balancer) choose() {
	b.mu.Lock()
	defer b.mu.Unlock()
	var all, left []*server
	now := time.Now()
	for _, s := range b.servers {
		if b.active != nil && !s.state.isWell() {
			continue
		}
		all = append(all, s)
		if b.passive == nil || !s.state.isEjected(now) {
			left = append(left, s)
		}
	}
	if b.passive != nil && len(left)*100 < len(all)*b.passive.PanicThreshold || len(left) == 0 {
		left = all
	}
	if old := b.inUse.Load(); old != nil && slices.Equal(old.servers, left) {
		return
	}
	b.inUse.Store(&selection{chooser: b.strategy(left), servers: left})
}

// chooseAt makes the selection anew at a time, unless the instance has ended.
func (b *balancer) chooseAt(at time.Time) {
	timer := time.AfterFunc(time.Until(at)+time.Millisecond, b.choose)
	context.AfterFunc(b.ctx, func() { timer.Stop() })
}

// ServeHTTP forwards to a server. While nothing has been sent, a server that cannot be
// connected to costs a try at another one, not the request. One that breaks off
// without an answer costs a single further try, for it may be the request that
// breaks it.
func (b *balancer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rec := record.From(r.Context())
	if rec != nil {
		rec.Leaf = b.name
	}
	in := b.inUse.Load()
	s := b.first(in, r)
	if s == nil {
		answer.Text(w, r, http.StatusServiceUnavailable, b.nobody(), "no available server")
		return
	}
	defer proxy.Finish(w, r)
	failed := b.forward(w, r, rec, s)
	repeated := false
	for tried := []*server(nil); failed != nil && (failed.Unsent || failed.Again && !repeated); {
		tried = append(tried, s) // made here, for it is on the heap
		repeated = repeated || failed.Again
		if s = in.choose(r, tried); s == nil {
			break
		}
		failed = b.forward(w, r, rec, s)
	}
	if failed == nil {
		return
	}
	rec.Classify(failed.Class)
	rec.Fail(failed.Error())
	rec.SetUnsent(failed.Unsent)
	if !failed.Answered {
		answer.Refuse(w, r, failed.Status, failed.Error())
	}
}

// first chooses the server that a request is sent to at first.
func (b *balancer) first(in *selection, r *http.Request) *server {
	if b.sticky != nil {
		if mark := b.sticky.Of(r); mark != "" {
			for _, s := range in.servers {
				if s.mark == mark || slices.Contains(balance.Marks(s.key), mark) {
					return s
				}
			}
		}
	}
	s := in.choose(r, nil)
	if b.slowStart == 0 || s == nil || len(in.servers) == 1 {
		return s
	}
	if share := s.state.warm(time.Now(), b.slowStart); share < 1 && rand.Float64() > share { //nolint:gosec // a choice, not a secret
		// By lot: it must not be the turn of the others twice.
		if other := drawn(in.servers, []*server{s}, func(s *server) float64 { return float64(s.weight) }); other != nil {
			return other
		}
	}
	return s
}

func (b *balancer) forward(w http.ResponseWriter, r *http.Request, rec *record.Record, s *server) *proxy.Error {
	if rec != nil {
		rec.Server = s.name
		if s.options.Answered != nil {
			rec.Sent = time.Now()
		}
	}
	if b.sticky != nil {
		b.sticky.Give(w.Header(), r, s.mark)
	}
	if b.counts {
		s.state.underWay.Add(1)
		defer s.state.underWay.Add(-1)
	}
	failed, _ := errors.AsType[*proxy.Error](b.forwarder.Forward(w, r, s.target, s.options))
	if b.passive != nil && isFailure(failed) {
		b.noteFailure(s, failed.Error())
	}
	return failed
}

// answered is told of the heads of a server's responses.
func (b *balancer) answered(s *server, timed bool) func(*http.Request, int) {
	return func(r *http.Request, status int) {
		if b.passive != nil && status >= http.StatusInternalServerError {
			b.noteFailure(s, fmt.Sprintf("it answered with status %d", status))
		}
		if rec := record.From(r.Context()); timed && rec != nil {
			s.state.pace.took(time.Since(rec.Sent))
		}
	}
}

func (b *balancer) noteFailure(s *server, reason string) {
	now := time.Now()
	if !s.state.failed(now, b.passive) {
		return
	}
	b.log.WithFields(logrus.Fields{"server": s.name, "for": time.Duration(b.passive.FailureWindow).String()}).Warn("server is left out: " + reason)
	b.choose()
	b.chooseAt(now.Add(time.Duration(b.passive.FailureWindow)))
}

// nobody says why there is no server.
func (b *balancer) nobody() string {
	if len(b.servers) == 0 || b.active == nil {
		return "no available server"
	}
	for _, s := range b.servers {
		if reason := s.state.why(); reason != "" {
			return fmt.Sprintf("no available server: %s is out of use: %s", s.name, reason)
		}
	}
	return "no available server: none has passed its first health check yet"
}

// Servers implements proxy.Service.
func (b *balancer) Servers() []proxy.ServerStatus {
	list := make([]proxy.ServerStatus, len(b.servers))
	now := time.Now()
	for i, s := range b.servers {
		up := (b.active == nil || s.state.isWell()) && (b.passive == nil || !s.state.isEjected(now))
		list[i] = proxy.ServerStatus{URL: s.name, Up: up, Weight: s.weight, InFlight: int(s.state.underWay.Load()), Reason: s.state.why()}
		if b.active != nil {
			list[i].Check = s.state.checked()
		}
	}
	return list
}

// Up implements proxy.Child.
func (b *balancer) Up() bool { return len(b.inUse.Load().servers) > 0 }
