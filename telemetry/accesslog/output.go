package accesslog

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"
)

// output is where lines are written to. Only the goroutine that writes uses it, but for
// reopen.
type output struct {
	w    io.Writer
	path string                  // of a file that can be opened anew
	next atomic.Pointer[os.File] // the file opened anew, which is used from the next write on
}

func openFile(path string) (*output, error) {
	f, err := open(path)
	if err != nil {
		return nil, err
	}
	return &output{w: f, path: path}, nil
}

// open appends, so that a file may be truncated by others.
func open(path string) (*os.File, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("make the directory of the access log: %w", err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644) //nolint:gosec // those who collect logs are other users
	if err != nil {
		return nil, fmt.Errorf("open the access log: %w", err)
	}
	return f, nil
}

// reopen opens the file of that name, which may be another by now. The old one is used as
// long as that fails.
func (o *output) reopen() error {
	if o.path == "" {
		return nil
	}
	f, err := open(o.path)
	if err != nil {
		return err
	}
	if unused := o.next.Swap(f); unused != nil {
		_ = unused.Close()
	}
	return nil
}

// turn goes over to a file that was opened anew, and tells whether there was one.
func (o *output) turn() bool {
	f := o.next.Swap(nil)
	if f == nil {
		return false
	}
	o.close()
	o.w = f
	return true
}

func (o *output) close() {
	if c, ok := o.w.(io.Closer); ok && o.w != os.Stdout {
		_ = c.Close()
	}
}
