package buffering

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
)

// errTooLong is returned for a body that is longer than it may be.
var errTooLong = errors.New("the body is too long")

// diskError is trouble with a temporary file.
type diskError struct{ error }

func (e diskError) Unwrap() error { return e.error }

// spool keeps a body: the beginning of it in memory, the rest in a temporary file.
type spool struct {
	limits
	begin []byte
	file  *os.File // nil: there is no rest
	named bool     // the file has still to be removed
	size  int64
}

func (s *spool) Write(p []byte) (int, error) {
	if s.exceeds(s.size + int64(len(p))) {
		return 0, errTooLong
	}
	n := int(min(s.memory-int64(len(s.begin)), int64(len(p))))
	s.begin = append(s.begin, p[:n]...)
	if n < len(p) {
		if err := s.toDisk(p[n:]); err != nil {
			return 0, err
		}
	}
	s.size += int64(len(p))
	return len(p), nil
}

func (s *spool) toDisk(p []byte) error {
	if s.file == nil {
		if err := s.open(); err != nil {
			return diskError{err}
		}
	}
	if _, err := s.file.Write(p); err != nil {
		return diskError{fmt.Errorf("write a temporary file: %w", err)}
	}
	return nil
}

// open makes a temporary file that has no name any more, where that is possible: then
// it goes even if the program is killed.
func (s *spool) open() error {
	file, err := os.CreateTemp("", "fairway-body-*")
	if err != nil {
		return fmt.Errorf("make a temporary file: %w", err)
	}
	s.file, s.named = file, os.Remove(file.Name()) != nil
	return nil
}

// ReadFrom reads a body to its end. An error is the source's, unless it is errTooLong
// or a diskError.
func (s *spool) ReadFrom(src io.Reader) (read int64, err error) {
	const least, most = 512, 32 << 10
	var onWay []byte
	for {
		buf, inMemory := onWay, int64(len(s.begin)) < s.memory
		switch {
		case inMemory: // without a detour
			s.begin = slices.Grow(s.begin, least)
			buf = s.begin[len(s.begin):min(int64(cap(s.begin)), s.memory)]
		case onWay == nil:
			onWay = make([]byte, most)
			buf = onWay
		}
		n, err := src.Read(buf)
		read += int64(n)
		if werr := s.took(buf[:n], inMemory); werr != nil {
			return read, werr
		}
		switch {
		case errors.Is(err, io.EOF):
			return read, nil
		case err != nil:
			return read, err
		}
	}
}

// took keeps what has been read, maybe to its place in memory.
func (s *spool) took(p []byte, inPlace bool) error {
	if !inPlace {
		_, err := s.Write(p)
		return err
	}
	if s.exceeds(s.size + int64(len(p))) {
		return errTooLong
	}
	s.begin = s.begin[:len(s.begin)+len(p)]
	s.size += int64(len(p))
	return nil
}

// reader reads the body from its beginning. There may be several at a time.
func (s *spool) reader() io.Reader {
	if s.file == nil {
		return bytes.NewReader(s.begin)
	}
	return io.MultiReader(bytes.NewReader(s.begin), io.NewSectionReader(s.file, 0, s.size-int64(len(s.begin))))
}

// send writes the body to w, which may take the file as it is.
func (s *spool) send(w io.Writer) error {
	if _, err := w.Write(s.begin); err != nil || s.file == nil {
		return err
	}
	if _, err := s.file.Seek(0, io.SeekStart); err != nil {
		return diskError{fmt.Errorf("read a temporary file: %w", err)}
	}
	_, err := io.Copy(w, s.file)
	return err
}

func (s *spool) close() {
	if s.file == nil {
		return
	}
	_ = s.file.Close()
	if s.named {
		_ = os.Remove(s.file.Name())
	}
}
