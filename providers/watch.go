package providers

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"fairway/config/dynamic"
)

// Watch runs providers and hands on what they publish, put together and only
// when something is different.
//
// The first change after a quiet time goes through at once. Those that follow
// within Throttle are collected and go through together. A provider that fails is
// started again; until then its last word stays in force, with a problem that
// says so.
type Watch struct {
	Providers map[string]Provider // by name, the part behind the @
	Throttle  time.Duration
	Log       logrus.FieldLogger
	// Apply receives every new state. It is called from one goroutine.
	Apply func(*dynamic.Configuration)

	mu      sync.Mutex
	current map[string]*dynamic.Configuration // last published, as published
	failed  map[string]string                 // reasons of providers that are down
	updates map[string]State
	settled map[string]bool // whose first word, or first failure, is applied
	changed chan struct{}   // holds one: something is to be applied
	heard   chan struct{}   // closed when what all have published is applied
}

const (
	firstRestart = 500 * time.Millisecond
	lastRestart  = 30 * time.Second
)

// Run works until ctx ends and all providers have returned.
func (w *Watch) Run(ctx context.Context) {
	w.prepare()
	var running sync.WaitGroup
	for name, p := range w.Providers {
		running.Go(func() { w.keepRunning(ctx, name, p) })
	}
	w.apply(ctx)
	running.Wait() // not deferred: it would wait for ever behind a panic, which nobody would see
}

func (w *Watch) prepare() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.changed == nil {
		w.updates, w.settled = map[string]State{}, map[string]bool{}
		w.current, w.failed = map[string]*dynamic.Configuration{}, map[string]string{}
		w.changed, w.heard = make(chan struct{}, 1), make(chan struct{})
	}
}

// Heard is closed as soon as every provider has published once, and that has been
// applied.
func (w *Watch) Heard() <-chan struct{} {
	w.prepare()
	return w.heard
}

func (w *Watch) keepRunning(ctx context.Context, name string, p Provider) {
	pause := firstRestart
	for {
		started := time.Now()
		err := runSafely(ctx, p, func(c *dynamic.Configuration) { w.publish(name, c) })
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			err = errors.New("it stopped without a reason")
		}
		if time.Since(started) > lastRestart {
			pause = firstRestart
		}
		w.Log.WithField("provider", name).WithError(err).WithField("retry", pause).Error("provider failed; its last configuration stays in force")
		w.fail(name, err.Error())
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		pause = min(2*pause, lastRestart)
	}
}

// runSafely makes an error of a panic: a provider must not take the proxy down.
func runSafely(ctx context.Context, p Provider, publish Publish) (err error) {
	defer func() {
		if reason := recover(); reason != nil {
			err = fmt.Errorf("panic: %v", reason)
		}
	}()
	return p.Run(ctx, publish)
}

func (w *Watch) publish(name string, c *dynamic.Configuration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	old, known := w.current[name]
	if _, wasDown := w.failed[name]; known && !wasDown && dynamic.Equal(old, c) {
		return
	}
	delete(w.failed, name)
	w.current[name] = c
	if blind(c) == "" {
		w.updates[name] = State{Updates: w.updates[name].Updates + 1, Updated: time.Now()}
	}
	w.notify()
}

func (w *Watch) fail(name, reason string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if before, down := w.failed[name]; !down || before != reason {
		w.failed[name] = reason
		w.notify()
	}
}

// State is how a provider is.
type State struct {
	Updates uint64    // how often it has published something new
	Updated time.Time // when it last did; zero: never
	Down    string    // why it does not see what there is; empty: it does
}

// States are those of all providers, by name.
func (w *Watch) States() map[string]State {
	w.prepare()
	w.mu.Lock()
	defer w.mu.Unlock()
	all := make(map[string]State, len(w.Providers))
	for name := range w.Providers {
		state := w.updates[name]
		if state.Down = w.failed[name]; state.Down == "" {
			state.Down = blind(w.current[name])
		}
		all[name] = state
	}
	return all
}

// blind is why a provider that runs does not see what there is, in its own words; empty: it
// does.
func blind(c *dynamic.Configuration) string {
	var reasons []string
	if c != nil {
		for _, p := range c.Problems {
			if p.Blind {
				reasons = append(reasons, p.String())
			}
		}
	}
	return strings.Join(reasons, "; ")
}

// notify asks for an Apply. One that is asked for already will see this change.
func (w *Watch) notify() {
	select {
	case w.changed <- struct{}{}:
	default:
	}
}

// apply hands on the state whenever it has changed, at most once per Throttle.
func (w *Watch) apply(ctx context.Context) {
	qualified := map[string]*dynamic.Configuration{}
	source := map[string]*dynamic.Configuration{}
	heard := len(w.Providers) == 0
	if heard {
		close(w.heard)
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.changed:
		}
		state, told := w.state(qualified, source)
		w.Apply(state)
		w.settle(told)
		if !heard && len(source) == len(w.Providers) {
			heard = true
			close(w.heard)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(w.Throttle):
		}
	}
}

// settle notes whose word, or failure, is applied now.
func (w *Watch) settle(told []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, name := range told {
		w.settled[name] = true
	}
}

// Waiting are the names of the providers that have neither published anything that is
// applied, nor failed with a problem that is told.
func (w *Watch) Waiting() (names []string) {
	w.prepare()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(w.Providers)) {
		if !w.settled[name] {
			names = append(names, name)
		}
	}
	return names
}

// state merges what is published now, and tells whom it is of. Only what is new is
// qualified again.
func (w *Watch) state(qualified, source map[string]*dynamic.Configuration) (merged *dynamic.Configuration, of []string) {
	w.mu.Lock()
	current, failed := maps.Clone(w.current), maps.Clone(w.failed)
	w.mu.Unlock()
	for name, c := range current {
		if source[name] != c {
			source[name], qualified[name] = c, c.Qualified(name)
		}
	}
	all := *dynamic.Merge(qualified)
	for _, name := range slices.Sorted(maps.Keys(failed)) {
		all.Problems = append(slices.Clip(all.Problems), dynamic.Problem{
			Severity: dynamic.Error,
			Provider: name, Reason: "the provider failed, its last configuration stays in force: " + failed[name],
		})
	}
	return &all, slices.AppendSeq(slices.Collect(maps.Keys(current)), maps.Keys(failed))
}
