// Package freshfile has values that are read from a file, and read again when the
// file has changed. Who asks for the value pays for the look; there is no goroutine.
package freshfile

import (
	"fmt"
	"io/fs"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sirupsen/logrus"
)

// interval is how often the file is looked at, at most.
const interval = time.Second

// File is a value of a file. It is safe for concurrent use.
type File[T any] struct {
	name  string
	parse func([]byte) (T, error)
	log   logrus.FieldLogger
	value atomic.Pointer[T]
	count atomic.Uint64 // of the values so far
	next  atomic.Int64  // when to look again, in nanoseconds since start
	start time.Time
	mu    sync.Mutex  // held by who looks
	seen  fs.FileInfo // of the last content that was read, good or bad; nil: none
	lost  bool        // it could not be read, which has been logged
}

// Open reads the file and makes its value. Later on a content that parse refuses
// leaves the last good value in force, and is logged once.
func Open[T any](name string, parse func([]byte) (T, error), log logrus.FieldLogger) (*File[T], error) {
	f := &File[T]{name: name, parse: parse, log: log, start: time.Now()}
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if err := f.read(info); err != nil {
		return nil, err
	}
	f.next.Store(int64(interval))
	return f, nil
}

// Value is what the file says, or has said within the last second.
func (f *File[T]) Value() T {
	now := int64(time.Since(f.start))
	if now >= f.next.Load() && f.mu.TryLock() {
		f.look()
		f.next.Store(now + int64(interval))
		f.mu.Unlock()
	}
	return *f.value.Load()
}

// Version is another number when the value is another.
func (f *File[T]) Version() uint64 {
	f.Value()
	return f.count.Load()
}

func (f *File[T]) look() {
	info, err := os.Stat(f.name)
	if err == nil && f.unchanged(info) {
		return
	}
	if err == nil {
		err = f.read(info)
	}
	switch {
	case err != nil && (!f.lost || f.seen == info): // what is new, or was not logged before
		f.lost = true
		f.log.WithError(err).Warn("a changed file is not usable: its last good content stays in force")
	case err == nil:
		f.lost = false
		f.log.WithField("file", f.name).Info("read a changed file")
	}
}

func (f *File[T]) unchanged(info fs.FileInfo) bool {
	return f.seen != nil && os.SameFile(f.seen, info) && f.seen.ModTime().Equal(info.ModTime()) && f.seen.Size() == info.Size()
}

// read takes the content over. What is known of the file is from before reading: a
// change meanwhile is seen at the next look.
func (f *File[T]) read(info fs.FileInfo) error {
	text, err := os.ReadFile(f.name)
	if err != nil {
		return err
	}
	f.seen = info
	value, err := f.parse(text)
	if err != nil {
		return fmt.Errorf("%s: %w", f.name, err)
	}
	f.value.Store(&value)
	f.count.Add(1)
	return nil
}
