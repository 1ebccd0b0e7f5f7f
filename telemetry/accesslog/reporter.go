package accesslog

import (
	"time"

	"github.com/sirupsen/logrus"
)

// atMost is how often a warning about one output is written at most.
const atMost = time.Minute

// reporter tells the log of the program about outputs that lose lines, and that recover.
type reporter struct {
	log   logrus.FieldLogger
	about []*trouble
	later *time.Timer // there may be something to tell when a minute is over
}

// trouble is what was told of a sink.
type trouble struct {
	*sink
	counted uint64    // lines that were lost
	warned  time.Time // last
	open    bool      // it has not been said that it is over
}

func newReporter(log logrus.FieldLogger, sinks []*sink) *reporter {
	r := &reporter{log: log, later: time.NewTimer(atMost)}
	r.later.Stop()
	for _, s := range sinks {
		r.about = append(r.about, &trouble{sink: s})
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
			r.log.WithField("output", t.name).Info("the access log is written again")
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
		log.WithError(*err).Warn("the access log cannot be written")
		return
	}
	log.Warn("lines of the access log are lost: the output takes them too slowly")
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
