package freshfile

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sirupsen/logrus"
)

func parse(text []byte) (string, error) {
	if bytes.HasPrefix(text, []byte("bad")) {
		return "", errors.New("it is bad")
	}
	return string(text), nil
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestFile_IsReadAgainWhenItHasChanged(t *testing.T) {
	name := filepath.Join(t.TempDir(), "users")
	synctest.Test(t, func(t *testing.T) {
		var logged bytes.Buffer
		log := logrus.New()
		log.SetOutput(&logged)
		warnings := func() int { return strings.Count(logged.String(), "not usable") }
		write(t, name, "one")
		f, err := Open(name, parse, log)
		if err != nil {
			t.Fatal(err)
		}
		want := func(when, value string, warned int) {
			t.Helper()
			if got := f.Value(); got != value || warnings() != warned {
				t.Errorf("%s: got %q, want %q; %d warnings, want %d", when, got, value, warnings(), warned)
			}
		}
		write(t, name, "second")
		want("within a second", "one", 0)
		time.Sleep(time.Second)
		want("changed", "second", 0)
		write(t, name, "bad")
		for range 3 {
			time.Sleep(time.Second)
			want("broken", "second", 1)
		}
		write(t, name, "bad again")
		time.Sleep(time.Second)
		want("broken in another way", "second", 2)
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			time.Sleep(time.Second)
			want("gone", "second", 2)
		}
		write(t, name+".new", "third")
		if err := os.Rename(name+".new", name); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		want("replaced", "third", 2)
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		want("gone for the first time since", "third", 3)
	})
}

func TestOpen_TellsWhatIsWrong(t *testing.T) {
	name := filepath.Join(t.TempDir(), "users")
	if _, err := Open(name, parse, logrus.New()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: got %v", err)
	}
	write(t, name, "bad")
	if _, err := Open(name, parse, logrus.New()); err == nil || err.Error() != name+": it is bad" {
		t.Errorf("bad file: got %v", err)
	}
}

func TestFile_IsSafeForConcurrentUse(t *testing.T) {
	name := filepath.Join(t.TempDir(), "users")
	write(t, name, "one")
	f, err := Open(name, parse, logrus.New())
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 100 {
				f.next.Store(0)
				if f.Value() != "one" {
					t.Error("another value")
				}
			}
		})
	}
	wg.Wait()
}
