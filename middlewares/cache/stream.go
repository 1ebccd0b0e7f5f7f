package cache

import (
	"context"
	"errors"
	"sync"
	"time"
)

// stream is a body that is coming from the service, while clients read what there is. The
// service is never kept waiting by a slow client, as long as the body may be stored. One
// that turns out to be too long may not: from then on only what somebody has still to read
// is held, and the service waits for the slowest.
type stream struct {
	most  int64
	spare func(n int64) bool // tells whether there is room for n more bytes; n may be negative

	mu      sync.Mutex
	parts   [][]byte
	base    int64 // where the first part begins
	end     int64
	changed chan struct{} // closed with the next change
	over    bool
	err     error
	spilled bool // too long to be stored
	readers map[*follower]struct{}
}

// follower is somebody who reads the stream.
type follower struct {
	s  *stream
	at int64
}

var errSlow = errors.New("the client was too slow")

// stalled is how long the service, and with it all others, are kept waiting for a client.
const stalled = 30 * time.Second

func newStream(most int64, spare func(n int64) bool) *stream {
	return &stream{most: most, spare: spare, changed: make(chan struct{}), readers: map[*follower]struct{}{}}
}

func (s *stream) change() {
	close(s.changed)
	s.changed = make(chan struct{})
}

const (
	firstPart = 4 << 10
	largePart = 256 << 10
)

// size is how much has come.
func (s *stream) size() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.end
}

// add takes in what has come.
func (s *stream) add(p []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(p) > 0 {
		last := len(s.parts) - 1
		if last < 0 || len(s.parts[last]) == cap(s.parts[last]) {
			size := firstPart
			if last >= 0 {
				size = min(2*cap(s.parts[last]), largePart)
			}
			s.parts = append(s.parts, make([]byte, 0, max(size, min(len(p), largePart))))
			last++
		}
		part := s.parts[last]
		n := copy(part[len(part):cap(part)], p)
		s.parts[last] = part[:len(part)+n]
		s.end += int64(n)
		p = p[n:]
	}
	s.change()
	if s.spilled {
		s.await()
	}
}

// fits takes the room for n more bytes. It returns false if there is none: what comes is too
// long to be stored.
func (s *stream) fits(n int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.spilled && (s.end+int64(n) > s.most || !s.spare(int64(n))) {
		s.spilled = true
		s.spare(-s.end)
	}
	return !s.spilled
}

// await waits, under the lock, until no more is held than may be.
func (s *stream) await() {
	deadline := time.NewTimer(stalled)
	defer deadline.Stop()
	for {
		s.trim()
		if s.end-s.base <= largePart || len(s.readers) == 0 {
			return
		}
		changed := s.changed
		s.mu.Unlock()
		late := false
		select {
		case <-changed:
		case <-deadline.C:
			late = true
		}
		s.mu.Lock()
		if late {
			s.dropSlow()
			deadline.Reset(stalled)
		}
	}
}

// trim lets go what all have read.
func (s *stream) trim() {
	least := s.end
	for r := range s.readers {
		least = min(least, r.at)
	}
	for len(s.parts) > 0 && s.base+int64(len(s.parts[0])) <= least {
		s.base += int64(len(s.parts[0]))
		s.parts = s.parts[1:]
	}
}

// dropSlow gives up those who keep others waiting. If all are slow the service waits, as it does
// without a cache.
func (s *stream) dropSlow() {
	if !s.hasFast() {
		return
	}
	for r := range s.readers {
		if s.end-r.at > largePart {
			delete(s.readers, r)
			r.at = -1
		}
	}
}

func (s *stream) hasFast() bool {
	for r := range s.readers {
		if s.end-r.at <= largePart {
			return true
		}
	}
	return false
}

// close ends the stream.
func (s *stream) close(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return
	}
	s.over, s.err = true, err
	if !s.spilled {
		s.spare(-s.end)
	}
	s.change()
}

// content is the whole body, if it can be stored.
func (s *stream) content() ([]byte, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.spilled {
		return nil, false
	}
	if len(s.parts) == 1 && cap(s.parts[0])-len(s.parts[0]) <= firstPart/8 {
		return s.parts[0], true
	}
	whole := make([]byte, 0, s.end)
	for _, p := range s.parts {
		whole = append(whole, p...)
	}
	return whole, true
}

// follow reads from the beginning. Not ok: that is gone.
func (s *stream) follow() (*follower, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.base > 0 {
		return nil, false
	}
	f := &follower{s: s}
	s.readers[f] = struct{}{}
	return f, true
}

// next is what comes next, or nothing at the end. waits tells that it is all there is for
// now.
func (f *follower) next(ctx context.Context) (p []byte, waits bool, err error) {
	s := f.s
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		switch {
		case f.at < 0:
			return nil, false, errSlow
		case f.at < s.end:
			p := s.from(f.at)
			f.at += int64(len(p))
			if s.spilled {
				s.change()
			}
			return p, f.at == s.end && !s.over, nil
		case s.over:
			return nil, false, s.err
		}
		changed := s.changed
		s.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
		}
		s.mu.Lock()
		if err := context.Cause(ctx); err != nil && f.at == s.end {
			return nil, false, err
		}
	}
}

func (s *stream) from(at int64) []byte {
	begin := s.base
	for _, p := range s.parts {
		if at < begin+int64(len(p)) {
			return p[at-begin:]
		}
		begin += int64(len(p))
	}
	return nil
}

func (f *follower) leave() {
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	delete(f.s.readers, f)
	f.s.change()
}
