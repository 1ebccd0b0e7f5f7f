package server

import (
	"bytes"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// slowWriter is a connection whose writes wait until they are let through.
type slowWriter struct {
	net.Conn
	let    chan struct{}
	closed chan struct{}
	once   sync.Once
	err    error

	mu     sync.Mutex
	writes [][]byte
}

func newSlowWriter() *slowWriter {
	return &slowWriter{let: make(chan struct{}, 100), closed: make(chan struct{})}
}

func (w *slowWriter) Write(p []byte) (int, error) {
	select {
	case <-w.let:
	case <-w.closed:
		return 0, net.ErrClosed
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return 0, w.err
	}
	w.writes = append(w.writes, bytes.Clone(p))
	return len(p), nil
}

func (w *slowWriter) SetWriteDeadline(t time.Time) error {
	if !t.IsZero() && len(w.let) == 0 {
		w.once.Do(func() { close(w.closed) }) // as if that time had passed
	}
	return nil
}

func (w *slowWriter) Close() error { return nil }

func (w *slowWriter) got() [][]byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.writes
}

func TestCorked_SendsTogetherWhatIsWrittenMeanwhile(t *testing.T) {
	w := newSlowWriter()
	c := newCorked(w, new(atomic.Bool))
	c.cork()
	const writes = 50
	for i := range writes {
		if n, err := c.Write([]byte{byte(i)}); n != 1 || err != nil {
			t.Fatal(n, err)
		}
	}
	for range writes {
		w.let <- struct{}{}
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	var want []byte
	for i := range writes {
		want = append(want, byte(i))
	}
	if got := bytes.Join(w.got(), nil); !bytes.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if n := len(w.got()); n > 2 { // what the sender had begun with, and the rest
		t.Errorf("got %d writes, want at most 2", n)
	}
}

func TestCorked_BeforeCorkItIsThePlainConnection(t *testing.T) {
	w := newSlowWriter()
	c := newCorked(w, new(atomic.Bool))
	w.let <- struct{}{}
	if _, err := c.Write([]byte("hello")); err != nil || len(w.got()) != 1 {
		t.Errorf("got %q, %v", w.got(), err)
	}
}

func TestCorked_AWriterThatIsTooFastWaits(t *testing.T) {
	w := newSlowWriter()
	c := newCorked(w, new(atomic.Bool))
	c.cork()
	part := make([]byte, 16<<10)
	var accepted sync.Mutex
	total, done := 0, make(chan struct{})
	go func() {
		defer close(done)
		for range 100 {
			if _, err := c.Write(part); err != nil {
				return
			}
			accepted.Lock()
			total += len(part)
			accepted.Unlock()
		}
	}()
	await(t, "a full connection", func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return len(c.pending) >= corkLimit-len(part) && c.sending
	})
	accepted.Lock()
	if total > 3*corkLimit {
		t.Errorf("%d bytes were accepted, and none was sent", total)
	}
	accepted.Unlock()
	for range 100 {
		w.let <- struct{}{}
	}
	<-done
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if got := len(bytes.Join(w.got(), nil)); got != 100*len(part) {
		t.Errorf("got %d bytes, want %d", got, 100*len(part))
	}
}

// crypto/tls sets a deadline that has passed before it closes.
func TestCorked_ADeadlineThatHasPassedRefusesOnlyWhatComesAfter(t *testing.T) {
	w := newSlowWriter()
	c := newCorked(w, new(atomic.Bool))
	c.cork()
	if _, err := c.Write([]byte("bye")); err != nil {
		t.Fatal(err)
	}
	w.let <- struct{}{}
	if err := c.SetWriteDeadline(time.Now()); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write([]byte("more")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("got error %v", err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if got := bytes.Join(w.got(), nil); string(got) != "bye" {
		t.Errorf("got %q", got)
	}
}

func TestCorked_AnErrorOfSendingEndsAllWriters(t *testing.T) {
	w := newSlowWriter()
	w.err = io.ErrClosedPipe
	c := newCorked(w, new(atomic.Bool))
	c.cork()
	w.let <- struct{}{}
	await(t, "an error", func() bool { _, err := c.Write(make([]byte, 1)); return errors.Is(err, io.ErrClosedPipe) })
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
}

// A client that does not read cannot hold Close for ever.
func TestCorked_CloseGivesUpOnAClientThatDoesNotRead(t *testing.T) {
	w := newSlowWriter()
	c := newCorked(w, new(atomic.Bool))
	c.cork()
	if _, err := c.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
}

// stuck is a connection to a client that reads nothing, with all the time in the world.
type stuck struct {
	net.Conn
	closed chan struct{}
}

func (s *stuck) Write([]byte) (int, error) {
	<-s.closed
	return 0, net.ErrClosed
}

func (s *stuck) SetWriteDeadline(t time.Time) error {
	if !t.IsZero() && !t.After(time.Now()) {
		close(s.closed)
	}
	return nil
}

func (s *stuck) Close() error { return nil }

// When the time to let requests end is over, nobody waits for a client: there may be
// hundreds, and they are closed one after the other.
func TestCorked_CutOff(t *testing.T) {
	cutOff := new(atomic.Bool)
	c := newCorked(&stuck{closed: make(chan struct{})}, cutOff)
	c.cork()
	if _, err := c.Write(make([]byte, corkLimit)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write(make([]byte, corkLimit)); err != nil {
		t.Fatal(err)
	}
	cutOff.Store(true)
	if _, err := c.Write([]byte("an alert")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("got error %v", err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
}
