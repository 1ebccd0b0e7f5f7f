package grpcweb

import (
	"bytes"
	"encoding/base64"
	"io"
)

// decoder reads a body of base64 that may be put together of several, each with its
// own end: clients encode what they have at a time. It keeps a few kilobytes.
type decoder struct {
	from io.ReadCloser
	in   []byte // what was read and is not decoded; fewer than four bytes between reads
	out  []byte // what was decoded and is not taken
	room [4096]byte
	text [4096]byte
	err  error
}

func newDecoder(from io.ReadCloser) *decoder { return &decoder{from: from} }

// Close implements io.Closer.
func (d *decoder) Close() error { return d.from.Close() }

func (d *decoder) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for len(d.out) == 0 {
		if d.err != nil {
			return 0, d.err
		}
		d.fill()
	}
	n := copy(p, d.out)
	d.out = d.out[n:]
	return n, nil
}

// fill reads once and decodes all groups of four that are complete.
func (d *decoder) fill() {
	kept := copy(d.text[:], d.in)
	n, err := d.from.Read(d.text[kept:])
	d.in = d.text[:kept+n]
	d.out = d.room[:0]
	for len(d.in) >= 4 {
		whole := d.in[:len(d.in)/4*4]
		if at := bytes.IndexByte(whole, '='); at >= 0 {
			whole = whole[:at/4*4+4] // up to the end of this piece
		}
		// The library passes line breaks over, and would decode by where reads happen to end.
		if at := bytes.IndexAny(whole, "\r\n"); at >= 0 {
			d.err = base64.CorruptInputError(at)
			return
		}
		var bad error
		if d.out, bad = base64.StdEncoding.AppendDecode(d.out, whole); bad != nil {
			d.err = bad
			return
		}
		d.in = d.in[len(whole):]
	}
	if d.err = err; err == io.EOF && len(d.in) > 0 {
		d.err = io.ErrUnexpectedEOF
	}
}
