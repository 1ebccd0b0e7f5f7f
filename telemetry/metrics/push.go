package metrics

import (
	"context"
	"errors"
	"fmt"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/sirupsen/logrus"

	"fairway/telemetry"
)

// Sender takes metrics to where they are collected.
type Sender interface {
	// Send gives up when ctx ends.
	Send(ctx context.Context, families []*dto.MetricFamily) error
	// Close lets go of what the sender holds.
	Close() error
}

// Pusher sends what a set has counted, again and again. Requests have nothing to do with
// it: they only count.
type Pusher struct {
	from     *Metrics
	to       Sender
	every    time.Duration
	failures *telemetry.Failures
}

const (
	longestPush = 10 * time.Second
	longestLast = 2 * time.Second // of the last one, when fairway stops
)

// NewPusher makes one for a destination, which the log is told by its name. Nothing is
// sent before Run.
func NewPusher(from *Metrics, to Sender, every time.Duration, log logrus.FieldLogger, name string) *Pusher {
	return &Pusher{from: from, to: to, every: every, failures: telemetry.NewFailures(
		log.WithField("metrics", name), "metrics cannot be sent to who collects them", "metrics are sent again",
	)}
}

// Run sends until ctx ends, and then once more.
func (p *Pusher) Run(ctx context.Context) {
	ticker := time.NewTicker(p.every)
	defer ticker.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-ticker.C:
			p.push(ctx, longestPush)
		}
	}
	p.push(context.WithoutCancel(ctx), longestLast)
	if err := p.to.Close(); err != nil {
		p.failures.Failed(0, fmt.Errorf("close: %w", err))
	}
}

// push sends once. A push that is cut off by the end is followed by the last one.
func (p *Pusher) push(ctx context.Context, longest time.Duration) {
	limited, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	families, err := p.from.Gather()
	err = errors.Join(err, p.to.Send(limited, families))
	switch {
	case err == nil:
		p.failures.Worked()
	case ctx.Err() == nil:
		p.failures.Failed(1, err)
	}
}

// Failed is the number of pushes that have failed.
func (p *Pusher) Failed() uint64 { return p.failures.Count() }
