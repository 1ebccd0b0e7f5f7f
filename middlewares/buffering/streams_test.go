package buffering

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"fairway/middlewares/middlewarestest"
)

// serve starts a server by HTTP/2 in front of a middleware.
func serve(t *testing.T, change func(*Config), next http.HandlerFunc) (*httptest.Server, *http.Client) {
	t.Helper()
	c := &Config{}
	c.SetDefaults()
	change(c)
	h, err := c.New(t.Context(), middlewarestest.Env("test"), next)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(h)
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)
	return s, s.Client()
}

func TestBuffering_LetsCallsByGRPCPass(t *testing.T) {
	s, client := serve(t, func(c *Config) { c.MaxRequestBodyBytes = 100 }, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/grpc")
		w.Header().Set("Trailer", "Grpc-Status")
		_ = http.NewResponseController(w).Flush()
		message := make([]byte, 4)
		for range 2 { // an answer to each message, before the next one comes
			if _, err := io.ReadFull(r.Body, message); err != nil {
				t.Error(err)
			}
			_, _ = w.Write(message)
			_ = http.NewResponseController(w).Flush()
		}
		w.Header().Set("Grpc-Status", "0")
	})
	body, messages := io.Pipe()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL, body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/grpc+proto")
	res, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	answer := make([]byte, 4)
	for _, message := range []string{"one.", "two."} {
		_, _ = io.WriteString(messages, message)
		if _, err := io.ReadFull(res.Body, answer); err != nil || string(answer) != message {
			t.Fatalf("got %q, %v", answer, err)
		}
	}
	_ = messages.Close()
	if _, err := io.ReadAll(res.Body); err != nil || res.Trailer.Get("Grpc-Status") != "0" {
		t.Errorf("the call ends with %v, %v", res.Trailer, err)
	}
}

func TestBuffering_LimitsRequestsByGRPC(t *testing.T) {
	for name, next := range map[string]http.HandlerFunc{
		"that are answered": func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			w.Header().Set("Content-Type", "application/grpc")
			_, _ = io.WriteString(w, "answer")
		},
		"that are not": func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			panic(http.ErrAbortHandler)
		},
	} {
		h := build(t, func(c *Config) { c.MaxRequestBodyBytes, c.RetryExpression = 4, "Attempts() < 5" }, next)
		r := post(unknownLength(strings.NewReader("hello")))
		r.ProtoMajor = 2
		r.Header.Set("Content-Type", "application/grpc")
		w := send(h, r)
		if w.Code != 200 || w.Header().Get("Grpc-Message") != "Request Entity Too Large" || w.Body.Len() != 0 || w.rec.Status != 413 || w.rec.Cause != tooLongRequest {
			t.Errorf("%s: got %d %q %v, %q", name, w.Code, w.Body, w.Header(), w.rec.Cause)
		}
	}
	spared := post(unknownLength(strings.NewReader("hello")))
	spared.Header.Set("Content-Type", "application/grpc") // by HTTP/1.1, which gRPC does not know
	h := build(t, func(c *Config) { c.MaxRequestBodyBytes = 4 }, func(http.ResponseWriter, *http.Request) { t.Error("the service was asked") })
	if w := send(h, spared); w.rec.Status != 413 {
		t.Errorf("by HTTP/1.1: got %d", w.rec.Status)
	}
}

func TestBuffering_BreaksStreamsOffThatGrowTooLong(t *testing.T) {
	for name, write := range map[string]func(w http.ResponseWriter, s string) error{
		"written": func(w http.ResponseWriter, s string) error { _, err := io.WriteString(w, s); return err },
		"copied":  func(w http.ResponseWriter, s string) error { _, err := io.Copy(w, strings.NewReader(s)); return err },
	} {
		h := build(t, func(c *Config) { c.MaxResponseBodyBytes = 10 }, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "Text/Event-Stream; charset=utf-8")
			if err := write(w, "data: 1\n\n"); err != nil {
				t.Error(err)
			}
			if err := write(w, "data: 2\n\n"); err == nil {
				t.Error("the service is not stopped")
			}
		})
		w := send(h, get())
		if !w.aborted || w.Body.String() != "data: 1\n\n" || w.rec.Cause != "buffering: the response is longer than maxResponseBodyBytes" {
			t.Errorf("%s: got %q, broken off: %v, %q", name, w.Body, w.aborted, w.rec.Cause)
		}
	}
}

func TestBuffering_BreaksStreamsOffThatBreakOff(t *testing.T) {
	h := build(t, func(*Config) {}, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, "data: 1\n\n")
		panic(http.ErrAbortHandler)
	})
	if w := send(h, get()); !w.aborted || w.Body.String() != "data: 1\n\n" {
		t.Errorf("got %d %q, broken off: %v", w.Code, w.Body, w.aborted)
	}
}

func TestBuffering_RetriesStreamsByTheirHead(t *testing.T) {
	attempts := 0
	h := build(t, func(c *Config) { c.RetryExpression = "ResponseCode() == 503 && Attempts() < 3" }, func(w http.ResponseWriter, _ *http.Request) {
		attempts++
		w.Header().Set("Content-Type", "text/event-stream")
		if attempts == 1 {
			w.WriteHeader(503)
			if _, err := io.WriteString(w, "data: bad\n\n"); err == nil {
				t.Error("the service is not stopped")
			}
			return
		}
		if attempts == 2 {
			w.WriteHeader(503) // and nothing else
			return
		}
		_, _ = io.WriteString(w, "data: good\n\n")
	})
	if w := send(h, get()); w.Code != 200 || w.Body.String() != "data: good\n\n" || attempts != 3 {
		t.Errorf("got %d %q after %d attempts", w.Code, w.Body, attempts)
	}
}

func TestBuffering_KeepsTrailers(t *testing.T) {
	s, client := serve(t, func(*Config) {}, func(w http.ResponseWriter, r *http.Request) {
		if body, err := io.ReadAll(r.Body); string(body) != "hello" || err != nil || r.Trailer.Get("X-Sum") != "5" {
			t.Errorf("got %q, %v, with %v", body, err, r.Trailer)
		}
		w.Header().Set("Trailer", "X-Announced")
		_, _ = io.WriteString(w, "answer")
		w.Header().Set("X-Announced", "1")
		w.Header().Set(http.TrailerPrefix+"X-Not-Announced", "2")
	})
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL, unknownLength(strings.NewReader("hello")))
	if err != nil {
		t.Fatal(err)
	}
	r.Trailer = http.Header{"X-Sum": {"5"}}
	res, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if string(body) != "answer" || err != nil || res.Trailer.Get("X-Announced") != "1" || res.Trailer.Get("X-Not-Announced") != "2" || res.Header.Get("X-Announced") != "" {
		t.Errorf("got %q, %v, %v behind %v", body, err, res.Trailer, res.Header)
	}
}

// untouchable is a client whose connection must be left alone.
type untouchable struct {
	*httptest.ResponseRecorder
	t *testing.T
}

func (u untouchable) SetReadDeadline(time.Time) error {
	u.t.Error("the connection of the client is not to be read any more")
	return nil
}

func TestBuffering_LeavesTheConnectionForTheNextAttempt(t *testing.T) {
	h := build(t, func(*Config) {}, func(w http.ResponseWriter, _ *http.Request) {
		if err := http.NewResponseController(w).SetReadDeadline(time.Now()); err != nil {
			t.Error(err)
		}
	})
	h.ServeHTTP(untouchable{httptest.NewRecorder(), t}, post(strings.NewReader("hello")))
}
