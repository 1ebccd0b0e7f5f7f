package http1

import (
	"bytes"
	"io"
)

// input is the reading side of a connection. Its buffer comes from a pool when
// bytes are read and goes back when they are consumed.
//
// It is used by one goroutine at a time.
type input struct {
	src  io.Reader
	size int    // of the first buffer; 0 means small
	buf  []byte // nil while nothing is buffered
	r, w int    // buf[r:w] is buffered
	err  error  // how src ended; told when the buffered bytes are consumed
}

// buffered returns the bytes that have been read and not consumed. They stay
// valid until the next call that reads.
func (in *input) buffered() []byte { return in.buf[in.r:in.w] }

// consume drops the first n buffered bytes.
func (in *input) consume(n int) {
	in.r += n
	if in.r == in.w {
		in.r, in.w = 0, 0
	}
}

// release gives the buffer back if it is empty.
func (in *input) release() {
	if in.buf != nil && in.r == in.w {
		giveBuffer(in.buf)
		in.buf, in.r, in.w = nil, 0, 0
	}
}

// reset forgets everything, to serve another connection.
func (in *input) reset(src io.Reader) {
	in.r, in.w = 0, 0
	in.release()
	in.src, in.err = src, nil
}

// fill reads once from the source, behind the buffered bytes. It returns an error
// only when nothing was read.
func (in *input) fill() error {
	if in.err != nil {
		return in.err
	}
	in.makeRoom()
	for range maxEmptyReads {
		n, err := in.src.Read(in.buf[in.w:])
		in.w += n
		if n > 0 {
			in.err = lasting(err)
			return nil
		}
		if err != nil {
			in.err = lasting(err)
			return err
		}
	}
	return io.ErrNoProgress
}

const maxEmptyReads = 100

// lasting leaves out what a later read may not meet again: passed deadlines,
// which the owner of the connection can move.
func lasting(err error) error {
	if timeout, ok := err.(interface{ Timeout() bool }); ok && timeout.Timeout() {
		return nil
	}
	return err
}

// makeRoom makes sure that there is space behind the buffered bytes.
func (in *input) makeRoom() {
	switch {
	case in.buf == nil:
		in.buf = takeBuffer(in.size)
	case in.w < len(in.buf):
	case in.r > 0:
		in.w = copy(in.buf, in.buf[in.r:in.w])
		in.r = 0
	default:
		larger := takeBuffer(4 * len(in.buf))
		copy(larger, in.buf)
		giveBuffer(in.buf)
		in.buf = larger
	}
}

var endOfHead = []byte("\r\n\r\n")

// head returns the bytes up to the first empty line, that line included, and
// reads until they are there. It does not consume them.
func (in *input) head(limit int) ([]byte, error) {
	for seen := 0; ; {
		b := in.buffered()
		if i := bytes.Index(b[max(seen-3, 0):], endOfHead); i >= 0 {
			if i += max(seen-3, 0) + len(endOfHead); i > limit {
				return nil, errHeadTooLong
			}
			return b[:i], nil
		}
		if hasBareLF(b, seen) {
			return nil, errBareLF // it might otherwise wait for an end that has passed
		}
		if seen = len(b); seen >= limit {
			if bytes.IndexByte(b, '\n') < 0 {
				return nil, errURITooLong // all of it is the first line
			}
			return nil, errHeadTooLong
		}
		if err := in.fill(); err != nil {
			if isEOF(err) && seen > 0 {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
	}
}

// beginsWith waits until the first bytes are there, or are seen to be others: what
// does not speak HTTP may never send the end of a head.
func (in *input) beginsWith(start string) error {
	for {
		b := in.buffered()
		n := min(len(b), len(start))
		switch {
		case string(b[:n]) != start[:n]:
			return errStatusLine
		case n == len(start):
			return nil
		}
		if err := in.fill(); err != nil {
			if n > 0 {
				err = noEOF(err)
			}
			return err
		}
	}
}

// arrivedHead is head without reading: it returns nil when more has to come.
func (in *input) arrivedHead(limit int) ([]byte, error) {
	b := in.buffered()
	i := bytes.Index(b, endOfHead)
	if i < 0 {
		return nil, nil
	}
	if i += len(endOfHead); i > limit {
		return nil, errHeadTooLong
	}
	return b[:i], nil
}

// hasBareLF tells whether an LF in b[from:] has no CR before it.
func hasBareLF(b []byte, from int) bool {
	for {
		i := bytes.IndexByte(b[from:], '\n')
		if i < 0 {
			return false
		}
		if from += i; from == 0 || b[from-1] != '\r' {
			return true
		}
		from++
	}
}

// line consumes one line and returns it without its CRLF. A line longer than
// limit is refused with tooLong.
func (in *input) line(limit int, tooLong error) ([]byte, error) {
	for seen := 0; ; {
		b := in.buffered()
		if i := bytes.IndexByte(b[seen:], '\n'); i >= 0 {
			i += seen
			if i == 0 || b[i-1] != '\r' {
				return nil, errBareLF
			}
			if i-1 > limit {
				return nil, tooLong
			}
			in.consume(i + 1)
			return b[:i-1], nil
		}
		if seen = len(b); seen > limit+1 {
			return nil, tooLong
		}
		if err := in.fill(); err != nil {
			return nil, noEOF(err)
		}
	}
}

// read is one Read of the buffered bytes or, when there are none, of the source.
// Long reads do not pass through the buffer.
func (in *input) read(p []byte) (int, error) {
	if in.r == in.w {
		if len(p) >= smallBuffer {
			if in.err != nil {
				return 0, in.err
			}
			n, err := in.src.Read(p)
			in.err = lasting(err)
			if n > 0 {
				err = nil
			}
			return n, err
		}
		if err := in.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p, in.buffered())
	in.consume(n)
	return n, nil
}

// noEOF is for places where a message cannot end.
func noEOF(err error) error {
	if isEOF(err) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// isEOF tells whether a reader has come to its end. Readers do not wrap that.
func isEOF(err error) bool {
	return err == io.EOF //nolint:errorlint // by the contract of io.Reader
}
