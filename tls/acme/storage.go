package acme

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// storage is a folder that only the owner may look into:
//
//	account.json        the accounts, by authority
//	certificates/       a file for each certificate
//	challenges/         what is answered to authorities at the moment
//	locks/              held by who orders
//
// A file is written beside its place and then moved there, so that it is whole or as it
// was before, whatever happens. Another kind of storage needs the same few methods. A nil
// one can be read, and is empty: that of a resolver whose folder cannot be had.
type storage struct{ dir string }

// The kinds of what is stored: folders.
const (
	certificateFiles = "certificates"
	challengeFiles   = "challenges"
	accountFiles     = ""
)

// ending is that of all files which are complete.
const ending = ".json"

// version tells whether a file has changed.
type version struct {
	modified time.Time
	size     int64
}

// openStorage derives the folder of a resolver. It does not make it.
func openStorage(path, resolver string) (*storage, error) {
	root := strings.TrimSuffix(path, ending)
	if filepath.Base(root) == ending || root == "" || strings.HasSuffix(root, string(filepath.Separator)) && root != path {
		return nil, fmt.Errorf("%q has no name before %s", path, ending)
	}
	info, err := os.Stat(root)
	switch {
	case err == nil && !info.IsDir() && root == path:
		root += ".d" // a file of Traefik's by another name
	case err == nil && !info.IsDir():
		return nil, fmt.Errorf("%s is in the way: a folder of this name is needed", root)
	}
	return &storage{dir: filepath.Join(root, safe(resolver))}, nil
}

func (s *storage) path(kind, name string) string { return filepath.Join(s.dir, kind, name+ending) }

// load reads a file; fs.ErrNotExist if there is none.
func (s *storage) load(kind, name string) ([]byte, error) {
	if s == nil {
		return nil, fs.ErrNotExist
	}
	return os.ReadFile(s.path(kind, name))
}

// store writes a file as a whole.
func (s *storage) store(kind, name string, data []byte) error {
	dir := filepath.Join(s.dir, kind)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	temp, err := os.CreateTemp(dir, ".new-*") // mode 0600
	if err != nil {
		return err
	}
	_, err = temp.Write(data)
	err = errors.Join(err, temp.Sync(), temp.Close())
	if err == nil {
		err = os.Rename(temp.Name(), s.path(kind, name))
	}
	if err != nil {
		_ = os.Remove(temp.Name())
		return err
	}
	return syncDir(dir)
}

// list tells which files there are. It is an error if the folder cannot be read; one that
// was never made is empty.
func (s *storage) list(kind string) (map[string]version, error) {
	if s == nil {
		return nil, nil
	}
	files, err := os.ReadDir(filepath.Join(s.dir, kind))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	found := map[string]version{}
	for _, file := range files {
		name, ok := strings.CutSuffix(file.Name(), ending)
		if !ok || strings.HasPrefix(name, ".") || !file.Type().IsRegular() {
			continue
		}
		if info, err := file.Info(); err == nil {
			found[name] = version{info.ModTime(), info.Size()}
		}
	}
	return found, nil
}

// version is that of a file, zero if there is none.
func (s *storage) version(kind, name string) version {
	info, err := os.Stat(s.path(kind, name))
	if err != nil {
		return version{}
	}
	return version{info.ModTime(), info.Size()}
}

// remove deletes a file. It is no error if there is none.
func (s *storage) remove(kind, name string) error {
	if err := os.Remove(s.path(kind, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// setAside renames a file that makes no sense, so that nothing is lost, and returns its new
// name.
func (s *storage) setAside(kind, name string) (string, error) {
	bad := filepath.Join(s.dir, kind, name+".bad")
	return bad, os.Rename(s.path(kind, name), bad)
}

// sweep removes what somebody who was killed has left: half-written files, and answers to
// authorities.
func (s *storage) sweep(before time.Time) {
	for _, kind := range []string{accountFiles, certificateFiles, challengeFiles} {
		files, _ := os.ReadDir(filepath.Join(s.dir, kind))
		for _, file := range files {
			info, err := file.Info()
			if err != nil || !info.Mode().IsRegular() || !info.ModTime().Before(before) {
				continue
			}
			if kind == challengeFiles || strings.HasPrefix(file.Name(), ".new-") {
				_ = os.Remove(filepath.Join(s.dir, kind, file.Name()))
			}
		}
	}
}

// lock takes the lock of a name, unless somebody else has it. A file system without locks
// is as good as one that nobody shares.
func (s *storage) lock(name string) (unlock func(), ok bool, err error) {
	dir := filepath.Join(s.dir, "locks")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, false, err
	}
	file, err := os.OpenFile(filepath.Join(dir, name+".lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, false, err
	}
	if !tryLock(file) {
		_ = file.Close()
		return nil, false, nil
	}
	return func() { _ = file.Close() }, true, nil // closing lets go
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, errors.ErrUnsupported) && !errors.Is(err, fs.ErrInvalid) {
		return err
	}
	return nil
}
