package limit

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/sirupsen/logrus"
)

// A table is kept in a file as lines of JSON: one for each source, with the newest part that has
// something and the counts behind it. The file is written beside, and put in place as a whole, so that
// a crash leaves the one from before. What was counted since then is lost: at most flushEvery.

const flushEvery = 5 * time.Second

// files are those of a table: one, but for the time of a reload.
type files struct {
	mu     sync.Mutex // held while one is read or written
	loaded map[string]bool
}

// line is what is kept of a source.
type line struct {
	Source string    `json:"s"`
	Unit   int64     `json:"u"`
	Newest int64     `json:"n"`
	Ends   time.Time `json:"e"`
	Counts []int64   `json:"c"` // the newest is the first
}

// File keeps a table over restarts. It is read when it is needed, and not when it is configured: nobody
// may be going to ask.
type File struct {
	kept *Kept
	path string
	log  logrus.FieldLogger
	once sync.Once
}

// OpenFile returns the file at a path; an empty one is none.
func (k *Kept) OpenFile(path string, log logrus.FieldLogger) (*File, error) {
	if path == "" {
		return nil, nil
	}
	if info, err := os.Stat(filepath.Dir(path)); err != nil || !info.IsDir() {
		return nil, fmt.Errorf("file: there is no folder %s", filepath.Dir(path))
	}
	switch f, err := os.Open(path); {
	case err == nil:
		_ = f.Close()
	case !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("file: %w", err)
	}
	return &File{kept: k, path: path, log: log}, nil
}

// ready has what the file says be known.
func (f *File) ready() { f.once.Do(f.load) }

// load reads the file, if no other instance has. What cannot be read is set aside, and forgotten.
func (f *File) load() {
	files := &f.kept.files
	files.mu.Lock()
	defer files.mu.Unlock()
	if files.loaded[f.path] {
		return
	}
	if files.loaded == nil {
		files.loaded = map[string]bool{}
	}
	files.loaded[f.path] = true
	text, err := os.ReadFile(f.path)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			f.log.WithError(err).Error("the kept counts cannot be read, and are forgotten")
		}
		return
	}
	if bad := f.kept.read(text, time.Now()); bad > 0 {
		aside := f.path + ".bad"
		f.log.WithField("file", f.path).WithField("lines", bad).Warn("some of the kept counts cannot be read, and are forgotten; the file is kept as " + aside)
		_ = os.WriteFile(aside, text, 0o600)
	}
}

// read takes over what is in a file and still counts. It returns the number of lines that are of no
// use.
func (t *Table) read(text []byte, now time.Time) (bad int) {
	for raw := range bytes.SplitSeq(text, []byte("\n")) {
		if len(bytes.TrimSpace(raw)) == 0 {
			continue
		}
		var l line
		var source Source
		if json.Unmarshal(raw, &l) != nil || len(l.Source) != hex.EncodedLen(len(source)) || l.Newest < 0 || len(l.Counts) == 0 || len(l.Counts) > parts+1 {
			bad++
			continue
		}
		if _, err := hex.Decode(source[:], []byte(l.Source)); err != nil {
			bad++
			continue
		}
		c := &counted{ends: l.Ends, tally: tally{unit: l.Unit, newest: l.Newest, counts: make([]int64, len(l.Counts))}}
		for back, n := range l.Counts {
			if n < 0 || n > mostAverage {
				c = nil
				break
			}
			if number := l.Newest - int64(back); number >= 0 {
				c.counts[number%int64(len(l.Counts))] = n
				c.sum += n
			}
		}
		if c == nil {
			bad++
			continue
		}
		if now.Before(l.Ends) {
			t.restore(source, c, now)
		}
	}
	return bad
}

func (t *Table) restore(source Source, c *counted, now time.Time) {
	s := t.shard(source)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tallies[source] == nil {
		s.roomForTally(now)
		s.tallies[source] = c
	}
}

// write is what read reads; false: nothing has changed since the last time.
func (t *Table) write(now time.Time) (text []byte, changed bool) {
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.Lock()
		changed = changed || s.changed
		s.changed = false
		s.mu.Unlock()
	}
	if !changed {
		return nil, false
	}
	var b bytes.Buffer
	to := json.NewEncoder(&b)
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.Lock()
		for source, c := range s.tallies {
			if !now.Before(c.ends) {
				delete(s.tallies, source)
				continue
			}
			l := line{Source: hex.EncodeToString(source[:]), Unit: c.unit, Newest: c.newest, Ends: c.ends, Counts: make([]int64, len(c.counts))}
			for back := range l.Counts {
				if number := c.newest - int64(back); number >= 0 {
					l.Counts[back] = c.counts[number%int64(len(c.counts))]
				}
			}
			_ = to.Encode(l) // plain values
		}
		s.mu.Unlock()
	}
	return b.Bytes(), true
}

// save has the file be what the table is, if that has changed.
func (f *File) save() error {
	k := f.kept
	k.files.mu.Lock()
	defer k.files.mu.Unlock()
	text, changed := k.write(time.Now())
	if !changed {
		return nil
	}
	if err := replace(f.path, text); err != nil {
		for i := range k.shards { // to be written the next time
			k.shards[i].mu.Lock()
			k.shards[i].changed = true
			k.shards[i].mu.Unlock()
		}
		return fmt.Errorf("keep the counts in %s: %w", f.path, err)
	}
	return nil
}

// replace writes a file as a whole.
func replace(path string, text []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}

// Keep saves the table from time to time, and when ctx ends.
func (f *File) Keep(ctx context.Context) {
	f.ready()
	for failed := false; ; {
		select {
		case <-ctx.Done():
		case <-time.After(flushEvery):
		}
		err := f.save()
		if err != nil && !failed {
			f.log.WithError(err).Error("counts are not kept: they are forgotten with the next start")
		}
		failed = err != nil
		if ctx.Err() != nil {
			return
		}
	}
}
