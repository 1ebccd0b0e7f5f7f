package outlet

import (
	"context"
	"sync"
	"time"

	"github.com/sirupsen/logrus"
)

// atMost is how often a warning about one output is written at most.
const atMost = time.Minute

// Words are what the log of the program is told about outputs.
type Words struct {
	Unwritten string // an output fails
	Slow      string // it takes lines too slowly, and some are lost
	Again     string // all is well again
}

// Run writes the lines of sinks until ctx ends, and then those that are left; for that it
// waits as long as the outputs take. Lines that come later are lost. The log, which may
// write to one of the sinks itself, is told of their trouble, which they signal there.
func Run(ctx context.Context, sinks []*Sink, trouble <-chan struct{}, log logrus.FieldLogger, words Words) {
	var writing sync.WaitGroup
	for _, s := range sinks {
		writing.Go(func() { s.run(ctx) })
	}
	r := newReporter(log, words, sinks)
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-trouble:
		case <-r.later.C:
		}
		r.report(time.Now())
	}
	writing.Wait()
	r.last()
}

// reporter tells the log of the program about outputs that lose lines, and that recover.
type reporter struct {
	log   logrus.FieldLogger
	words Words
	about []*trouble
	later *time.Timer // there may be something to tell when a minute is over
}

// trouble is what was told of a sink.
type trouble struct {
	*Sink
	counted uint64    // lines that were lost
	warned  time.Time // last
	open    bool      // it has not been said that it is over
}

func newReporter(log logrus.FieldLogger, words Words, sinks []*Sink) *reporter {
	r := &reporter{log: log, words: words, later: time.NewTimer(atMost)}
	r.later.Stop()
	for _, s := range sinks {
		r.about = append(r.about, &trouble{Sink: s})
	}
	return r
}

func (r *reporter) report(now time.Time) {
	next := time.Duration(0)
	for _, t := range r.about {
		troubled := t.troubled.Load()
		wait := t.warned.Add(atMost).Sub(now)
		if news := t.dropped.Load() > t.counted || troubled && !t.open; news && wait <= 0 {
			r.warn(t)
			t.warned, wait = now, atMost
		}
		if !troubled && t.open {
			t.open = false
			r.log.WithFields(logrus.Fields{"output": t.name, "lostSinceStart": t.dropped.Load()}).Info(r.words.Again)
		}
		if unsaid := troubled || t.dropped.Load() > t.counted; unsaid && (next == 0 || wait < next) {
			next = max(wait, time.Millisecond)
		}
	}
	if next > 0 {
		r.later.Reset(next)
	}
}

func (r *reporter) warn(t *trouble) {
	total := t.dropped.Load()
	log := r.log.WithFields(logrus.Fields{"output": t.name, "lost": total - t.counted, "lostSinceStart": total})
	t.counted, t.open = total, true
	if err := t.lastError.Load(); err != nil {
		log.WithError(*err).Warn(r.words.Unwritten)
		return
	}
	log.Warn(r.words.Slow)
}

// last tells of what was lost since the last warning.
func (r *reporter) last() {
	r.later.Stop()
	for _, t := range r.about {
		if t.dropped.Load() > t.counted {
			r.warn(t)
		}
	}
}
