package file

import (
	"context"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"

	"fairway/providers"
)

const (
	// longestSettle bounds the waiting for a file that is written all the time.
	longestSettle = 2 * time.Second
	// poll finds changes that the kernel does not tell of: network file systems,
	// and single files mounted into a container.
	poll = 5 * time.Second
)

// watch publishes the files now and after each change.
func (p *provider) watch(ctx context.Context, publish providers.Publish) error {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watch files: %w", err)
	}
	defer w.Close()
	// Watched before it is read, so that no change falls in between.
	p.observe(w)
	p.folder.scan()
	publish(p.folder.configuration())
	p.folder.patient = true
	ticker := time.NewTicker(poll)
	defer ticker.Stop()
	again := time.NewTimer(poll)
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-w.Errors:
			p.log.WithError(err).Warn("watching files")
		case <-ticker.C:
		case <-again.C:
		case <-w.Events:
		}
		if !quiet(ctx, w) {
			return ctx.Err()
		}
		p.observe(w)
		p.folder.scan()
		if p.folder.unsettled {
			again.Reset(settle)
		}
		publish(p.folder.configuration())
	}
}

// quiet waits until no event has come for a moment. It returns false when ctx
// ends first.
func quiet(ctx context.Context, w *fsnotify.Watcher) bool {
	longest := time.After(longestSettle)
	for {
		select {
		case <-ctx.Done():
			return false
		case <-longest:
			return true
		case <-time.After(settle):
			return true
		case <-w.Events:
		}
	}
}

// observe watches the directories that matter. Watching the directory of a file
// is what finds editors that write a new file and rename it; watching the file
// as well is what finds changes of one that is mounted alone. Watching twice does
// no harm.
func (p *provider) observe(w *fsnotify.Watcher) {
	add := func(path string) {
		if err := w.Add(path); err != nil {
			p.log.WithError(err).WithField("path", path).Debug("cannot be watched, is looked at now and then")
		}
	}
	if file := p.config.Filename; file != "" {
		add(filepath.Dir(file))
		add(file)
		return
	}
	root, err := filepath.EvalSymlinks(p.config.Directory)
	if err != nil {
		add(filepath.Dir(p.config.Directory))
		return
	}
	_ = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			add(path)
		}
		return nil
	})
}
