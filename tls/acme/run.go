package acme

import (
	"context"
	"crypto/x509"
	"slices"
	"strings"
	"sync"
	"time"
)

// running is the time between the start of Run and its end.
type running struct {
	ctx      context.Context
	work     sync.WaitGroup
	nextLook time.Time
}

// Run owns all goroutines of the Resolver, and returns when they have ended. An order that
// is under way is given up: requests to the authority and all waiting end at once. Only a
// call to the API of a DNS service cannot be interrupted; Run waits ten seconds for it.
func (r *Resolver) Run(ctx context.Context) {
	run := &running{ctx: ctx}
	if r.out == nil {
		r.keepImported()
	}
	if r.warning != "" {
		r.log.Warn(r.warning)
	}
	r.mu.Lock()
	r.run, r.dirty = run, true
	r.mu.Unlock()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		timer.Reset(max(time.Until(r.pass(run)), time.Millisecond))
		select {
		case <-ctx.Done():
		case <-r.kick:
		case <-timer.C:
		}
	}
	r.mu.Lock()
	r.run = nil // nothing new begins
	r.mu.Unlock()
	ended := make(chan struct{})
	go func() {
		run.work.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(r.pace.stop):
		r.log.Warn("An order that cannot be interrupted is left behind.")
	}
}

// pass does all that is due, and returns when something will be due again.
func (r *Resolver) pass(run *running) time.Time {
	if now := time.Now(); !now.Before(run.nextLook) {
		if r.look(r.out == nil) {
			r.changed()
		}
		if r.out == nil {
			r.saveAgain()
			r.correct()
			r.store.sweep(now.Add(-time.Hour))
		}
		run.nextLook = now.Add(r.pace.look)
		r.mu.Lock()
		r.dirty = true // the operator's own certificates may be others by now
		r.mu.Unlock()
	}
	r.plan()
	if r.out != nil {
		return run.nextLook
	}
	next := r.dispatch(run)
	if next.After(run.nextLook) {
		next = run.nextLook
	}
	return next
}

// dispatch begins orders as far as there are workers, names without a certificate first.
// What has to wait for a worker, or for an order of one of its names, is looked at again
// when an order ends, which wakes the loop.
func (r *Resolver) dispatch(run *running) (next time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	next = now.Add(r.pace.look)
	held := r.holds()
	var due, ask []*entry
	for _, e := range r.entries {
		at, ok := r.dueAt(e, held)
		switch {
		case ok && !at.After(now):
			due = append(due, e)
			continue
		case ok && at.Before(next):
			next = at
		}
		if ok && e.cert != nil && e.rec.CAServer == r.cfg.CAServer {
			if !e.ariAt.After(now) {
				ask = append(ask, e)
			} else if e.ariAt.Before(next) {
				next = e.ariAt
			}
		}
	}
	slices.SortFunc(due, func(a, b *entry) int {
		if (a.cert == nil) != (b.cert == nil) {
			return map[bool]int{true: -1, false: 1}[a.cert == nil]
		}
		return a.rec.RenewAt.Compare(b.rec.RenewAt)
	})
	for _, e := range due {
		issue := r.issuer(e)
		r.begin(run, e, func() { r.work(run.ctx, e, e.names, issue) })
	}
	for _, e := range ask {
		leaf := e.cert.Leaf
		r.begin(run, e, func() { r.checkWindow(run.ctx, e, leaf) })
	}
	return next
}

// issuer is how a certificate is got when no handshake waits for it. r.mu is held.
func (r *Resolver) issuer(e *entry) issuer {
	if e.wanted {
		return r.obtain
	}
	return r.obtainIfAllowed
}

// issuer gets a certificate for names. The one that it replaces may be nil.
type issuer func(ctx context.Context, names []string, replaces *x509.Certificate) outcome

// begin starts a goroutine for a certificate if there is a worker, and nobody else is busy
// with one of its names. r.mu is held.
func (r *Resolver) begin(run *running, e *entry, do func()) bool {
	if run.ctx.Err() != nil || e.active || slices.ContainsFunc(e.names, func(name string) bool { return r.busy[name] }) {
		return false
	}
	select {
	case r.slots <- struct{}{}:
	default:
		return false
	}
	e.active = true
	for _, name := range e.names {
		r.busy[name] = true
	}
	run.work.Go(func() {
		defer r.end(e)
		do()
	})
	return true
}

func (r *Resolver) end(e *entry) {
	r.mu.Lock()
	e.active, e.ordering = false, false
	for _, name := range e.names {
		delete(r.busy, name)
	}
	r.mu.Unlock()
	<-r.slots
	r.changed()
	r.wake()
}

// dueAt is when a certificate has to be ordered; false: never, or it is under way. r.mu is
// held.
func (r *Resolver) dueAt(e *entry, held holds) (at time.Time, ok bool) {
	if at, ok = r.wish(e); !ok {
		return at, false
	}
	at = latest(at, r.hourly(e.names, held))
	if p := held.pause(e.names); p != nil {
		at = latest(at, p.Until)
	}
	return at, true
}

// wish is when a certificate would be ordered if there were no limits. r.mu is held.
func (r *Resolver) wish(e *entry) (at time.Time, ok bool) {
	if e.active || e.refused != "" || !e.wanted && (!e.rec.OnDemand || e.cert == nil || r.ask == nil) {
		return at, false
	}
	if e.cert == nil {
		at = r.coveredUntil(e.names)
	} else if e.rec.CAServer == r.cfg.CAServer {
		at = e.rec.RenewAt
	}
	return latest(at, e.rec.NextTry, e.retry), true
}

// coveredUntil is when the first of other certificates that have all these names is to be
// renewed, zero if they do not have all. Such are left when routers have changed, or were
// taken over: nothing has to be ordered while they are good. r.mu is held.
func (r *Resolver) coveredUntil(names []string) (until time.Time) {
	for _, name := range names {
		at := r.until[name]
		if _, parent, ok := strings.Cut(name, "."); ok && !strings.HasPrefix(name, "*.") {
			at = latest(at, r.until["*."+parent])
		}
		if at.IsZero() {
			return at
		}
		if until.IsZero() || at.Before(until) {
			until = at
		}
	}
	return until
}

func latest(times ...time.Time) time.Time { return slices.MaxFunc(times, time.Time.Compare) }
