package traces

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/sirupsen/logrus"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

const (
	// queueLength is how many spans wait for the collector. Further ones are lost.
	queueLength = 2048
	// queueBytes is how many bytes they may have together.
	queueBytes = 16 << 20
	// mostBytes are sent at once: collectors take messages of 4 MiB by gRPC, and refuse
	// larger ones as a whole.
	mostBytes = 2 << 20
)

// exporter sends spans, and knows how many are waiting and how many were lost. Of these it
// says once a minute at most.
type exporter struct {
	sdktrace.SpanExporter
	log     logrus.FieldLogger
	waiting atomic.Int64
	bytes   atomic.Int64 // of those that are waiting
	lost    atomic.Uint64
	told    atomic.Int64 // when the loss was told, in seconds of Unix time; 0: there is none
}

// ExportSpans implements sdktrace.SpanExporter. Who is traced does not wait for it.
func (x *exporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	for len(spans) > 0 {
		n, size := 0, 0
		for n < len(spans) {
			one := sizeOf(spans[n])
			if n > 0 && size+one > mostBytes {
				break
			}
			n, size = n+1, size+one
		}
		x.waiting.Add(-int64(n))
		x.bytes.Add(-int64(size))
		x.export(ctx, spans[:n])
		spans = spans[n:]
	}
	return nil // what goes wrong is said already
}

func sizeOf(s sdktrace.ReadOnlySpan) int {
	if s, ok := s.(*sized); ok {
		return s.size
	}
	return 0
}

func (x *exporter) export(ctx context.Context, spans []sdktrace.ReadOnlySpan) {
	if err := x.SpanExporter.ExportSpans(ctx, spans); err != nil {
		x.lose(len(spans), err)
		return
	}
	if x.told.Swap(0) != 0 {
		x.log.WithField("lost", x.lost.Load()).Info("spans are sent to the collector again")
	}
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
	x, span := q.exporter, measure(s)
	size := int64(span.size)
	if n, bytes := x.waiting.Add(1), x.bytes.Add(size); n > queueLength || bytes > queueBytes {
		x.waiting.Add(-1)
		x.bytes.Add(-size)
		x.lose(1, errQueueFull)
		return
	}
	q.SpanProcessor.OnEnd(span)
}

// Lost are the spans that could not be sent.
func (t *Tracer) Lost() uint64 { return t.exporter.lost.Load() }
