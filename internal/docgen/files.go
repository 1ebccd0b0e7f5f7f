package main

import (
	"bytes"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// Pages are generated files by their path below the folder.
type Pages map[string][]byte

// Generate makes all pages from the sources of the module at root.
func Generate(root string) (Pages, error) {
	g := &generator{root: root, comments: newComments(root), pages: Pages{}}
	for _, print := range []func() error{
		g.middlewares, g.routers, g.services, g.consumers, g.plans, g.tls, g.streams, g.traefik, g.telemetry, g.labels, g.install, g.schemas,
	} {
		if err := print(); err != nil {
			return nil, err
		}
	}
	return g.pages, nil
}

// generator collects the pages.
type generator struct {
	root     string
	comments *comments
	pages    Pages
}

// write makes dir hold exactly the pages.
func write(dir string, pages Pages) error {
	stale, err := differences(dir, pages)
	if err != nil {
		return err
	}
	for _, name := range stale {
		path := filepath.Join(dir, filepath.FromSlash(name))
		content, wanted := pages[name]
		if !wanted {
			if err := os.Remove(path); err != nil {
				return err
			}
			continue
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// differences lists the files of dir that are not as in pages, by name: other
// content, missing, or left over.
func differences(dir string, pages Pages) ([]string, error) {
	different := map[string]bool{}
	for name, want := range pages {
		got, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		if err != nil || !bytes.Equal(got, want) {
			different[name] = true
		}
	}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		if _, wanted := pages[filepath.ToSlash(rel)]; !wanted {
			different[filepath.ToSlash(rel)] = true
		}
		return nil
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return slices.Sorted(maps.Keys(different)), nil
}
