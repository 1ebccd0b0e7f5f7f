package redistest

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Line is a way to a server that can be slow, or cut.
type Line struct {
	Address string

	to    string
	delay atomic.Int64
	mu    sync.Mutex
	open  map[net.Conn]bool
	cut   bool
}

// NewLine leads to the server at an address.
func NewLine(tb testing.TB, to string) *Line {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	line := &Line{Address: l.Addr().String(), to: to, open: map[net.Conn]bool{}}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { line.carry(c) })
		}
	})
	tb.Cleanup(func() {
		_ = l.Close()
		line.Cut(true)
		all.Wait()
	})
	return line
}

// Delay has every answer come later.
func (l *Line) Delay(d time.Duration) { l.delay.Store(int64(d)) }

// Cut ends all connections, and new ones as long as it is cut.
func (l *Line) Cut(cut bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut = cut
	for c := range l.open {
		_ = c.Close()
	}
}

func (l *Line) keep(c net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cut {
		_ = c.Close()
		return false
	}
	l.open[c] = true
	return true
}

func (l *Line) carry(client net.Conn) {
	defer l.leave(client)
	if !l.keep(client) {
		return
	}
	server, err := net.Dial("tcp", l.to)
	if err != nil {
		return
	}
	defer l.leave(server)
	if !l.keep(server) {
		return
	}
	var all sync.WaitGroup
	all.Go(func() {
		_, _ = io.Copy(server, client)
		_ = server.Close()
	})
	buffer := make([]byte, 32<<10)
	for {
		n, err := server.Read(buffer)
		if n > 0 {
			time.Sleep(time.Duration(l.delay.Load()))
			if _, err := client.Write(buffer[:n]); err != nil {
				break
			}
		}
		if err != nil {
			break
		}
	}
	_ = client.Close()
	all.Wait()
}

func (l *Line) leave(c net.Conn) {
	_ = c.Close()
	l.mu.Lock()
	delete(l.open, c)
	l.mu.Unlock()
}
