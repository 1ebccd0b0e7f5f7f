package http1

import (
	"bytes"
	"io"
	"net/http"
	"strconv"
)

// readChunks fills p from as many chunks as have arrived.
func (b *body) readChunks(p []byte) (n int, err error) {
	for n < len(p) {
		if b.left == 0 {
			if n > 0 && !b.lineArrived() {
				return n, nil
			}
			if err := b.nextChunk(); err != nil {
				return n, err
			}
		}
		if n > 0 && len(b.in.buffered()) == 0 {
			return n, nil
		}
		m, err := b.in.read(p[n:min(int64(len(p)), int64(n)+b.left)])
		n += m
		b.left -= int64(m)
		if err != nil {
			return n, noEOF(err)
		}
	}
	return n, nil
}

// lineArrived tells whether the next chunk line can be read without waiting.
func (b *body) lineArrived() bool {
	ahead := b.in.buffered()
	if b.inChunks {
		ahead = ahead[min(len(ahead), 2):]
	}
	return bytes.IndexByte(ahead, '\n') >= 0
}

// nextChunk reads the end of the last chunk and the line of the next one. At the
// end of the body, after the trailers, it returns io.EOF.
func (b *body) nextChunk() error {
	if b.inChunks {
		if err := b.endChunk(); err != nil {
			return err
		}
	}
	line, err := b.in.line(b.limits.ChunkLineBytes, errChunkLine)
	if err != nil {
		return err
	}
	size, err := parseChunkLine(line)
	if err != nil {
		return err
	}
	// One byte in a chunk costs five on the wire, which is fair: programs write one
	// byte at a time. Extensions are worth nothing to anybody here.
	const allowance, most = 16, 8 << 10
	b.excess = max(0, b.excess+int64(len(line))+2-allowance-2*min(size, 1<<40))
	if b.excess > most {
		return errChunkOverhead
	}
	b.left, b.inChunks = size, true
	if size > 0 {
		return nil
	}
	if err := b.readTrailers(); err != nil {
		return err
	}
	return io.EOF
}

// endChunk reads the CRLF after the data of a chunk.
func (b *body) endChunk() error {
	for len(b.in.buffered()) < 2 {
		if err := b.in.fill(); err != nil {
			return noEOF(err)
		}
	}
	if end := b.in.buffered(); end[0] != '\r' || end[1] != '\n' {
		return errChunkEnd
	}
	b.in.consume(2)
	b.inChunks = false
	return nil
}

// parseChunkLine returns the size in front of a chunk. It has up to 16 digits and
// nothing around them.
func parseChunkLine(line []byte) (int64, error) {
	const mostDigits = 16
	var size uint64
	i := 0
	for ; i < len(line) && is(line[i], hexByte); i++ {
		if i == mostDigits {
			return 0, errChunkTooLong
		}
		digit := line[i] - '0'
		if !is(line[i], digitByte) {
			digit = line[i] | 0x20 - 'a' + 10
		}
		size = size<<4 | uint64(digit)
	}
	switch {
	case i == 0 || i < len(line) && line[i] != ';':
		return 0, errChunkSize
	case size > 1<<62:
		return 0, errChunkTooLong
	case checkValue(line[i:]) != nil:
		return 0, errChunkExtension
	}
	return int64(size), nil
}

// readTrailers reads the fields after the last chunk, up to the empty line.
func (b *body) readTrailers() error {
	b.inChunks = false
	for room, n := b.limits.TrailerBytes, 0; ; n++ {
		line, err := b.in.line(room, errTrailerTooLong)
		if err != nil || len(line) == 0 {
			return err
		}
		if room -= len(line) + 2; room < 0 {
			return errTrailerTooLong
		}
		if n == b.limits.Fields {
			return errTooManyFields
		}
		if err := b.takeTrailer(line); err != nil {
			return err
		}
	}
}

func (b *body) takeTrailer(line []byte) error {
	text := string(line) + "\r\n"
	f := fieldReader{raw: []byte(text), text: text}
	if _, err := f.next(); err != nil {
		return err
	}
	name := canonicalName(f.rawName, f.name)
	if !isTrailerName(name) {
		return errTrailerName
	}
	if b.trailer == nil {
		b.trailer = http.Header{}
	}
	b.trailer[name] = append(b.trailer[name], f.value)
	return nil
}

// appendChunk appends p as one chunk. An empty p is none: it would be the last.
func appendChunk(dst, p []byte) []byte {
	if len(p) == 0 {
		return dst
	}
	return append(append(appendChunkLine(dst, len(p)), p...), "\r\n"...)
}

func appendChunkLine(dst []byte, size int) []byte {
	return append(strconv.AppendInt(dst, int64(size), 16), "\r\n"...)
}

// appendLastChunk appends the end of a body with its trailers.
func appendLastChunk(dst []byte, trailer http.Header) []byte {
	dst = append(dst, "0\r\n"...)
	for name, values := range trailer {
		if !isToken(name) || !isTrailerName(name) {
			continue
		}
		for _, value := range values {
			dst = appendField(dst, name, value)
		}
	}
	return append(dst, "\r\n"...)
}

// appendField appends one line. A value from a handler may have bytes that would
// end the line: they become spaces.
func appendField(dst []byte, name, value string) []byte {
	dst = append(append(dst, name...), ": "...)
	from := len(dst)
	dst = append(dst, trimBlanks(value)...)
	if hasControl(dst[from:]) {
		for i, c := range dst[from:] {
			if c < 0x20 && c != '\t' || c == 0x7f {
				dst[from+i] = ' '
			}
		}
	}
	return append(dst, "\r\n"...)
}
