package accesslog

import (
	"bytes"
	"context"
	"sync/atomic"
	"time"
)

// sink brings lines to one output. Requests put them into its queue; its goroutine writes
// what is there when the interval is over, or when it is much. While the output fails the
// same chunks are tried again and again, and the queue fills up behind them.
type sink struct {
	name     string
	out      *output
	many     int // lines that are written at once; 0: a chunk of them
	interval time.Duration

	queue     queue
	some      chan struct{} // the first line waits
	much      chan struct{} // it is worth writing
	reopened  chan struct{} // the output may be another
	trouble   chan struct{} // somebody is told that one of the following has changed
	dropped   atomic.Uint64
	troubled  atomic.Bool // lines are lost, or cannot be written, since the last that could
	lastError atomic.Pointer[error]

	pending [][]byte // taken from the queue
	written int      // bytes of the first of them
	failing bool
}

// newSink makes a sink that signals trouble there when that begins or ends.
func newSink(name string, o *output, many int, interval time.Duration, trouble chan struct{}) *sink {
	return &sink{
		name: name, out: o, many: many, interval: interval, trouble: trouble,
		some: make(chan struct{}, 1), much: make(chan struct{}, 1), reopened: make(chan struct{}, 1),
	}
}

// signal wakes up who waits at a channel with room for one.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// put adds a line, or counts it as lost. It does not wait for the output.
func (s *sink) put(line []byte) {
	lines, filled, ok := s.queue.put(line)
	if !ok {
		s.dropped.Add(1)
		if !s.troubled.Load() && !s.troubled.Swap(true) {
			signal(s.trouble)
		}
		return
	}
	if lines == 1 {
		signal(s.some)
	}
	if filled || s.many > 0 && lines >= s.many {
		signal(s.much)
	}
}

func (s *sink) reopen() error {
	err := s.out.reopen()
	signal(s.reopened)
	return err
}

// run writes until ctx ends, and then what is left.
func (s *sink) run(ctx context.Context) {
	timer := time.NewTimer(s.interval)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			s.end()
			return
		case <-s.some:
			if !s.failing {
				timer.Reset(s.interval)
			}
			continue
		case <-s.much:
			if s.failing {
				continue // the time of the next attempt is set
			}
		case <-s.reopened:
		case <-timer.C:
		}
		if !s.flush() {
			timer.Reset(s.interval)
		}
	}
}

// flush writes what was taken before, else all that waits. It tells whether that worked.
func (s *sink) flush() bool {
	if s.out.turn() && s.written > 0 { // the line that was cut off begins anew in the new file
		s.written = bytes.LastIndexByte(s.pending[0][:s.written], '\n') + 1
	}
	again := len(s.pending) > 0
	if !again {
		s.pending = s.queue.take(s.pending)
	}
	for len(s.pending) > 0 {
		chunk := s.pending[0]
		n, err := s.out.w.Write(chunk[s.written:])
		if err != nil {
			s.written += n
			s.fail(err)
			return false
		}
		s.queue.give(chunk)
		s.pending[0] = nil
		s.pending, s.written = s.pending[1:], 0
	}
	s.pending, s.failing = nil, false
	if again {
		return s.flush() // what has come meanwhile
	}
	if s.troubled.Swap(false) {
		s.lastError.Store(nil)
		signal(s.trouble)
	}
	return true
}

func (s *sink) fail(err error) {
	s.failing = true
	s.lastError.Store(&err)
	s.troubled.Store(true)
	signal(s.trouble)
}

// end lets nothing in any more, writes what is left, and counts what cannot be written.
func (s *sink) end() {
	s.queue.close()
	if !s.flush() {
		lost := s.pending
		lost[0] = lost[0][s.written:]
		for _, chunk := range s.queue.take(lost) {
			s.dropped.Add(countLines(chunk))
		}
		s.pending = nil
	}
	s.out.turn()
	s.out.close()
}
