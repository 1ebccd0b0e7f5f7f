package telemetry

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/sirupsen/logrus"
)

// Failures counts what could not be sent to whoever collects it. It tells the log: of the
// first one at once, of others once a minute at most, and that it is over.
type Failures struct {
	log         logrus.FieldLogger
	wrong, well string // what the log is told
	count       atomic.Uint64

	mu   sync.Mutex
	told time.Time
	open bool // it has not been told that it is over
}

const tellEvery = time.Minute

// NewFailures makes one with its two sentences: what is wrong, and that all is well again.
func NewFailures(log logrus.FieldLogger, wrong, well string) *Failures {
	return &Failures{log: log, wrong: wrong, well: well}
}

// Failed counts failures, n of one cause.
func (f *Failures) Failed(n int, err error) {
	total := f.count.Add(uint64(n))
	f.mu.Lock()
	defer f.mu.Unlock()
	if now := time.Now(); f.told.IsZero() || now.Sub(f.told) >= tellEvery {
		f.told, f.open = now, true
		f.log.WithError(err).WithField("failedSinceStart", total).Warn(f.wrong)
	}
}

// Worked tells that nothing is wrong now.
func (f *Failures) Worked() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.open {
		f.open = false
		f.log.Info(f.well)
	}
}

// Count is how many there were.
func (f *Failures) Count() uint64 { return f.count.Load() }
