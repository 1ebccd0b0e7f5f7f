package server

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"
)

// paced serves a handler behind an outer that judges uploads soon, by HTTP/1.1 and
// HTTP/2 of the standard library.
func paced(t *testing.T, h http.HandlerFunc, test func(t *testing.T, url string, client *http.Client)) {
	for _, protocol := range []string{"HTTP/1.1", "HTTP/2.0"} {
		t.Run(protocol, func(t *testing.T) {
			o := outerOf(t, h)
			o.pace = newPace(1000, 200*time.Millisecond)
			ended := make(chan struct{})
			stopped := make(chan struct{})
			go func() { defer close(stopped); o.pace.run(20*time.Millisecond, ended) }()
			t.Cleanup(func() { close(ended); <-stopped })
			s := httptest.NewUnstartedServer(o)
			s.EnableHTTP2 = protocol == "HTTP/2.0"
			s.StartTLS()
			t.Cleanup(s.Close)
			client := s.Client()
			client.Timeout = longest
			test(t, s.URL, client)
			o.pace.mu.Lock()
			defer o.pace.mu.Unlock()
			if len(o.pace.bodies) != 0 {
				t.Errorf("%d bodies are still watched", len(o.pace.bodies))
			}
		})
	}
}

// stalling is a body of which only the beginning comes until it is closed.
func stalling(t *testing.T, beginning string) *io.PipeReader {
	r, w := io.Pipe()
	t.Cleanup(func() { _ = w.Close() })
	go func() { _, _ = io.WriteString(w, beginning) }()
	return r
}

func isTimeout(err error) bool {
	netErr, ok := errors.AsType[net.Error](err)
	return errors.Is(err, os.ErrDeadlineExceeded) || ok && netErr.Timeout()
}

func TestPace_EndsStalledUploads(t *testing.T) {
	failed := make(chan error, 1)
	paced(t, func(_ http.ResponseWriter, r *http.Request) {
		_, err := io.Copy(io.Discard, r.Body)
		failed <- err
	}, func(t *testing.T, url string, client *http.Client) {
		req, err := http.NewRequest(http.MethodPost, url, stalling(t, "some bytes"))
		if err != nil {
			t.Fatal(err)
		}
		if res, err := client.Do(req); err == nil {
			_ = res.Body.Close()
		}
		if err := <-failed; !isTimeout(err) {
			t.Errorf("the handler got %v, want a timeout", err)
		}
	})
}

// What the handler takes its time for is not the client's fault, and an honest pace
// is enough.
func TestPace_LeavesHonestUploads(t *testing.T) {
	paced(t, func(w http.ResponseWriter, r *http.Request) {
		first := make([]byte, 1)
		_, _ = io.ReadFull(r.Body, first)
		time.Sleep(400 * time.Millisecond) // the pace is what is tested
		n, err := io.Copy(io.Discard, r.Body)
		if n != 3999 || err != nil {
			t.Errorf("got %d bytes, %v", n, err)
		}
		_, _ = io.WriteString(w, "done")
	}, func(t *testing.T, url string, client *http.Client) {
		r, w := io.Pipe()
		go func() {
			for range 10 {
				_, _ = io.WriteString(w, strings.Repeat("x", 400))
				time.Sleep(50 * time.Millisecond)
			}
			_ = w.Close()
		}()
		res, err := client.Post(url, "a/b", r)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
	})
}

// A client that has its answer, or speaks gRPC, may be silent.
func TestPace_LeavesConversations(t *testing.T) {
	paced(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/answered" {
			_ = http.NewResponseController(w).EnableFullDuplex()
			w.WriteHeader(http.StatusOK)
			_ = http.NewResponseController(w).Flush()
		}
		if body, err := io.ReadAll(r.Body); string(body) != "ab" || err != nil {
			t.Errorf("%s: got %q, %v", r.URL.Path, body, err)
		}
	}, func(t *testing.T, url string, client *http.Client) {
		for path, kind := range map[string]string{"/answered": "a/b", "/grpc": "application/grpc+proto"} {
			r, w := io.Pipe()
			go func() {
				_, _ = io.WriteString(w, "a")
				time.Sleep(400 * time.Millisecond)
				_, _ = io.WriteString(w, "b")
				_ = w.Close()
			}()
			res, err := client.Post(url+path, kind, r)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, res.Body)
			_ = res.Body.Close()
		}
	})
}
