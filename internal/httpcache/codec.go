package httpcache

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"time"
)

// An entry that leaves the process is a magic word, a checksum of what follows, numbers and
// strings with their lengths in front, and the body at the end. What has been cut off or
// changed is not taken.

// magic is that of the version: entries of another one are not read.
const magic = "fwcache1"

var checksums = crc32.MakeTable(crc32.Castagnoli)

// flags of an entry.
const (
	flagAlways = 1 << iota
	flagNeverStale
)

// Encode appends e.
func Encode(dst []byte, e *Entry) []byte {
	at := len(dst)
	dst = append(append(dst, magic...), 0, 0, 0, 0)
	dst = appendString(dst, e.Key)
	dst = appendString(dst, e.URL)
	flags := uint64(0)
	if e.Always {
		flags |= flagAlways
	}
	if e.NeverStale {
		flags |= flagNeverStale
	}
	for _, n := range []uint64{uint64(e.Status), flags, e.Salt} {
		dst = binary.AppendUvarint(dst, n)
	}
	for _, n := range []int64{e.Came.UnixNano(), int64(e.Age), int64(e.Lifetime), int64(e.StaleWhileRevalidate), int64(e.StaleIfError)} {
		dst = binary.AppendVarint(dst, n)
	}
	for _, list := range [][]string{e.Names, e.Tags} {
		dst = binary.AppendUvarint(dst, uint64(len(list)))
		for _, s := range list {
			dst = appendString(dst, s)
		}
	}
	dst = binary.AppendUvarint(dst, uint64(len(e.Fields)))
	for _, f := range e.Fields {
		dst = appendString(appendString(dst, f.Name), f.Value)
	}
	dst = binary.AppendUvarint(dst, uint64(len(e.Body)))
	dst = append(dst, e.Body...)
	seal(dst[at:])
	return dst
}

// seal puts the checksum in.
func seal(b []byte) {
	binary.LittleEndian.PutUint32(b[len(magic):], crc32.Checksum(b[len(magic)+4:], checksums))
}

func appendString(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

var (
	errForeign = errors.New("not a stored response of this version")
	errDamaged = errors.New("the checksum is wrong: it is damaged, or a part is missing")
	errShort   = errors.New("it ends too early")
)

// Decode reads what Encode has written. The entry refers to b.
func Decode(b []byte) (*Entry, error) {
	if len(b) < len(magic)+4 || string(b[:len(magic)]) != magic {
		return nil, errForeign
	}
	sum := binary.LittleEndian.Uint32(b[len(magic):])
	r := &reader{rest: b[len(magic)+4:]}
	if crc32.Checksum(r.rest, checksums) != sum {
		return nil, errDamaged
	}
	e := &Entry{Key: r.text(), URL: r.text()}
	e.Status = int(min(r.number(), 999))
	flags := r.number()
	e.Always, e.NeverStale, e.Salt = flags&flagAlways != 0, flags&flagNeverStale != 0, r.number()
	e.Came = time.Unix(0, r.signed())
	for _, d := range []*time.Duration{&e.Age, &e.Lifetime, &e.StaleWhileRevalidate, &e.StaleIfError} {
		*d = time.Duration(r.signed())
	}
	e.Age, e.Lifetime = min(max(e.Age, 0), old), max(e.Lifetime, -old)
	e.Names, e.Tags = r.list(), r.list()
	for range r.count() {
		e.Fields = append(e.Fields, Field{r.text(), r.text()})
	}
	e.Body = r.bytes()
	if r.err != nil {
		return nil, r.err
	}
	if len(r.rest) > 0 {
		return nil, fmt.Errorf("%d bytes are left over", len(r.rest))
	}
	e.Init()
	return e, nil
}

// reader takes an entry apart. After an error it returns nothing.
type reader struct {
	rest []byte
	err  error
}

func (r *reader) number() uint64 {
	n, size := binary.Uvarint(r.rest)
	if size <= 0 {
		r.err, r.rest = errShort, nil
		return 0
	}
	r.rest = r.rest[size:]
	return n
}

func (r *reader) signed() int64 {
	n, size := binary.Varint(r.rest)
	if size <= 0 {
		r.err, r.rest = errShort, nil
		return 0
	}
	r.rest = r.rest[size:]
	return n
}

// count is a number of things that take a byte at least.
func (r *reader) count() int {
	n := r.number()
	if n > uint64(len(r.rest)) {
		r.err, r.rest = errShort, nil
		return 0
	}
	return int(n)
}

func (r *reader) bytes() []byte {
	n := r.count()
	b := r.rest[:n:n]
	r.rest = r.rest[n:]
	return b
}

func (r *reader) text() string { return string(r.bytes()) }

func (r *reader) list() (all []string) {
	for range r.count() {
		all = append(all, r.text())
	}
	return all
}
