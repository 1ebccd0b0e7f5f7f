package traces

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/sirupsen/logrus"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// queueLength is how many spans wait for the collector. Further ones are lost.
const queueLength = 2048

// exporter sends spans, and knows how many are waiting and how many were lost. Of these it
// says once a minute at most.
type exporter struct {
	sdktrace.SpanExporter
	log     logrus.FieldLogger
	waiting atomic.Int64
	lost    atomic.Uint64
	told    atomic.Int64 // when the loss was told, in seconds of Unix time; 0: there is none
}

// ExportSpans implements sdktrace.SpanExporter. Who is traced does not wait for it.
func (x *exporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	x.waiting.Add(-int64(len(spans)))
	if err := x.SpanExporter.ExportSpans(ctx, spans); err != nil {
		x.lose(len(spans), err)
		return nil // said already
	}
	if x.told.Swap(0) != 0 {
		x.log.WithField("lost", x.lost.Load()).Info("spans are sent to the collector again")
	}
	return nil
}

func (x *exporter) lose(n int, reason error) {
	lost := x.lost.Add(uint64(n))
	if now, told := time.Now().Unix(), x.told.Load(); now-told >= 60 && x.told.CompareAndSwap(told, now) {
		x.log.WithError(reason).WithField("lost", lost).Warn("spans cannot be sent to the collector")
	}
}

var errQueueFull = errors.New("the collector is too slow: too many spans wait for it")

// queue stands in front of the batches in which spans are sent. These have a queue, too,
// which loses what it has no room for without a word: this one lets nothing through then.
type queue struct {
	sdktrace.SpanProcessor
	exporter *exporter
}

// OnEnd implements sdktrace.SpanProcessor. It never waits.
func (q *queue) OnEnd(s sdktrace.ReadOnlySpan) {
	if q.exporter.waiting.Add(1) > queueLength {
		q.exporter.waiting.Add(-1)
		q.exporter.lose(1, errQueueFull)
		return
	}
	q.SpanProcessor.OnEnd(s)
}

// Lost are the spans that could not be sent.
func (t *Tracer) Lost() uint64 { return t.exporter.lost.Load() }
