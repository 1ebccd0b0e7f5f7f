package file

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"fairway/config/dynamic"
)

func TestWatch_FollowsADirectory(t *testing.T) {
	dir := t.TempDir()
	put(t, dir+"/a.yml", routers("a"))
	w := watch(t, &Config{Directory: dir})
	w.routers("a")
	put(t, dir+"/b.yml", routers("b"))
	w.routers("a", "b")
	put(t, dir+"/new/c.yml", routers("c")) // in a directory that is new too
	w.routers("a", "b", "c")
	put(t, dir+"/new/c.yml", routers("c", "d"))
	w.routers("a", "b", "c", "d")
	put(t, dir+"/b.yml", "")
	w.routers("a", "c", "d")
	if err := os.RemoveAll(dir + "/new"); err != nil {
		t.Fatal(err)
	}
	w.routers("a")
}

func TestWatch_BrokenFileKeepsItsLastGoodContent(t *testing.T) {
	dir := t.TempDir()
	put(t, dir+"/a.yml", routers("a"))
	put(t, dir+"/b.yml", routers("b"))
	w := watch(t, &Config{Directory: dir})
	w.routers("a", "b")
	put(t, dir+"/a.yml", "http: {")
	put(t, dir+"/b.yml", routers("b", "more"))
	w.until("the broken file's problem and the other file's change", func(c *dynamic.Configuration) bool {
		return len(c.Problems) == 1 && strings.HasPrefix(c.Problems[0].String(), dir+"/a.yml:1: ") &&
			strings.Contains(c.Problems[0].Reason, "the last good content of the file stays in force") && strings.Join(names(c), " ") == "a b more"
	}, nil)
	put(t, dir+"/a.yml", routers("mended"))
	w.routers("b", "mended", "more")
}

func TestWatch_ObjectsThatDidNotChangeAreTheSame(t *testing.T) {
	dir := t.TempDir()
	put(t, dir+"/a.yml", routers("a"))
	w := watch(t, &Config{Directory: dir})
	w.routers("a")
	before := w.last.HTTP.Routers["a"]
	put(t, dir+"/b.yml", routers("b"))
	w.routers("a", "b")
	if w.last.HTTP.Routers["a"] != before {
		t.Error("a router of a file that did not change is another value")
	}
}

func TestWatch_FollowsOneFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "routes.yml")
	w := watch(t, &Config{Filename: path})
	w.until("that the file is missing", func(c *dynamic.Configuration) bool { return len(c.Problems) == 1 && len(names(c)) == 0 }, nil)
	put(t, path, routers("a")) // it appears later
	w.routers("a")
	put(t, filepath.Join(filepath.Dir(path), "other.yml"), routers("other"))
	put(t, path, routers("b"))
	w.routers("b")
	put(t, path+".new", routers("c")) // as many editors do
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
	w.routers("c")
	put(t, path, routers("d")) // and still watched
	w.routers("d")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	w.until("the last good content with a problem", func(c *dynamic.Configuration) bool {
		return len(c.Problems) == 1 && strings.Contains(c.Problems[0].String(), path+": cannot be read") && strings.Join(names(c), "") == "d"
	}, nil)
}

func TestWatch_SwapsTheLinkOfAConfigMap(t *testing.T) {
	dir := t.TempDir()
	put(t, dir+"/..one/routes.yml", routers("one"))
	put(t, dir+"/..two/routes.yml", routers("two"))
	for link, target := range map[string]string{"/..data": "..one", "/routes.yml": "..data/routes.yml"} {
		if err := os.Symlink(target, dir+link); err != nil {
			t.Fatal(err)
		}
	}
	w := watch(t, &Config{Directory: dir})
	w.routers("one")
	if err := os.Symlink("..two", dir+"/..tmp"); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(dir+"/..tmp", dir+"/..data"); err != nil {
		t.Fatal(err)
	}
	w.routers("two")
}

// TestWatch_FileIsNotReadHalfWritten overwrites a file in place, piece by piece,
// many times. It is never seen without its routers.
func TestWatch_FileIsNotReadHalfWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "routes.yml")
	text := routers("a", "b", "c", "d", "e", "f", "g", "h")
	put(t, path, text)
	w := watch(t, &Config{Filename: path})
	w.routers("a", "b", "c", "d", "e", "f", "g", "h")
	for range 200 {
		f, err := os.Create(path) // empty from here on
		if err != nil {
			t.Fatal(err)
		}
		for piece := range strings.Lines(text) {
			if _, err := io.WriteString(f, piece); err != nil {
				t.Fatal(err)
			}
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	put(t, path, text+"    end: {rule: 'Host(`end`)', service: s}\n")
	w.until("the end", func(c *dynamic.Configuration) bool { return c.HTTP.Routers["end"] != nil },
		func(c *dynamic.Configuration) bool { return len(names(c)) == 8 && len(c.Problems) == 0 })
}

// TestWatch_ASlowWriterLosesNothing empties a file, and takes longer than any
// settling to fill it again.
func TestWatch_ASlowWriterLosesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "routes.yml")
	text := routers("a", "b")
	put(t, path, text)
	w := watch(t, &Config{Filename: path})
	w.routers("a", "b")
	for _, half := range []string{"", text[:len(text)/2]} {
		put(t, path, half)
		time.Sleep(4 * settle) // a slow writer is what is tested
		put(t, path, text)
	}
	put(t, path, text+"    end: {rule: 'Host(`end`)', service: s}\n")
	w.until("the end", func(c *dynamic.Configuration) bool { return c.HTTP.Routers["end"] != nil },
		func(c *dynamic.Configuration) bool { return len(names(c)) == 2 && len(c.Problems) == 0 })
}

func TestRun_WithoutWatchReadsOnce(t *testing.T) {
	dir := t.TempDir()
	put(t, dir+"/a.yml", routers("a"))
	log := logrus.New()
	log.SetOutput(io.Discard)
	p, err := (&Config{Directory: dir}).New(log)
	if err != nil {
		t.Fatal(err)
	}
	published := make(chan *dynamic.Configuration, 1)
	var running sync.WaitGroup
	running.Go(func() { _ = p.Run(t.Context(), func(c *dynamic.Configuration) { published <- c }) })
	t.Cleanup(running.Wait)
	if got := names(<-published); len(got) != 1 {
		t.Errorf("got %v", got)
	}
}
