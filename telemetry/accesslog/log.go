package accesslog

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/sirupsen/logrus"

	"fairway/internal/outlet"
	"fairway/telemetry"
)

// Log is an access log. It implements telemetry.Observer.
type Log struct {
	log     logrus.FieldLogger
	form    *form
	choose  *choice
	sinks   []*outlet.Sink
	trouble chan struct{} // of a sink begins or ends
	// collected has the same in JSON for a collector, where the lines are in another form.
	collected *Log
	refused   *telemetry.Failures // by the collector; nil: there is none

	count atomic.Uint64 // of exchanges
	free  sync.Pool     // of *line
}

var _ telemetry.Observer = (*Log)(nil)

// largest is the size of lines above which their buffers are not kept.
const largest = 16 << 10

// Observe implements telemetry.Observer.
func (l *Log) Observe(e *telemetry.Exchange) {
	count := l.count.Add(1)
	if !l.choose.take(e) {
		return
	}
	if len(l.sinks) > 0 {
		l.write(e, count)
	}
	if l.collected != nil {
		l.collected.write(e, count)
	}
}

func (l *Log) write(e *telemetry.Exchange, count uint64) {
	x := l.free.Get().(*line)
	text := x.write(e, count)
	for _, s := range l.sinks {
		s.Put(text)
	}
	x.forget()
	if cap(x.buf) <= largest {
		l.free.Put(x)
	}
}

// WantsHeaders tells whether headers of requests or responses are written.
func (l *Log) WantsHeaders() bool {
	return l.form.readsHeaders() || l.collected != nil && l.collected.form.readsHeaders()
}

// outputs are all of them.
func (l *Log) outputs() []*outlet.Sink {
	if l.collected == nil {
		return l.sinks
	}
	return slices.Concat(l.sinks, l.collected.sinks)
}

// Dropped is the number of lines that were lost, because the disk was too slow or full, or
// the collector away.
func (l *Log) Dropped() uint64 {
	var n uint64
	if l.refused != nil {
		n = l.refused.Count()
	}
	for _, s := range l.outputs() {
		n += s.Dropped()
	}
	return n
}

// Reopen opens the file anew, after it was renamed. If that fails the old one stays.
func (l *Log) Reopen() error {
	var errs []error
	for _, s := range l.outputs() {
		errs = append(errs, s.Reopen())
	}
	return errors.Join(errs...)
}

// Run writes the lines until ctx ends, and then those that are left; for that it waits as
// long as the disk takes. Lines that come later are lost.
func (l *Log) Run(ctx context.Context) {
	outlet.Run(ctx, l.outputs(), l.trouble, l.log, outlet.Words{
		Unwritten: "the access log cannot be written",
		Slow:      "lines of the access log are lost: the output takes them too slowly",
		Again:     "the access log is written again",
	})
}
