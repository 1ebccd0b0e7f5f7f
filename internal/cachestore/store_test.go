package cachestore

import (
	"container/list"
	"context"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"fairway/internal/httpcache"
)

func entryOf(key, url string, size int, tags ...string) *httpcache.Entry {
	e := &httpcache.Entry{Key: key, URL: url, Status: 200, Body: make([]byte, size), Tags: tags, Came: time.Unix(1e9, 0)}
	e.Init()
	return e
}

func quiet() logrus.FieldLogger {
	log := logrus.New()
	log.SetOutput(io.Discard)
	return log
}

func disk(t *testing.T, dir string) *Disk {
	t.Helper()
	d, err := NewDisk(dir, 1<<20, quiet())
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func memory(t *testing.T, most int64) *Memory {
	t.Helper()
	m, err := NewMemory(most)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestStores_KeepAndPurge(t *testing.T) {
	for name, s := range map[string]Store{"memory": memory(t, 1<<20), "disk": disk(t, t.TempDir())} {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			for _, e := range []*httpcache.Entry{
				entryOf("a", "h/a", 10, "x"), entryOf("b", "h/b/1", 20, "x", "y"), entryOf("c", "h/b/2", 30, "z"), entryOf("d", "i/b", 40),
				entryOf("a", "h/a", 11, "x"), entryOf("e", "h/e", 50),
			} {
				s.Save(ctx, e)
			}
			if e := s.Load(ctx, []byte("a")); e == nil || len(e.Body) != 11 {
				t.Errorf("got %v, want the second of that key", e)
			}
			left := func() (keys string) {
				for _, key := range []string{"a", "b", "c", "d", "e"} {
					if e := s.Load(ctx, []byte(key)); e != nil {
						keys += e.Key
					}
				}
				return keys
			}
			for _, tt := range []struct {
				m    Match
				n    int
				left string
			}{
				{Match{Key: "e"}, 1, "abcd"},
				{Match{Key: "e"}, 0, "abcd"},
				{Match{Tag: "y"}, 1, "acd"},
				{Match{Prefix: "h/b"}, 1, "ad"},
				{Match{Tag: "none"}, 0, "ad"},
				{Match{All: true}, 2, ""},
			} {
				if n, err := s.Purge(ctx, tt.m); n != tt.n || err != nil || left() != tt.left {
					t.Errorf("%+v: %d are gone, %v, and %q are left", tt.m, n, err, left())
				}
			}
		})
	}
}

// TestStores_StayWithinTheirBounds sends many distinct objects through small stores.
func TestStores_StayWithinTheirBounds(t *testing.T) {
	const most = 1 << 20
	dir := t.TempDir()
	m, d := memory(t, most), disk(t, dir)
	for name, tt := range map[string]struct {
		s interface {
			Store
			Sized
		}
		objects int
	}{"memory": {m, 40_000}, "disk": {d, 1500}} {
		worst := int64(0)
		for i := range tt.objects {
			tt.s.Save(t.Context(), entryOf(fmt.Sprint(i), "", 16<<10))
			if i%10 == 0 {
				_, size := tt.s.Size()
				worst = max(worst, size)
			}
		}
		if worst > most*5/4 { // what is over is on its way out
			t.Errorf("%s: %d bytes were kept, want %d", name, worst, most)
		}
	}
	d.index.CleanUp()
	eventually(t, func() bool { return onDisk(t, dir) <= most })
}

// eventually waits for what goroutines of the library do.
func eventually(t *testing.T, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it does not come to that")
		}
	}
}

func onDisk(t *testing.T, dir string) (total int64) {
	t.Helper()
	err := filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return nil //nolint:nilerr // a file may be deleted meanwhile
		}
		if info, err := entry.Info(); err == nil {
			total += info.Size()
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return total
}

func TestDisk_IsThereAfterARestart(t *testing.T) {
	dir := t.TempDir()
	first := disk(t, dir)
	for i := range 20 {
		first.Save(t.Context(), entryOf(fmt.Sprint(i), "h/"+fmt.Sprint(i), 100+i, "tag"))
	}
	second := disk(t, dir)
	for i := range 20 {
		if e := second.Load(t.Context(), []byte(fmt.Sprint(i))); e == nil || len(e.Body) != 100+i {
			t.Errorf("%d: got %v", i, e)
		}
	}
	if n, err := second.Purge(t.Context(), Match{Tag: "tag"}); n != 20 || err != nil {
		t.Errorf("%d are purged by tag, %v", n, err)
	}
	eventually(t, func() bool { return onDisk(t, dir) == 0 })
}

// TestDisk_ACrashLosesOnlyWhatWasBeingWritten does to the folder what crashes do.
func TestDisk_ACrashLosesOnlyWhatWasBeingWritten(t *testing.T) {
	dir := t.TempDir()
	d := disk(t, dir)
	for _, key := range []string{"good", "cut", "changed", "empty"} {
		d.Save(t.Context(), entryOf(key, "", 5000))
	}
	path := func(key string) string {
		f, _ := d.index.GetIfPresent(key)
		return filepath.Join(dir, f.name)
	}
	change := func(path string, how func(b []byte) []byte) {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, how(b), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	change(path("cut"), func(b []byte) []byte { return b[:len(b)/2] })
	change(path("changed"), func(b []byte) []byte { b[len(b)-1] ^= 1; return b })
	change(path("empty"), func([]byte) []byte { return nil })
	if err := os.WriteFile(path("good")+unfinished, []byte("half an entry"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "notes.txt"), []byte("not of the cache"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]*Disk{"at work": d, "restarted": disk(t, dir)} {
		for _, key := range []string{"good", "cut", "changed", "empty"} {
			if there := s.Load(t.Context(), []byte(key)) != nil; there != (key == "good") {
				t.Errorf("%s: %s is there: %v", name, key, there)
			}
		}
	}
	eventually(t, func() bool {
		left, err := filepath.Glob(filepath.Join(dir, "*", "*"))
		return err == nil && len(left) == 1 && strings.HasSuffix(left[0], suffix)
	})
	if _, err := os.Stat(filepath.Join(dir, "notes.txt")); err != nil {
		t.Errorf("what is not of the cache: %v", err)
	}
}

func TestDisk_AFolderThatCannotBeUsedIsNoStore(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := NewDisk(file, 1<<20, quiet()); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("got %v", err)
	}
}

// lru is what the memory is compared with.
type lru struct {
	most  int
	order *list.List
	at    map[uint64]*list.Element
}

func (l *lru) hit(key uint64) bool {
	if e := l.at[key]; e != nil {
		l.order.MoveToFront(e)
		return true
	}
	l.at[key] = l.order.PushFront(key)
	if l.order.Len() > l.most {
		delete(l.at, l.order.Remove(l.order.Back()).(uint64))
	}
	return false
}

// TestMemory_KeepsWhatIsAskedForOften compares it with the least recently used giving way,
// on requests as sites have them (Zipf), with a scan through everything in between.
func TestMemory_KeepsWhatIsAskedForOften(t *testing.T) {
	const room, objects, requests = 1000, 50_000, 150_000
	size := entryOf(fmt.Sprintf("%08d", 0), "", 1000).Size()
	m := memory(t, int64(room*size))
	l := &lru{most: room, order: list.New(), at: map[uint64]*list.Element{}}
	zipf := rand.NewZipf(rand.New(rand.NewPCG(1, 2)), 1.01, 1, objects-1)
	ours, theirs := 0, 0
	ctx := context.Background()
	for i := range requests {
		n := zipf.Uint64()
		if i%10 == 0 {
			n = uint64(i) % objects // the scan
		}
		key := fmt.Sprintf("%08d", n)
		if m.Load(ctx, []byte(key)) != nil {
			ours++
		} else {
			m.Save(ctx, entryOf(key, "", 1000))
		}
		if l.hit(n) {
			theirs++
		}
	}
	t.Logf("hits: %.1f %%, by LRU %.1f %%", 100*float64(ours)/requests, 100*float64(theirs)/requests)
	if ours <= theirs {
		t.Errorf("%d hits, and %d by LRU", ours, theirs)
	}
}
