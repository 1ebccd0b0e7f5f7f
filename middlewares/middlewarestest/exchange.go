package middlewarestest

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"fairway/internal/consumers"
	"fairway/internal/plans"
	"fairway/middlewares"
)

// Env is the gateway as a middleware under test sees it.
func Env(name string) middlewares.Env {
	log := logrus.New()
	log.SetOutput(io.Discard)
	return middlewares.Env{
		Name: name + "@docker",
		Log:  log,
		Service: func(name string) (http.Handler, error) {
			return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, name) }), nil
		},
		Keep:      func(first func() any) any { return first() },
		Consumers: &consumers.Live{}, Plans: &plans.Live{},
		Start: func(func(context.Context)) {},
		Chain: func(names []string, next http.Handler) (http.Handler, error) {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				r = r.Clone(r.Context())
				for _, name := range names {
					r.Header.Add("X-Passed", name)
				}
				next.ServeHTTP(w, r)
			}), nil
		},
	}
}

// exchange sends a raw request to handler over a real connection and returns the
// raw response, without its Date.
func exchange(t testing.TB, handler http.Handler, request string) string {
	t.Helper()
	raw, r := parseRequest(t, request)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Date"] = nil // by net/http's convention: none is sent
		handler.ServeHTTP(w, r)
	}))
	defer server.Close()
	conn := dial(t, server)
	defer func() { _ = conn.Close() }()
	if _, err := conn.Write(raw); err != nil {
		t.Fatal(err)
	}
	var seen bytes.Buffer
	if _, err := readFinal(bufio.NewReader(io.TeeReader(conn, &seen)), r); err != nil {
		t.Fatalf("read the response: %v; got:\n%s", err, seen.String())
	}
	return asLines(seen.String())
}

// readFinal reads up to the end of the final response and returns its body.
func readFinal(from *bufio.Reader, r *http.Request) (string, error) {
	for {
		response, err := http.ReadResponse(from, r)
		if err != nil {
			return "", err
		}
		body, err := io.ReadAll(response.Body)
		if err != nil || response.StatusCode >= 200 || response.StatusCode == http.StatusSwitchingProtocols {
			return string(body), err
		}
	}
}

func dial(t testing.TB, server *httptest.Server) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return conn
}

// parseRequest turns the text of an example into bytes for the wire. A body needs a
// Content-Length.
func parseRequest(t testing.TB, text string) ([]byte, *http.Request) {
	t.Helper()
	head, body, _ := strings.Cut(text, "\n\n")
	raw := strings.ReplaceAll(strings.TrimRight(head, "\n"), "\n", "\r\n") + "\r\n\r\n" + strings.TrimSuffix(body, "\n")
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(raw)))
	if err != nil {
		t.Fatalf("the request of the example: %v", err)
	}
	return []byte(raw), r
}

// service is the far end of an example: it notes the request and gives an answer.
type service struct {
	answer string
	mu     sync.Mutex
	text   string
}

func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.note(r)
	answer, err := http.ReadResponse(bufio.NewReader(strings.NewReader(s.answer)), r)
	if err != nil {
		http.Error(w, "the example's service: "+err.Error(), http.StatusBadGateway)
		return
	}
	body, _ := io.ReadAll(answer.Body)
	maps.Copy(w.Header(), answer.Header)
	w.WriteHeader(answer.StatusCode)
	_, _ = w.Write(bytes.TrimSuffix(body, []byte("\n")))
}

func (s *service) note(r *http.Request) {
	var text bytes.Buffer
	fmt.Fprintf(&text, "%s %s HTTP/1.1\nHost: %s\n", r.Method, r.RequestURI, r.Host)
	if uri := r.URL.RequestURI(); uri != r.RequestURI {
		fmt.Fprintf(&text, "(URL and RequestURI differ: %s)\n", uri)
	}
	header := r.Header.Clone()
	for name, values := range header {
		if values == nil {
			delete(header, name)
		}
	}
	_ = header.Write(&text)
	if body, _ := io.ReadAll(r.Body); len(body) > 0 {
		fmt.Fprintf(&text, "\n%s", body)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text += asLines(text.String())
}

func (s *service) seen() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.text == "" {
		return "none\n"
	}
	return s.text
}

// asLines is wire text as it stands in a file.
func asLines(s string) string {
	return strings.TrimRight(strings.ReplaceAll(s, "\r\n", "\n"), "\n") + "\n"
}
