package http1

import (
	"io"
	"net"
	"net/http"
	"testing"
)

// A connection with other addresses is as fast as the socket below, and requests
// are from where the address says.
func TestServer_AddressedConn(t *testing.T) {
	remote := &net.TCPAddr{IP: net.IPv4(203, 0, 113, 7), Port: 1234}
	s := &Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.RemoteAddr)
	})}
	l := listen(t)
	t.Cleanup(func() { _ = l.Close(); _ = s.Close() })
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		addressed := &AddressedConn{TCPConn: c.(*net.TCPConn), Local: c.LocalAddr(), Remote: remote}
		if newConn(s, addressed).raw == nil {
			t.Error("the socket is not recognised")
		}
		s.ServeConn(addressed)
	}()
	got := dial(t, l.Addr().String()).send(plainGet("/")).mustReceive("GET")
	mustEqual(t, "body", got.body, "203.0.113.7:1234")
}
