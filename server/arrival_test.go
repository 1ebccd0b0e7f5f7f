package server

import (
	"io"
	"net"
	"testing"
	"time"
)

// TCP may bring the beginning of a connection in pieces of any size.
func TestLook_WaitsUntilItIsSure(t *testing.T) {
	for _, tt := range []struct {
		begin, rest string
		want        arrival
	}{
		{"P", "RI * HTTP/2.0\r\n", arrivesHTTP2},
		{"PRI", " * HTTP/2.0\r\n", arrivesHTTP2},
		{"PRI * HTTP/2.", "0", arrivesHTTP2},
		{"P", "OST / HTTP/1.1\r\n", arrivesHTTP},
		{"PRI", "NT / HTTP/1.1\r\n", arrivesHTTP},
		{"PRI * HTTP/", "1.1\r\n", arrivesHTTP},
	} {
		client, conn := connected(t)
		if _, err := io.WriteString(client, tt.begin); err != nil {
			t.Fatal(err)
		}
		if got := look(conn, time.Now().Add(20*time.Millisecond)); got != arrivesNot {
			t.Errorf("%q: got %v before it is sure", tt.begin, got)
		}
		found := make(chan arrival)
		go func() { found <- look(conn, time.Now().Add(longest)) }()
		if _, err := io.WriteString(client, tt.rest); err != nil {
			t.Fatal(err)
		}
		if got := <-found; got != tt.want {
			t.Errorf("%q and %q: got %v, want %v", tt.begin, tt.rest, got, tt.want)
		}
		text := make([]byte, len(tt.begin+tt.rest))
		if _, err := io.ReadFull(conn, text); err != nil || string(text) != tt.begin+tt.rest {
			t.Errorf("%q is left of %q, %v", text, tt.begin+tt.rest, err)
		}
	}
}

// connected returns both ends of a connection.
func connected(t *testing.T) (client net.Conn, server *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if client, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	accepted, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = accepted.Close() })
	return client, accepted.(*net.TCPConn)
}
