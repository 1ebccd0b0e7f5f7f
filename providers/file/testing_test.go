package file

import (
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"fairway/config/dynamic"
)

// put writes a file, with the directories above it, as by one writer that
// replaces the whole.
func put(tb testing.TB, path, text string) {
	tb.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		tb.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		tb.Fatal(err)
	}
}

// routers is a YAML document with these routers.
func routers(names ...string) string {
	var b strings.Builder
	b.WriteString("http:\n  routers:\n")
	for _, name := range names {
		fmt.Fprintf(&b, "    %s: {rule: 'Host(`%[1]s`)', service: s@file}\n", name)
	}
	return b.String()
}

func load(tb testing.TB, path string) *dynamic.Configuration {
	tb.Helper()
	c, err := Load(path)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// watcher has all that a provider publishes.
type watcher struct {
	tb        testing.TB
	published chan *dynamic.Configuration
	last      *dynamic.Configuration
}

func watch(tb testing.TB, c *Config) *watcher {
	tb.Helper()
	log := logrus.New()
	log.SetOutput(io.Discard)
	c.Watch = true
	p, err := c.New(log)
	if err != nil {
		tb.Fatal(err)
	}
	w := &watcher{tb: tb, published: make(chan *dynamic.Configuration, 10_000)}
	var running sync.WaitGroup
	running.Go(func() { _ = p.Run(tb.Context(), func(c *dynamic.Configuration) { w.published <- c }) })
	tb.Cleanup(running.Wait)
	return w
}

// until waits for a configuration that is as it should be. Every one before it
// must pass the check, if there is one.
func (w *watcher) until(what string, good func(*dynamic.Configuration) bool, before func(*dynamic.Configuration) bool) {
	w.tb.Helper()
	giveUp := time.After(20 * time.Second)
	for w.last == nil || !good(w.last) {
		if w.last != nil && before != nil && !before(w.last) {
			w.tb.Fatalf("on the way to %s: got %v, %v", what, names(w.last), w.last.Problems)
		}
		select {
		case w.last = <-w.published:
		case <-giveUp:
			w.tb.Fatalf("never published: %s; the last was %v, %v", what, names(w.last), w.last.Problems)
		}
	}
}

// routers waits until the routers are these and nothing is wrong.
func (w *watcher) routers(want ...string) {
	w.tb.Helper()
	w.until(fmt.Sprint("routers ", want), func(c *dynamic.Configuration) bool {
		return slices.Equal(names(c), want) && len(c.Problems) == 0
	}, nil)
}

func names(c *dynamic.Configuration) []string { return slices.Sorted(maps.Keys(c.HTTP.Routers)) }
