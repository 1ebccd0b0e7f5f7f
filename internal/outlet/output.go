package outlet

import (
	"io"
	"os"
	"sync/atomic"
)

// Output is where lines are written to. Only the goroutine that writes uses it, but for
// reopen.
type Output struct {
	w    io.Writer
	open func() (*os.File, error)
	next atomic.Pointer[os.File] // the file opened anew, which is used from the next write on
}

// To writes to w, and closes it in the end if that can be done.
func To(w io.Writer) *Output { return &Output{w: w} }

// File writes to a file that can be opened anew. It should be opened for appending, so
// that others may truncate it.
func File(open func() (*os.File, error)) (*Output, error) {
	f, err := open()
	if err != nil {
		return nil, err
	}
	return &Output{w: f, open: open}, nil
}

// Standard writes to the standard output, or to that for errors, by a descriptor of its
// own: a write to descriptor 1 or 2 ends the program when nobody reads there any more.
func Standard(f *os.File) *Output {
	if fd, err := duplicate(f); err == nil {
		return To(os.NewFile(fd, f.Name()))
	}
	return To(stays{f})
}

// stays is a writer that is not closed.
type stays struct{ io.Writer }

// reopen opens the file of that name, which may be another by now. The old one is used as
// long as that fails.
func (o *Output) reopen() error {
	if o.open == nil {
		return nil
	}
	f, err := o.open()
	if err != nil {
		return err
	}
	if unused := o.next.Swap(f); unused != nil {
		_ = unused.Close()
	}
	return nil
}

// turn goes over to a file that was opened anew, and tells whether there was one.
func (o *Output) turn() bool {
	f := o.next.Swap(nil)
	if f == nil {
		return false
	}
	o.close()
	o.w = f
	return true
}

func (o *Output) close() {
	if c, ok := o.w.(io.Closer); ok {
		_ = c.Close()
	}
}
