package http1

import (
	"io"
	"net"
	"net/http"
)

// Tunnel carries bytes both ways between a client and the upstream that has
// changed the protocol (RFC 9110, section 7.8), until both are done or one of them
// breaks. early are bytes that the client has sent already. It closes both
// connections and ends the exchange. It returns the bytes from the client and to it.
func (x *Exchange) Tunnel(client net.Conn, early io.Reader) (received, sent int64) {
	c := x.conn
	_ = c.end() // from here on, silence is no reason to look whether anybody is there
	defer c.close()
	defer client.Close()
	x.stopSending()
	setUserTimeout(c.conn, untaken)
	ahead := append([]byte(nil), c.in.buffered()...)
	c.in.consume(len(ahead))
	c.in.release()
	done := make(chan struct{})
	go func() {
		defer close(done)
		received = pipe(c.conn, client, early)
	}()
	if len(ahead) > 0 {
		n, err := client.Write(ahead)
		if err != nil {
			_ = c.conn.Close()
		}
		sent = int64(n)
	}
	sent += pipe(client, c.conn, nil)
	<-done
	return received, sent
}

// pipe copies from src to dst, first what is in early, and passes the end on. A
// broken copy breaks both connections.
func pipe(dst, src net.Conn, early io.Reader) (n int64) {
	var err error
	if early != nil {
		n, err = io.Copy(dst, early)
	}
	if err == nil {
		var more int64
		more, err = io.Copy(dst, src)
		n += more
	}
	half, ok := dst.(interface{ CloseWrite() error })
	if err != nil || !ok || half.CloseWrite() != nil {
		_ = dst.Close()
		_ = src.Close()
	}
	return n
}

// AppendSwitch appends the head of a 101 response as it is passed on: the
// upstream's fields and those of more.
func (x *Exchange) AppendSwitch(dst []byte, more http.Header) []byte {
	res := x.Response
	dst = append(dst, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"...)
	dst = appendField(dst, nameUpgrade, res.upgrade)
	for i := range res.fields {
		if f := &res.fields[i]; !f.hop {
			dst = appendField(dst, f.name, f.value)
		}
	}
	for name, values := range more {
		if endsHere(name) {
			continue
		}
		for _, value := range values {
			dst = appendField(dst, name, value)
		}
	}
	return append(dst, "\r\n"...)
}
