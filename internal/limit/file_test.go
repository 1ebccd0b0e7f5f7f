package limit

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/sirupsen/logrus/hooks/test"
)

func quiet(t *testing.T) (logrus.FieldLogger, *test.Hook) {
	t.Helper()
	return test.NewNullLogger()
}

func TestKept_IsThereAgainAfterARestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "counts")
	log, _ := quiet(t)
	rules := []*Rule{Calendar(100, Month, time.UTC), Sliding(100, 24*time.Hour)}
	for life := range 5 {
		k, file := keptIn(t, path, log)
		for i, r := range rules {
			for turn := range 20 {
				if d := k.Take(number(i), r, 1); !d.OK || d.Left != int64(99-20*life-turn) {
					t.Fatalf("life %d: %+v", life, d)
				}
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		file.Keep(ctx) // the last time
	}
	k, _ := keptIn(t, path, log)
	for i, r := range rules {
		if d := k.Take(number(i), r, 1); d.OK {
			t.Errorf("more than there is: %+v", d)
		}
	}
	if left, _ := filepath.Glob(path + "?*"); len(left) > 0 {
		t.Errorf("there are files left: %v", left)
	}
}

func TestKept_FilesThatCannotBeReadAreSetAside(t *testing.T) {
	path := filepath.Join(t.TempDir(), "counts")
	log, hook := quiet(t)
	k, file := keptIn(t, path, log)
	r := Calendar(10, Month, time.UTC)
	k.Take(number(1), r, 4)
	if err := file.save(); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append([]byte("{\"s\":\"00\"}\nnonsense\n"), good...), 0o600); err != nil {
		t.Fatal(err)
	}
	k, _ = keptIn(t, path, log)
	if d := k.Take(number(1), r, 1); d.Left != 5 {
		t.Errorf("what is good is not known: %+v", d)
	}
	if e := hook.LastEntry(); e == nil || !strings.Contains(e.Message, "kept as "+path+".bad") {
		t.Errorf("it is not told: %v", e)
	}
	if aside, err := os.ReadFile(path + ".bad"); err != nil || !bytes.Contains(aside, []byte("nonsense")) {
		t.Errorf("it is not kept: %q, %v", aside, err)
	}
}

func TestKept_SavesWhatHasChangedOnly(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "folder", "counts")
	log, _ := quiet(t)
	if _, err := NewKept().OpenFile(path, log); err == nil {
		t.Error("there is no such folder")
	}
	if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	k, file := keptIn(t, path, log)
	if err := file.save(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("nothing has changed, and it was written")
	}
	k.Take(number(1), Sliding(5, time.Hour), 1)
	if err := os.Rename(filepath.Dir(path), filepath.Join(dir, "away")); err != nil {
		t.Fatal(err)
	}
	if err := file.save(); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("the folder is gone: %v", err)
	}
	if err := os.Rename(filepath.Join(dir, "away"), filepath.Dir(path)); err != nil {
		t.Fatal(err)
	}
	if err := file.save(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Errorf("after a failure: %v", err)
	}
}

// keptIn is what is known at a start, with a file.
func keptIn(t *testing.T, path string, log logrus.FieldLogger) (*Kept, *File) {
	t.Helper()
	k := NewKept()
	f, err := k.OpenFile(path, log)
	if err != nil {
		t.Fatal(err)
	}
	f.ready()
	return k, f
}

func FuzzRead(f *testing.F) {
	table := NewTable(16)
	table.Take(number(1), Sliding(5, time.Hour), 2)
	table.Take(number(2), Calendar(5, Day, time.UTC), 2)
	text, _ := table.write(time.Now())
	f.Add(text)
	f.Add([]byte(`{"s":"00000000000000010000000000000000","u":1,"n":9223372036854775807,"e":"2999-01-01T00:00:00Z","c":[1,2,3]}`))
	f.Add([]byte(`{"s":"00000000000000010000000000000000","u":-1,"n":0,"e":"2999-01-01T00:00:00Z","c":[-1]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		table := NewTable(1 << 10)
		table.read(text, time.Now())
		for _, r := range []*Rule{Sliding(100, time.Hour), Calendar(100, Month, time.UTC)} {
			for _, s := range []Source{number(1), number(2)} {
				if d := table.Take(s, r, 1); d.Left < 0 || d.Wait < 0 {
					t.Errorf("%+v", d)
				}
			}
		}
		again, changed := table.write(time.Now())
		if !changed {
			t.Error("what was taken is no change")
		}
		if bad := NewTable(1<<10).read(again, time.Now()); bad > 0 {
			t.Errorf("%d lines of its own cannot be read", bad)
		}
	})
}

func FuzzCostOf(f *testing.F) {
	for _, s := range []string{"1", "0", "2.5", " 7 ", "1e9", "-1", "", "99999999999999999999", "1.2.3", "."} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		n, ok := costOf(text)
		if n < 0 || n > mostCost || !ok && n != 0 {
			t.Errorf("%q: %d, %v", text, n, ok)
		}
	})
}

func TestCostOf(t *testing.T) {
	for text, want := range map[string]int64{"1": 1, "0": 0, "2.5": 3, " 7 ": 7, "99999999999999999999": mostCost, "1e9": -1, "-1": -1, "": -1, "1.2.3": -1, ".": -1, "x": -1} {
		got, ok := costOf(text)
		if !ok {
			got = -1
		}
		if got != want {
			t.Errorf("%q: got %d, want %d", text, got, want)
		}
	}
}

func TestQuoted(t *testing.T) {
	if got := quoted("a\"b\\cü\n"); got != `"a\"b\\c___"` {
		t.Errorf("got %s", got)
	}
}
