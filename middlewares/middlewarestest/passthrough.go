package middlewarestest

import (
	"bufio"
	"io"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"strings"
	"testing"
)

// flush checks that an event reaches the client while the service is still working
// on the next, as Server-Sent Events need it.
func (ex *example) flush(t *testing.T) {
	received := make(chan struct{})
	client := ex.connect(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, "data: 1\n\n")
		if err := http.NewResponseController(w).Flush(); err != nil {
			t.Errorf("flush: %v", err)
		}
		select {
		case <-received:
		case <-r.Context().Done():
		}
		_, _ = io.WriteString(w, "data: 2\n\n")
	})
	response, err := http.ReadResponse(client, nil)
	if err != nil {
		t.Fatalf("no response before the end: %v", err)
	}
	events := bufio.NewReader(response.Body)
	if line, err := events.ReadString('\n'); line != "data: 1\n" {
		t.Fatalf("the first event did not arrive: %q, %v", line, err)
	}
	close(received)
	if rest, err := io.ReadAll(events); string(rest) != "\ndata: 2\n\n" {
		t.Errorf("got %q, %v, want the second event", rest, err)
	}
}

// informational checks that 103 Early Hints arrives before the final response.
func (ex *example) informational(t *testing.T) {
	client := ex.connect(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", "</style.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Del("Link")
		w.WriteHeader(http.StatusAccepted)
	})
	for _, want := range []string{"HTTP/1.1 103 Early Hints", "HTTP/1.1 202 Accepted"} {
		lines := textproto.NewReader(client)
		status, err := lines.ReadLine()
		if err != nil || status != want {
			t.Fatalf("got %q, %v, want %q", status, err, want)
		}
		header, err := lines.ReadMIMEHeader()
		if err != nil {
			t.Fatal(err)
		}
		if hinted := header.Get("Link") != ""; hinted != strings.Contains(want, "103") {
			t.Errorf("%s with %v", want, header)
		}
	}
}

// hijack checks that the service can take the connection over, as WebSocket needs
// it.
func (ex *example) hijack(t *testing.T) {
	client := ex.connect(t, func(w http.ResponseWriter, _ *http.Request) {
		conn, buf, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Errorf("hijack: %v", err)
			return
		}
		defer func() { _ = conn.Close() }()
		_, _ = buf.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: test\r\n\r\nhello\n")
		_ = buf.Flush()
	})
	response, err := http.ReadResponse(client, nil)
	if err != nil || response.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("got %v, %v, want 101", response, err)
	}
	if line, err := client.ReadString('\n'); line != "hello\n" {
		t.Errorf("got %q, %v over the connection taken over", line, err)
	}
}

// connect sends the example's request through the middleware to a service made of
// next, and returns the connection for reading.
func (ex *example) connect(t *testing.T, next http.HandlerFunc) *bufio.Reader {
	t.Helper()
	handler := ex.build(t.Context(), t, next)
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	conn := dial(t, server)
	t.Cleanup(func() { _ = conn.Close() })
	raw, _ := parseRequest(t, signed(t, handler, ex.request))
	if _, err := conn.Write(raw); err != nil {
		t.Fatal(err)
	}
	return bufio.NewReader(conn)
}
