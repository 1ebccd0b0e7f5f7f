package http1

import (
	"io"
	"net"
	"net/http"
)

// body reads the body of one message. After io.EOF, the input stands at the next
// message. Any other error is final, too, but for a passed deadline.
//
// It is used by one goroutine at a time.
type body struct {
	in     *input
	limits *Limits
	kind   bodyKind
	left   int64 // bytes to come: of the body, or of the chunk
	n      int64 // bytes given out
	err    error // how it ended

	inChunks bool        // a chunk has begun: its CRLF is due when left is 0
	excess   int64       // bytes of chunk lines beyond what data excuses
	trailer  http.Header // what came after the last chunk
}

// start begins the body that f tells of.
func (b *body) start(in *input, f *framing, limits *Limits) {
	*b = body{in: in, limits: limits, kind: f.kind}
	switch f.kind {
	case bodyNone:
		b.err = io.EOF
	case bodyLength:
		b.left = f.length
	}
}

// complete tells whether all of it has been read, so that the connection can
// carry another message.
func (b *body) complete() bool { return isEOF(b.err) && b.kind != bodyClose }

// Read implements io.Reader. It waits only when it has nothing to return.
func (b *body) Read(p []byte) (n int, err error) {
	if b.err != nil {
		return 0, b.err
	}
	if len(p) == 0 {
		return 0, nil
	}
	switch b.kind {
	case bodyChunks:
		n, err = b.readChunks(p)
	case bodyClose:
		n, err = b.in.read(p)
	default:
		n, err = b.in.read(p[:min(int64(len(p)), b.left)])
		if b.left -= int64(n); b.left == 0 {
			err = io.EOF
		} else {
			err = noEOF(err)
		}
	}
	b.n += int64(n)
	b.err = lasting(err)
	return n, err
}

// waits tells whether the next Read would wait for the other side.
func (b *body) waits() bool {
	switch {
	case b.err != nil:
		return false
	case b.kind == bodyChunks && b.left == 0:
		return !b.lineArrived()
	}
	return len(b.in.buffered()) == 0
}

// ahead returns what is buffered of a body that needs no decoding.
func (b *body) ahead() []byte {
	if b.err != nil || b.kind == bodyChunks {
		return nil
	}
	part := b.in.buffered()
	if b.kind == bodyLength {
		part = part[:min(int64(len(part)), b.left)]
	}
	return part
}

// skip consumes n bytes of ahead, which stay valid until the next read.
func (b *body) skip(n int) {
	b.in.consume(n)
	b.n += int64(n)
	if b.kind == bodyLength {
		if b.left -= int64(n); b.left == 0 {
			b.err = io.EOF
		}
	}
}

// spliceAtLeast is the length from which the kernel moves bytes between two
// connections more cheaply than the process would copy them.
const spliceAtLeast = 64 << 10

// splicePart bounds one move, so that progress can be seen.
const splicePart = 512 << 10

// WriteTo implements io.WriterTo: what is buffered first, then long bodies by the
// kernel, when both ends are plain TCP.
func (b *body) WriteTo(w io.Writer) (int64, error) {
	before := b.n
	buf := takeBuffer(mediumBuffer)
	defer func() { giveBuffer(buf) }()
	for b.err == nil {
		if b.canSplice(w) {
			if err := b.splice(w); err != nil {
				return b.n - before, err
			}
			continue
		}
		n, err := b.Read(buf)
		if n > 0 {
			if _, werr := w.Write(buf[:n]); werr != nil {
				return b.n - before, werr
			}
		}
		if err != nil && !isEOF(err) {
			return b.n - before, err
		}
		if n == mediumBuffer { // there is more than that
			giveBuffer(buf)
			buf = takeBuffer(largeBuffer)
		}
	}
	if !isEOF(b.err) {
		return b.n - before, b.err
	}
	return b.n - before, nil
}

// canSplice tells whether it pays to let the kernel move the next part to w.
func (b *body) canSplice(w io.Writer) bool {
	if b.kind != bodyLength || b.left < spliceAtLeast || len(b.in.buffered()) > 0 || b.in.err != nil {
		return false
	}
	_, from := b.in.src.(*net.TCPConn)
	_, to := w.(*net.TCPConn)
	return from && to
}

// splice moves the next part of a body. An error may come from either end; it is
// final.
func (b *body) splice(w io.Writer) error {
	part := min(b.left, splicePart)
	n, err := w.(*net.TCPConn).ReadFrom(&io.LimitedReader{R: b.in.src, N: part})
	b.n += n
	b.left -= n
	switch {
	case err == nil && n < part:
		err = io.ErrUnexpectedEOF
		fallthrough
	case err != nil:
		b.err = err
	case b.left == 0:
		b.err = io.EOF
	}
	return err
}

// discard reads the rest, if it is at most limit bytes long, and tells whether
// the connection can carry another message.
func (b *body) discard(limit int64) bool {
	if part := b.ahead(); b.kind == bodyLength && int64(len(part)) == b.left {
		b.skip(len(part)) // it is here already
	}
	if b.err != nil || limit == 0 || b.kind == bodyClose || b.kind == bodyLength && b.left > limit {
		return b.complete()
	}
	buf := takeBuffer(mediumBuffer)
	defer giveBuffer(buf)
	for start := b.n; b.err == nil && b.n-start <= limit; {
		if _, err := b.Read(buf); err != nil {
			break
		}
	}
	return b.complete()
}
