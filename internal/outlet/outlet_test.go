package outlet

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/sirupsen/logrus"
)

// full is an output that takes only so many bytes.
type full struct{ room int }

func (f *full) Write(p []byte) (int, error) {
	n := min(f.room, len(p))
	f.room -= n
	if n < len(p) {
		return n, errors.New("no space left on device")
	}
	return n, nil
}

// A line that was cut off by a full disk begins anew in the next file.
func TestReopen_DoesNotTearALine(t *testing.T) {
	file := filepath.Join(t.TempDir(), "access.log")
	w := &full{room: 5}
	s := New("file", &Output{w: w, open: func() (*os.File, error) { return os.Create(file) }}, 0, time.Hour, make(chan struct{}, 1))
	s.Put([]byte("ann\n"))
	s.Put([]byte("bob\n"))
	if s.Flush() {
		t.Fatal("nothing failed")
	}
	if err := s.Reopen(); err != nil {
		t.Fatal(err)
	}
	s.Put([]byte("eve\n"))
	s.end()
	if got, err := os.ReadFile(file); err != nil || string(got) != "bob\neve\n" {
		t.Errorf("got %q, %v", got, err)
	}
}

// held is an output that takes nothing until it is opened.
type held struct {
	opened chan struct{}

	mu   sync.Mutex
	text strings.Builder
}

func (h *held) Write(p []byte) (int, error) {
	<-h.opened
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.text.Write(p)
}

func (h *held) messages() (all []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for line := range strings.Lines(h.text.String()) {
		all = append(all, strings.TrimSpace(line))
	}
	return all
}

// plain writes messages alone, with how many lines were lost.
type plain struct{}

func (plain) Format(e *logrus.Entry) ([]byte, error) {
	text := e.Message
	if lost, told := e.Data["lostSinceStart"]; told && e.Level == logrus.InfoLevel {
		text += " " + strings.Repeat("!", int(min(lost.(uint64), 10)))
	}
	return []byte(text + "\n"), nil
}

// The log of a program may be what is told of its own trouble.
func TestRun_ALogIsToldOfItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, log, trouble := &held{opened: make(chan struct{})}, logrus.New(), make(chan struct{}, 1)
		s := New("log", To(w), 1, time.Second, trouble)
		log.SetOutput(s)
		log.SetFormatter(plain{})
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() {
			Run(ctx, []*Sink{s}, trouble, log, Words{Unwritten: "unwritten", Slow: "slow", Again: "again"})
		})
		log.Info("first")
		synctest.Wait() // it is being written
		large := strings.Repeat("x", 1<<20-1)
		for range 5 { // the first of them is beside the four that find room
			log.Info(large)
		}
		if s.Dropped() == 0 || !s.Troubled() {
			t.Error("nothing was lost")
		}
		close(w.opened)
		synctest.Wait()
		log.Info("last")
		cancel()
		running.Wait()
		var got []string
		for _, m := range w.messages() {
			if m != large {
				got = append(got, m)
			}
		}
		if len(got) < 3 || got[0] != "first" || got[len(got)-1] != "last" || !strings.HasPrefix(got[len(got)-2], "again !") {
			t.Error(cmp.Diff([]string{"first", "again !", "last"}, got))
		}
		log.Info("late")
		if n := s.Dropped(); n < 2 {
			t.Errorf("lost: got %d", n)
		}
	})
}
