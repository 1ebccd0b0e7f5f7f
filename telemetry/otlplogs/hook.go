package otlplogs

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/sirupsen/logrus"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/log"

	"fairway/telemetry"
)

const (
	mostWaiting = 4096        // records, for a collector that is slow or away
	mostTries   = 5           // to send the same ones
	every       = time.Second // records are sent, or tried again
)

// Hook sends what a logger logs. Who logs does not wait for it.
type Hook struct {
	to       *Sender
	queue    chan Record
	overflow atomic.Uint64 // records that found no room, and were not told of yet
	failures *telemetry.Failures
}

// NewHook makes a hook for a logger. What is lost is told to the log, which may be the same
// logger.
func NewHook(to *Sender, logger logrus.FieldLogger) *Hook {
	return &Hook{to: to, queue: make(chan Record, mostWaiting), failures: telemetry.NewFailures(
		logger, "what is logged here cannot be sent to the collector", "what is logged here is sent to the collector again",
	)}
}

// Levels implements logrus.Hook.
func (h *Hook) Levels() []logrus.Level { return logrus.AllLevels }

// Fire implements logrus.Hook.
func (h *Hook) Fire(e *logrus.Entry) error {
	select {
	case h.queue <- recordOf(e):
	default:
		h.overflow.Add(1)
	}
	return nil
}

// Lost is the number of records that could not be sent.
func (h *Hook) Lost() uint64 { return h.failures.Count() + h.overflow.Load() }

// Run sends records until ctx ends, and then those that are left.
func (h *Hook) Run(ctx context.Context) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	var batch []Record
	tries := 0
	for ctx.Err() == nil {
		in := h.queue
		if len(batch) == MostRecords {
			in = nil
		}
		select {
		case <-ctx.Done():
		case r := <-in:
			batch = append(batch, r)
			if len(batch) == MostRecords && tries == 0 { // further tries are made by the clock
				batch, tries = h.send(batch, tries)
			}
		case <-ticker.C:
			batch, tries = h.send(batch, tries)
		}
	}
	h.end(batch)
}

// send tries to send a batch, and returns what is left of it: all, or nothing.
func (h *Hook) send(batch []Record, tries int) (left []Record, tried int) {
	if n := h.overflow.Swap(0); n > 0 {
		h.failures.Failed(int(n), errors.New("too many wait to be sent"))
	}
	if len(batch) == 0 {
		return batch, 0
	}
	err := h.to.Send(batch)
	switch {
	case err == nil:
		h.failures.Worked()
	case tries+1 < mostTries && !errors.Is(err, ErrRefused):
		return batch, tries + 1
	default:
		h.failures.Failed(len(batch), err)
	}
	clear(batch)
	return batch[:0], 0
}

// end sends what is left, as long as that works.
func (h *Hook) end(batch []Record) {
	for more := true; more; {
		select {
		case r := <-h.queue:
			batch = append(batch, r)
		default:
			more = false
		}
	}
	for len(batch) > 0 {
		part := batch[:min(len(batch), MostRecords)]
		if err := h.to.Send(part); err != nil {
			h.failures.Failed(len(batch), err)
			break
		}
		batch = batch[len(part):]
	}
	_ = h.to.Close() // there is nothing left to lose
}

// recordOf is an entry as a record. Its fields are attributes.
func recordOf(e *logrus.Entry) Record {
	r := Record{Time: e.Time, Severity: severityOf(e.Level), Text: strings.ToUpper(e.Level.String()), Body: e.Message}
	for name, value := range e.Data {
		switch v := value.(type) {
		case bool:
			r.Attributes = append(r.Attributes, attribute.Bool(name, v))
		case int:
			r.Attributes = append(r.Attributes, attribute.Int(name, v))
		case uint64:
			r.Attributes = append(r.Attributes, attribute.Int64(name, int64(v)))
		default:
			r.Attributes = append(r.Attributes, attribute.String(name, fmt.Sprint(v)))
		}
	}
	return r
}

func severityOf(level logrus.Level) log.Severity {
	switch level {
	case logrus.PanicLevel, logrus.FatalLevel:
		return log.SeverityFatal
	case logrus.ErrorLevel:
		return log.SeverityError
	case logrus.WarnLevel:
		return log.SeverityWarn
	case logrus.InfoLevel:
		return log.SeverityInfo
	case logrus.DebugLevel:
		return log.SeverityDebug
	}
	return log.SeverityTrace
}
