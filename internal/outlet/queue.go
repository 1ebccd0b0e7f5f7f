package outlet

import (
	"bytes"
	"sync"
)

const (
	// ChunkSize is how many bytes are worth writing.
	ChunkSize = 256 << 10
	// MostBytes may wait for one output.
	MostBytes = 4 << 20
	mostFree  = 2 // chunks that are kept for later
)

// queue has the lines that wait to be written, in chunks that are written as a whole. Its
// lock is held for copying one line.
type queue struct {
	mu     sync.Mutex
	full   [][]byte // oldest first
	tail   []byte   // is being filled
	free   [][]byte
	lines  int // in full and tail
	bytes  int // that are not written yet, those that were taken included
	closed bool
}

// put adds a line, if there is room. It tells how many lines wait, and whether they fill a
// chunk.
func (q *queue) put(line []byte) (lines int, filled, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed || q.bytes+len(line) > MostBytes {
		return 0, false, false
	}
	if len(q.tail)+len(line) > cap(q.tail) {
		if len(q.tail) > 0 {
			q.full = append(q.full, q.tail)
		}
		q.tail = q.chunk(len(line))
	}
	q.tail = append(q.tail, line...)
	q.bytes += len(line)
	q.lines++
	return q.lines, len(q.full) > 0, true
}

func (q *queue) chunk(least int) []byte {
	if n := len(q.free); n > 0 && least <= ChunkSize {
		c := q.free[n-1]
		q.free = q.free[:n-1]
		return c
	}
	return make([]byte, 0, max(ChunkSize, least))
}

// take moves all that waits into an empty list.
func (q *queue) take(into [][]byte) [][]byte {
	q.mu.Lock()
	defer q.mu.Unlock()
	into = append(into, q.full...)
	if len(q.tail) > 0 {
		into = append(into, q.tail)
		q.tail = nil
	}
	clear(q.full)
	q.full, q.lines = q.full[:0], 0
	return into
}

// give takes back a chunk that is done with.
func (q *queue) give(chunk []byte) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.bytes -= len(chunk)
	if cap(chunk) == ChunkSize && len(q.free) < mostFree {
		q.free = append(q.free, chunk[:0])
	}
}

// close lets no further line in.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
}

func countLines(chunk []byte) uint64 { return uint64(bytes.Count(chunk, []byte{'\n'})) }
