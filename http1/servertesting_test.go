package http1

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// serve runs a server on the loopback until the test ends.
func serve(tb testing.TB, s *Server) string {
	tb.Helper()
	l := listen(tb)
	if s.ErrorLog == nil {
		s.ErrorLog = log.New(io.Discard, "", 0)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	tb.Cleanup(func() {
		_ = s.Close()
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			tb.Errorf("Serve returned %v", err)
		}
	})
	return l.Addr().String()
}

func serveFunc(tb testing.TB, h http.HandlerFunc) string { return serve(tb, &Server{Handler: h}) }

// serveStandard is serve with net/http.
func serveStandard(tb testing.TB, h http.Handler) string {
	tb.Helper()
	l := listen(tb)
	s := &http.Server{Handler: h, ErrorLog: log.New(io.Discard, "", 0)}
	go func() { _ = s.Serve(l) }()
	tb.Cleanup(func() { _ = s.Close() })
	return l.Addr().String()
}

func listen(tb testing.TB) net.Listener {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	return l
}

// peer is a client that writes bytes as they are.
type peer struct {
	tb testing.TB
	*net.TCPConn
	br *bufio.Reader
}

func dial(tb testing.TB, address string) *peer {
	tb.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	return &peer{tb, c.(*net.TCPConn), bufio.NewReader(c)}
}

func (p *peer) send(text string) *peer {
	p.tb.Helper()
	if _, err := io.WriteString(p, text); err != nil {
		p.tb.Logf("send: %v", err) // the server may have closed
	}
	return p
}

// answer is one response as a client sees it.
type answer struct {
	status  int
	proto   string
	header  http.Header
	length  int64
	coding  []string
	body    string
	trailer http.Header
	closes  bool // the response says that the connection ends
	err     string
}

// receive reads one response to a request with method.
func (p *peer) receive(method string) (answer, error) {
	res, err := http.ReadResponse(p.br, &http.Request{Method: method})
	if err != nil {
		return answer{}, err
	}
	a := answer{status: res.StatusCode, proto: res.Proto, header: res.Header, length: res.ContentLength, coding: res.TransferEncoding, closes: res.Close}
	if res.StatusCode < 200 {
		return a, nil
	}
	body, err := io.ReadAll(res.Body)
	if a.body, a.trailer = string(body), res.Trailer; err != nil {
		a.err = err.Error()
	}
	return a, nil
}

func (p *peer) mustReceive(method string) answer {
	p.tb.Helper()
	a, err := p.receive(method)
	if err != nil {
		p.tb.Fatalf("receive: %v", err)
	}
	return a
}

// mustEnd checks that the server has closed the connection, after nothing else.
func (p *peer) mustEnd() {
	p.tb.Helper()
	rest, err := io.ReadAll(p.br)
	if len(rest) > 0 || err != nil && !strings.Contains(err.Error(), "reset") {
		p.tb.Errorf("connection goes on with %q, %v", rest, err)
	}
}

// alive tells whether the connection serves another request.
func (p *peer) alive() bool {
	if _, err := io.WriteString(p, "GET /alive HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
		return false
	}
	a, err := p.receive("GET")
	return err == nil && a.status == http.StatusOK
}

func plainGet(path string) string { return fmt.Sprintf("GET %s HTTP/1.1\r\nHost: a\r\n\r\n", path) }

var background = context.Background()
