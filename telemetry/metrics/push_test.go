package metrics

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/sirupsen/logrus"

	"fairway/telemetry"
)

// sender is a Sender of tests.
type sender struct {
	requests []float64 // as they were told, once for each push
	closed   bool
	send     func(ctx context.Context) error
}

func (s *sender) Send(ctx context.Context, families []*dto.MetricFamily) error {
	for _, f := range families {
		if f.GetName() == "fairway_entrypoint_requests_total" {
			s.requests = append(s.requests, f.Metric[0].Counter.GetValue())
		}
	}
	return s.send(ctx)
}

func (s *sender) Close() error {
	s.closed = true
	return errors.New("it was closed already")
}

// pushing runs a pusher of every ten seconds; stop waits for its end.
func pushing(t *testing.T, s *sender) (p *Pusher, m *Metrics, said *strings.Builder, stop func()) {
	t.Helper()
	said = &strings.Builder{}
	log := logrus.New()
	log.SetOutput(said)
	m = build(t, State{}, func(*Config) {})
	m.Observe(exchange(200, func(*telemetry.Exchange) {}))
	p = NewPusher(m, s, 10*time.Second, log, "somewhere")
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); p.Run(ctx) }()
	return p, m, said, func() { cancel(); <-ended }
}

func TestPusher_SendsAgainAndAgainAndOnceMoreAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sender{send: func(context.Context) error { return nil }}
		p, m, _, stop := pushing(t, s)
		time.Sleep(25 * time.Second)
		m.Observe(exchange(200, func(*telemetry.Exchange) {}))
		stop()
		if len(s.requests) != 3 || s.requests[1] != 1 || s.requests[2] != 2 || !s.closed || p.Failed() != 0 {
			t.Errorf("sent %v, closed %v, failed %d", s.requests, s.closed, p.Failed())
		}
	})
}

func TestPusher_FailuresAreCountedAndOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var broken atomic.Bool
		broken.Store(true)
		s := &sender{send: func(context.Context) error {
			if broken.Load() {
				return errors.New("refused")
			}
			return nil
		}}
		p, _, said, stop := pushing(t, s)
		time.Sleep(35 * time.Second)
		broken.Store(false)
		time.Sleep(10 * time.Second)
		stop()
		if got := said.String(); p.Failed() != 3 || strings.Count(got, "metrics cannot be sent") != 1 || strings.Count(got, "metrics are sent again") != 1 || !strings.Contains(got, "metrics=somewhere") {
			t.Errorf("failed %d, the log has %s", p.Failed(), got)
		}
	})
}

// Who collects takes the connection, and never answers.
func TestPusher_OneThatHangsIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sender{send: func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }}
		p, _, _, stop := pushing(t, s)
		time.Sleep(25 * time.Second) // one was given up, the next is under way
		began := time.Now()
		stop()
		if took := time.Since(began); took != longestLast || p.Failed() != 2 || len(s.requests) != 3 {
			t.Errorf("it took %s to stop, failed %d of %d", took, p.Failed(), len(s.requests))
		}
	})
}
