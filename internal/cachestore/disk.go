package cachestore

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/maypok86/otter/v2"
	"github.com/sirupsen/logrus"

	"fairway/internal/httpcache"
)

// Disk keeps entries in files, one each, which are there after a restart. A file is written
// under another name and then renamed: it is there as a whole, or not. The name is a hash
// of the key and a number that no other file has had, so that an old file that is deleted
// late is not the new one. What is in memory is what purges and the bound need.
type Disk struct {
	dir    string
	log    logrus.FieldLogger
	index  *otter.Cache[string, *file]
	serial atomic.Uint64
	saving [64]sync.Mutex // of one key at a time, by its hash: the last one wins
}

// file is what is known of one without reading it.
type file struct {
	name string // below dir
	size int64
	url  string
	tags []string
}

const suffix, unfinished = ".fwc", ".tmp"

// block is what a file takes of a disk at least. Small ones count as much, which bounds the
// memory for the index as well.
const block = 4 << 10

func weight(f *file) uint32 {
	return uint32(min((f.size+block-1)/block*block, math.MaxUint32))
}

// NewDisk makes a store of so many bytes in a folder, and takes in what is there. The folder
// belongs to the store alone.
func NewDisk(dir string, most int64, log logrus.FieldLogger) (*Disk, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of the cache: %w", err)
	}
	d := &Disk{dir: dir, log: log}
	index, err := otter.New(&otter.Options[string, *file]{
		MaximumWeight: uint64(max(most, 1)),
		Weigher:       func(_ string, f *file) uint32 { return weight(f) },
		OnDeletion:    func(e otter.DeletionEvent[string, *file]) { d.remove(e.Value) },
	})
	if err != nil {
		return nil, fmt.Errorf("make a store on disk: %w", err)
	}
	d.index = index
	if err := d.takeIn(); err != nil {
		return nil, fmt.Errorf("read the folder of the cache: %w", err)
	}
	return d, nil
}

// takeIn reads what an earlier run has left. What it has not finished, and what is damaged,
// is deleted. Files that the store cannot have made stay as they are.
func (d *Disk) takeIn() error {
	folders, err := os.ReadDir(d.dir)
	if err != nil {
		return err
	}
	for _, folder := range folders {
		if !folder.IsDir() || !isHex(folder.Name(), 2) {
			continue
		}
		files, err := os.ReadDir(filepath.Join(d.dir, folder.Name()))
		if err != nil {
			return err
		}
		for _, f := range files {
			name := filepath.Join(folder.Name(), f.Name())
			plain, left := strings.CutSuffix(f.Name(), unfinished)
			switch {
			case !f.Type().IsRegular() || !isOwn(plain):
			case left:
				_ = os.Remove(filepath.Join(d.dir, name))
			default:
				d.takeFile(name)
			}
		}
	}
	d.index.CleanUp()
	return nil
}

// isOwn tells whether the store gives files such a name.
func isOwn(name string) bool {
	plain, ok := strings.CutSuffix(name, suffix)
	key, serial, dash := strings.Cut(plain, "-")
	return ok && dash && isHex(key, 32) && isHex(serial, 16)
}

func isHex(s string, length int) bool {
	return len(s) == length && strings.Trim(s, "0123456789abcdef") == ""
}

func (d *Disk) takeFile(name string) {
	e, size, err := d.read(name)
	_, number, _ := strings.Cut(strings.TrimSuffix(filepath.Base(name), suffix), "-")
	serial, nerr := strconv.ParseUint(number, 16, 64)
	if err != nil || nerr != nil {
		_ = os.Remove(filepath.Join(d.dir, name))
		return
	}
	d.serial.Store(max(d.serial.Load(), serial))
	if old, there := d.index.GetIfPresent(e.Key); there && old.name > name {
		_ = os.Remove(filepath.Join(d.dir, name))
		return
	}
	d.index.Set(e.Key, &file{name: name, size: size, url: e.URL, tags: e.Tags})
}

func (d *Disk) read(name string) (*httpcache.Entry, int64, error) {
	b, err := os.ReadFile(filepath.Join(d.dir, name))
	if err != nil {
		return nil, 0, err
	}
	e, err := httpcache.Decode(b)
	if err != nil {
		return nil, 0, fmt.Errorf("%s: %w", name, err)
	}
	return e, int64(len(b)), nil
}

// Load implements Store.
func (d *Disk) Load(_ context.Context, key []byte) *httpcache.Entry {
	f, there := d.index.GetIfPresent(string(key))
	if !there {
		return nil
	}
	e, _, err := d.read(f.name)
	switch {
	case errors.Is(err, fs.ErrNotExist): // replaced, or gone for others
		return nil
	case err != nil:
		d.log.Warnf("a stored response is given up: %v", err)
		d.index.Invalidate(string(key))
		return nil
	case e.Key != string(key):
		return nil
	}
	return e
}

// Save implements Store.
func (d *Disk) Save(_ context.Context, e *httpcache.Entry) {
	sum := sha256.Sum256([]byte(e.Key))
	text := hex.EncodeToString(sum[:16])
	saving := &d.saving[int(sum[0])%len(d.saving)]
	saving.Lock()
	defer saving.Unlock()
	name := filepath.Join(text[:2], fmt.Sprintf("%s-%016x%s", text, d.serial.Add(1), suffix))
	b := httpcache.Encode(nil, e)
	if err := d.write(name, b); err != nil {
		d.log.Warnf("a response is not stored: %v", err)
		d.purge(e.Key) // it is not what is to be answered any more
		return
	}
	d.index.Set(e.Key, &file{name: name, size: int64(len(b)), url: e.URL, tags: e.Tags})
}

func (d *Disk) write(name string, b []byte) error {
	path := filepath.Join(d.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(path+unfinished, b, 0o600); err != nil {
		_ = os.Remove(path + unfinished)
		return err
	}
	return os.Rename(path+unfinished, path)
}

func (d *Disk) remove(f *file) {
	if err := os.Remove(filepath.Join(d.dir, f.name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		d.log.Warnf("a stored response stays on the disk: %v", err)
	}
}

// Purge implements Store.
func (d *Disk) Purge(_ context.Context, match Match) (n int, err error) {
	if match.Key != "" {
		return d.purge(match.Key), nil
	}
	for key, f := range d.index.All() {
		if match.Matches(&httpcache.Entry{Key: key, URL: f.url, Tags: f.tags}) {
			n += d.purge(key)
		}
	}
	return n, nil
}

// purge removes an entry, and its file before it returns: a restart does not bring it back.
func (d *Disk) purge(key string) int {
	f, there := d.index.Invalidate(key)
	if !there {
		return 0
	}
	d.remove(f)
	return 1
}

// Size implements Sized.
func (d *Disk) Size() (entries int, bytes int64) {
	return d.index.EstimatedSize(), int64(min(d.index.WeightedSize(), math.MaxInt64))
}
