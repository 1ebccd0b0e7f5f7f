package sandbox

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// budget is what a run may still take. For the interpreter it is a context: before each instruction it
// asks whether that is done, and so each one is counted. Once it is, it stays so, and a script that
// catches the error gets no further than to its next instruction.
type budget struct {
	context.Context // of the request
	limits          Limits
	instructions    int
	memory          int64
	spare           time.Duration // that is left when the script is not at work
	until           time.Time     // while it is at work
	why             error         // it is used up, or the script has stopped; nil: it goes on
	done            chan struct{} // nil: it goes on
}

// errStopped is why a script does not go on that has asked for it: see Run.Stop.
var errStopped = errors.New("stopped")

// ended is a channel of those that are done.
var ended = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// between is how many instructions pass between two looks at the clock; a power of two.
const between = 128

func (b *budget) reset(ctx context.Context, limits Limits) {
	*b = budget{Context: ctx, limits: limits, instructions: limits.Instructions, memory: limits.Memory, spare: limits.Time}
}

// Done implements context.Context. It counts.
func (b *budget) Done() <-chan struct{} {
	if b.instructions--; b.instructions&(between-1) == 0 || b.instructions < 0 {
		b.look()
	}
	return b.done
}

// Err implements context.Context.
func (b *budget) Err() error { return b.why }

// look tells whether there is anything left.
func (b *budget) look() {
	switch {
	case b.instructions < 0:
		b.end(fmt.Errorf("it takes more than %d instructions", b.limits.Instructions))
	case time.Now().After(b.until):
		b.end(fmt.Errorf("it computes for longer than %s", b.limits.Time))
	case b.Context.Err() != nil:
		b.end(errors.New("the client does not wait any longer"))
	}
}

// end has the script not go on; the first reason counts.
func (b *budget) end(why error) {
	if b.why == nil {
		b.why, b.done = why, ended
	}
}

// work counts what a function of the library does, in instructions; false: that is too much.
func (b *budget) work(n int) bool {
	before := b.instructions / between
	if b.instructions -= n; b.instructions < 0 || b.instructions/between != before {
		b.look()
	}
	return b.why == nil
}

// take counts memory that is about to be taken; false: that is too much.
func (b *budget) take(bytes int64) bool {
	if b.memory -= bytes; b.memory < 0 {
		b.end(fmt.Errorf("it takes more than %d bytes of memory", b.limits.Memory))
	}
	return b.why == nil
}
