package accesslog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/sirupsen/logrus"
	logtest "github.com/sirupsen/logrus/hooks/test"
	"github.com/traefik/paerser/types"

	"fairway/internal/outlet"
	"fairway/telemetry"
)

// memory is an output that can be held up, or made to fail.
type memory struct {
	mu    sync.Mutex
	text  bytes.Buffer
	fail  error
	room  int           // with fail: bytes that still go in
	gate  chan struct{} // a write waits until it is closed; nil: it does not
	calls int
}

func (m *memory) Write(p []byte) (int, error) {
	m.mu.Lock()
	gate := m.gate
	m.mu.Unlock()
	if gate != nil {
		<-gate
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.calls++
	if m.fail != nil && m.room < len(p) {
		n := m.room
		m.room = 0
		m.text.Write(p[:n])
		return n, m.fail
	}
	m.room -= len(p)
	return m.text.Write(p)
}

func (m *memory) set(change func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	change()
}

// got is what was written, and in how many attempts.
func (m *memory) got() (text string, calls int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.text.String(), m.calls
}

func (m *memory) lines() []string {
	text, _ := m.got()
	return strings.SplitAfter(strings.TrimSuffix(text, "\n"), "\n")
}

// short writes lines that are told apart by the name of the user.
func short() *Config { return &Config{Format: formatTemplate, Template: "${ClientUsername}"} }

func by(user string) *telemetry.Exchange {
	e := ordinary()
	e.Record.User = user
	return e
}

// into is the log of c that writes into w, in a bubble of synctest.
func into(t *testing.T, c *Config, w *memory) (l *Log, said *logtest.Hook, end func()) {
	t.Helper()
	l = built(t, c)
	log, said := logtest.NewNullLogger()
	l.log = log
	l.sinks = []*outlet.Sink{c.sink("memory", outlet.To(w), l.trouble)}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { l.Run(ctx) })
	return l, said, func() { cancel(); running.Wait() }
}

func messages(said *logtest.Hook) []string {
	var all []string
	for _, entry := range said.AllEntries() {
		text := fmt.Sprintf("%s: %s", entry.Level, entry.Message)
		if lost, ok := entry.Data["lost"]; ok {
			text += fmt.Sprintf(" (%v)", lost)
		}
		if err, ok := entry.Data[logrus.ErrorKey]; ok {
			text += fmt.Sprintf(": %v", err)
		}
		all = append(all, text)
	}
	return all
}

func TestLines_WaitNoLongerThanTheInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &memory{}
		c := short()
		c.FlushInterval = types.Duration(3 * time.Second)
		l, _, end := into(t, c, w)
		defer end()
		time.Sleep(10 * time.Second)
		l.Observe(by("ann"))
		synctest.Wait()
		if _, calls := w.got(); calls != 0 {
			t.Error("the line was written at once")
		}
		time.Sleep(3*time.Second + 1)
		synctest.Wait()
		if got, _ := w.got(); got != "ann\n" {
			t.Errorf("after the interval: got %q", got)
		}
	})
}

func TestLines_AreWrittenWhenTheyAreMany(t *testing.T) {
	for name, tt := range map[string]struct {
		buffering int
		user      string
	}{
		"as many as bufferingSize": {3, "a"},
		"as large as a chunk":      {0, strings.Repeat("a", outlet.ChunkSize/3+1)},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &memory{}
				c := short()
				c.BufferingSize, c.FlushInterval = tt.buffering, types.Duration(time.Hour)
				l, _, end := into(t, c, w)
				defer end()
				for i := range 3 {
					synctest.Wait()
					if _, calls := w.got(); calls != 0 {
						t.Errorf("written after %d lines", i)
					}
					l.Observe(by(tt.user))
				}
				synctest.Wait()
				if got := len(w.lines()); got != 3 {
					t.Errorf("got %d lines, want 3", got)
				}
			})
		})
	}
}

func TestEnd_WritesWhatIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &memory{}
		l, _, end := into(t, short(), w)
		for i := range 5 {
			l.Observe(by(fmt.Sprint(i)))
		}
		end()
		if got, _ := w.got(); got != "0\n1\n2\n3\n4\n" {
			t.Errorf("got %q", got)
		}
		l.Observe(by("late"))
		if got := l.Dropped(); got != 1 {
			t.Errorf("dropped after the end: got %d, want 1", got)
		}
	})
}

// A disk that takes nothing holds nobody up. What does not find room is counted, and told
// once a minute; then everything goes on by itself.
func TestSlowDisk_LosesLinesAndHoldsNobodyUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &memory{gate: make(chan struct{})}
		l, said, end := into(t, short(), w)
		defer end()
		large := strings.Repeat("a", 1023)
		const room, more = outlet.MostBytes / 1024, 100
		for range room + more {
			l.Observe(by(large))
		}
		if got := l.Dropped(); got != more {
			t.Errorf("dropped: got %d, want %d", got, more)
		}
		time.Sleep(30 * time.Second)
		for range 10 { // told when the minute is over
			l.Observe(by(large))
		}
		time.Sleep(31 * time.Second)
		synctest.Wait()
		w.set(func() { close(w.gate); w.gate = nil })
		synctest.Wait()
		l.Observe(by("ann"))
		time.Sleep(time.Minute)
		synctest.Wait()
		written := w.lines()
		if got := written[len(written)-1]; len(written) != room+1 || got != "ann" {
			t.Errorf("got %d lines, want %d, and ann's at the end", len(written), room+1)
		}
		// How many the first warning counts depends on when it is written.
		var got []string
		var told uint64
		for _, entry := range said.AllEntries() {
			got = append(got, entry.Level.String()+": "+entry.Message)
			lost, _ := entry.Data["lost"].(uint64)
			told += lost
		}
		const warning = "warning: lines of the access log are lost: the output takes them too slowly"
		if diff := cmp.Diff([]string{warning, warning, "info: the access log is written again"}, got); diff != "" || told != more+10 {
			t.Errorf("%d lines were told to be lost, want %d; the log (-want +got):\n%s", told, more+10, diff)
		}
	})
}

func TestFullDisk_LosesNothingBeforeTheMemoryIsFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &memory{fail: errors.New("no space left on device"), room: 5}
		l, said, end := into(t, short(), w)
		defer end()
		for _, user := range []string{"ann", "bob", "eve"} {
			l.Observe(by(user))
			time.Sleep(2 * time.Second)
		}
		synctest.Wait()
		if got, _ := w.got(); got != "ann\nb" {
			t.Errorf("got %q", got)
		}
		w.set(func() { w.fail = nil })
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if got, _ := w.got(); got != "ann\nbob\neve\n" || l.Dropped() != 0 {
			t.Errorf("got %q, and %d lost", got, l.Dropped())
		}
		want := []string{"warning: the access log cannot be written (0): no space left on device", "info: the access log is written again"}
		if diff := cmp.Diff(want, messages(said)); diff != "" {
			t.Errorf("the log (-want +got):\n%s", diff)
		}
	})
}

func TestFullDisk_IsNotTriedForEveryLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &memory{fail: errors.New("no")}
		c := short()
		c.BufferingSize = 1
		l, said, end := into(t, c, w)
		for range 100 {
			l.Observe(by("ann"))
			synctest.Wait()
		}
		if _, calls := w.got(); calls > 2 {
			t.Errorf("tried %d times", calls)
		}
		end()
		if got := l.Dropped(); got != 100 {
			t.Errorf("lost at the end: got %d, want 100", got)
		}
		if got := messages(said); len(got) != 2 || !strings.Contains(got[1], "(100)") {
			t.Errorf("the log: got %q", got)
		}
	})
}

// started opens the log of c and runs it.
func started(t *testing.T, c *Config) (l *Log, end func()) {
	t.Helper()
	l, err := c.New(quiet())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { l.Run(ctx) })
	return l, func() { cancel(); running.Wait() }
}

// ended lets a log end that has not run.
func ended(t *testing.T, l *Log) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	l.Run(ctx)
}

func read(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return string(b)
}

// until waits for a condition.
func until(t *testing.T, what string, met func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for !met() {
		select {
		case <-ctx.Done():
			t.Fatal("in vain: " + what)
		case <-time.After(time.Millisecond):
		}
	}
}

// await waits until a file has a text.
func await(t *testing.T, file, want string) {
	t.Helper()
	until(t, fmt.Sprintf("%s has %q", filepath.Base(file), want), func() bool { return read(t, file) == want })
}

func TestReopen_GoesOnInANewFileAfterRename(t *testing.T) {
	file := filepath.Join(t.TempDir(), "access.log")
	if err := os.WriteFile(file, []byte("before\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := short()
	c.FilePath, c.BufferingSize = file, 1
	l, end := started(t, c)
	defer end()
	l.Observe(by("ann"))
	await(t, file, "before\nann\n")
	if err := os.Rename(file, file+".1"); err != nil {
		t.Fatal(err)
	}
	l.Observe(by("bob"))
	await(t, file+".1", "before\nann\nbob\n")
	if err := l.Reopen(); err != nil {
		t.Fatal(err)
	}
	l.Observe(by("eve"))
	await(t, file, "eve\n")
	if err := os.Mkdir(file+".2", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Rename(file, file+".3"), os.Symlink(file+".2", file)); err != nil {
		t.Fatal(err)
	}
	if err := l.Reopen(); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("Reopen of a directory: got %v", err)
	}
	l.Observe(by("zoe"))
	await(t, file+".3", "eve\nzoe\n")
}

func TestDevFull_RecoversWhenTheFileIsAnother(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Log("this machine has no /dev/full: only the other tests say something about full disks")
		return
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "access.log")
	if err := os.Symlink("/dev/full", file); err != nil {
		t.Fatal(err)
	}
	c := short()
	c.FilePath, c.BufferingSize = file, 1
	l, end := started(t, c)
	l.Observe(by("ann"))
	until(t, "a write fails", l.sinks[0].Troubled)
	if err := errors.Join(os.Remove(file), l.Reopen()); err != nil {
		t.Fatal(err)
	}
	await(t, file, "ann\n")
	end()
	if got := l.Dropped(); got != 0 {
		t.Errorf("lost: got %d, want 0", got)
	}
}

func TestDualOutput_WritesToBoth(t *testing.T) {
	file := filepath.Join(t.TempDir(), "access.log")
	for _, tt := range []struct {
		name   string
		config Config
		want   []string
	}{
		{"file", Config{FilePath: file}, []string{file}},
		{"standard output", Config{}, []string{"standard output"}},
		{"both", Config{FilePath: file, DualOutput: true}, []string{file, "standard output"}},
		{"the standard output once", Config{DualOutput: true}, []string{"standard output"}},
	} {
		l, err := tt.config.New(quiet())
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, s := range l.sinks {
			got = append(got, s.Name())
		}
		ended(t, l)
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
	a, b := &memory{}, &memory{gate: make(chan struct{})}
	l := built(t, short())
	l.sinks = []*outlet.Sink{short().sink("a", outlet.To(a), l.trouble), short().sink("b", outlet.To(b), l.trouble)}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { l.Run(ctx) })
	l.Observe(by("ann"))
	cancel()
	until(t, "a is written, though b is stuck", func() bool { return a.lines()[0] == "ann" })
	close(b.gate)
	running.Wait()
	if got, _ := b.got(); got != "ann\n" {
		t.Errorf("got %q", got)
	}
}

// Many goroutines at once: no line is torn, lost or there twice.
func TestObserve_ByManyAtOnce(t *testing.T) {
	const goroutines, each = 16, 500
	file := filepath.Join(t.TempDir(), "access.log")
	c := short()
	c.FilePath, c.FlushInterval = file, types.Duration(time.Millisecond)
	l, end := started(t, c)
	var all sync.WaitGroup
	for g := range goroutines {
		all.Go(func() {
			for i := range each {
				l.Observe(by(fmt.Sprintf("%d-%d-%s", g, i, strings.Repeat("x", i%200))))
				if i%100 == 0 {
					if err := l.Reopen(); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	all.Wait()
	end()
	seen := map[string]int{}
	for line := range strings.Lines(read(t, file)) {
		seen[strings.TrimSuffix(line, "\n")]++
	}
	for g := range goroutines {
		for i := range each {
			want := fmt.Sprintf("%d-%d-%s", g, i, strings.Repeat("x", i%200))
			if seen[want] != 1 {
				t.Fatalf("%q: got it %d times", want, seen[want])
			}
		}
	}
	if len(seen) != goroutines*each || l.Dropped() != 0 {
		t.Errorf("got %d lines, lost %d", len(seen), l.Dropped())
	}
}
