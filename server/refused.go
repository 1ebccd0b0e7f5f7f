package server

import (
	"sync"
	"time"

	"github.com/sirupsen/logrus"
)

// refused counts what the engine refuses before there is a request that could be told of:
// heads that break the rules, are too long, or come too slowly.
type refused struct {
	log   logrus.FieldLogger
	lines lines

	mu     sync.Mutex
	counts map[int]uint64 // by status
}

func newRefused(log logrus.FieldLogger) *refused {
	return &refused{log: log, counts: map[int]uint64{}}
}

func (f *refused) note(client string, status int, rule string) {
	f.mu.Lock()
	f.counts[status]++
	f.mu.Unlock()
	left, ok := f.lines.take(time.Now())
	if !ok {
		return
	}
	log := f.log
	if left > 0 {
		log = log.WithField("leftOut", left)
	}
	log.WithFields(logrus.Fields{"client": client, "status": status, "cause": rule}).Debug("request refused before it was one")
}

func (f *refused) tell(tell func(status int, n uint64)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for status, n := range f.counts {
		tell(status, n)
	}
}
