// Package outlet brings lines of text to an output that may be slow, full or away. Who has a
// line puts it into a queue and goes on; a goroutine writes. What finds no room is counted,
// and told to the log: it costs the line, and never holds up who has it.
package outlet

import (
	"bytes"
	"context"
	"sync/atomic"
	"time"
)

// Sink brings lines to one output. Those who have lines put them into its queue; its
// goroutine writes what is there when the interval is over, or when it is much. While the
// output fails the same chunks are tried again and again, and the queue fills up behind
// them.
type Sink struct {
	name     string
	out      *Output
	many     int // lines that are worth writing; 0: a chunk of them
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

// New makes a sink for an output, which the log is told by its name. It writes when there
// are as many lines, which may be 0 for a chunk of them, and when an interval is over.
// Trouble is a channel with room for one, where it is signalled when that begins or ends:
// see Run.
func New(name string, o *Output, many int, interval time.Duration, trouble chan struct{}) *Sink {
	return &Sink{
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

// Name is that of the output.
func (s *Sink) Name() string { return s.name }

// Dropped is the number of lines that were lost.
func (s *Sink) Dropped() uint64 { return s.dropped.Load() }

// Troubled tells whether lines are lost, or cannot be written.
func (s *Sink) Troubled() bool { return s.troubled.Load() }

// Write implements io.Writer, for lines that come one by one.
func (s *Sink) Write(line []byte) (int, error) {
	s.Put(line)
	return len(line), nil
}

// Put adds a line, or counts it as lost. It does not wait for the output.
func (s *Sink) Put(line []byte) {
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

// Reopen opens the output anew, after its file was renamed. If that fails the old one
// stays.
func (s *Sink) Reopen() error {
	err := s.out.reopen()
	signal(s.reopened)
	return err
}

// run writes until ctx ends, and then what is left.
func (s *Sink) run(ctx context.Context) {
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
		if !s.Flush() {
			timer.Reset(s.interval)
		}
	}
}

// Flush writes what was taken before, else all that waits. It tells whether that worked.
// It is for who does not Run the sink.
func (s *Sink) Flush() bool {
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
		return s.Flush() // what has come meanwhile
	}
	if s.troubled.Swap(false) {
		s.lastError.Store(nil)
		signal(s.trouble)
	}
	return true
}

func (s *Sink) fail(err error) {
	s.failing = true
	s.lastError.Store(&err)
	s.troubled.Store(true)
	signal(s.trouble)
}

// end lets nothing in any more, writes what is left, and counts what cannot be written.
func (s *Sink) end() {
	s.queue.close()
	if !s.Flush() {
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
