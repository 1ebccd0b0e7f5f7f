package proxyprotocol

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"
)

// pair is a connection with both its ends.
func pair(t *testing.T) (client, server *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	s, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close(); _ = s.Close() })
	_ = s.SetDeadline(time.Now().Add(20 * time.Second))
	return c.(*net.TCPConn), s.(*net.TCPConn)
}

// TestRead_LeavesWhatFollows sends headers in one piece and byte by byte, each with
// something behind it that nobody may lose.
func TestRead_LeavesWhatFollows(t *testing.T) {
	type sent struct {
		name, text string
		want       Header
		present    bool
		fails      string
	}
	all := []sent{
		{"a request", "GET / HTTP/1.1\r\n", Header{}, false, ""},
		{"one that begins like a header", "PROXIMITY / HTTP/1.1\r\n", Header{}, false, ""},
		{"one with two lines in front", "\r\n\r\nGET / HTTP/1.1\r\n", Header{}, false, ""},
		{"HTTP/2", "PRI * HTTP/2.0\r\n", Header{}, false, ""},
		{"TLS", "\x16\x03\x01", Header{}, false, ""},
	}
	for _, tt := range lines {
		all = append(all, sent{"version 1, " + tt.name, tt.line, tt.want, true, tt.fails})
	}
	for _, tt := range binaries {
		all = append(all, sent{"version 2, " + tt.name, string(tt.header), tt.want, true, tt.fails})
	}
	const behind = "\r\nPROXY TCP4 and what follows"
	for _, size := range []int{1, 5, 1 << 16} {
		for _, tt := range all {
			t.Run(tt.name, func(t *testing.T) {
				client, server := pair(t)
				_ = client.SetNoDelay(true)
				go func() {
					for text := tt.text + behind; text != ""; text = text[min(size, len(text)):] {
						_, _ = io.WriteString(client, text[:min(size, len(text))])
					}
					_ = client.CloseWrite()
				}()
				h, present, err := Read(server)
				judge(t, h, err, tt.want, tt.fails)
				if present != tt.present {
					t.Errorf("got present %v, want %v", present, tt.present)
				}
				if err != nil {
					return
				}
				want := behind
				if !present {
					want = tt.text + behind
				}
				if rest, err := io.ReadAll(server); err != nil || string(rest) != want {
					t.Errorf("what follows: got %q, %v, want %q", rest, err, want)
				}
			})
		}
	}
}

func TestRead_AHeaderThatDoesNotEnd(t *testing.T) {
	for name, text := range map[string]string{"nothing": "", "half a signature": "PRO", "a line": "PROXY TCP4 1.", "the fixed part": signature2 + "\x21", "the rest": string(binaryHeader(0x21, 0x11, rest4...)[:20])} {
		client, server := pair(t)
		_, _ = io.WriteString(client, text)
		_ = server.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
		if _, _, err := Read(server); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: got %v, want a timeout", name, err)
		}
		if text == "PRO" {
			continue // as long as nothing is taken, the end cannot be seen
		}
		client, server = pair(t)
		_, _ = io.WriteString(client, text)
		_ = client.Close()
		if _, _, err := Read(server); !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%s, then the end: got %v", name, err)
		}
	}
}
