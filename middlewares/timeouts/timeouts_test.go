package timeouts

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/traefik/paerser/types"

	"fairway/internal/answer"
	"fairway/internal/giveup"
	"fairway/internal/record"
	"fairway/middlewares"
	"fairway/middlewares/middlewarestest"
)

func TestExamples(t *testing.T) {
	middlewarestest.Golden(t, func() middlewares.Config { return &Config{} })
}

// serve has a service answer in steps, within a bubble of time, and tells what the client got
// and when. A service ends when its context does, as forwarders do.
func serve(t *testing.T, c *Config, service func(ctx context.Context, w http.ResponseWriter)) (w *httptest.ResponseRecorder, rec *record.Record, took time.Duration, broken bool) {
	t.Helper()
	h, err := c.New(t.Context(), middlewarestest.Env("hurry"), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { service(r.Context(), w) }))
	if err != nil {
		t.Fatal(err)
	}
	rec, w = &record.Record{}, httptest.NewRecorder()
	began := time.Now()
	defer func() { took = time.Since(began) }()
	defer func() { broken = recover() == http.ErrAbortHandler }() //nolint:errorlint // a panic value
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil).WithContext(record.With(t.Context(), rec)))
	return w, rec, 0, false
}

// after waits, unless the request is given up: then it does what forwarders do.
func wait(ctx context.Context, w http.ResponseWriter, d time.Duration, begun bool) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
	}
	if begun {
		panic(http.ErrAbortHandler)
	}
	answer.Refuse(w, httptest.NewRequest(http.MethodGet, "/", nil).WithContext(ctx), http.StatusGatewayTimeout, giveup.Reason(ctx).Error())
	return false
}

func TestFirstByte_EndsTheWaitForTheHead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &Config{FirstByte: types.Duration(2 * time.Second)}
		w, rec, took, _ := serve(t, c, func(ctx context.Context, w http.ResponseWriter) {
			if wait(ctx, w, time.Minute, false) {
				t.Error("it went on waiting")
			}
		})
		if w.Code != http.StatusGatewayTimeout || took != 2*time.Second || !strings.Contains(rec.Cause, "firstByte") {
			t.Errorf("got %d after %v, %q", w.Code, took, rec.Cause)
		}
		w, _, took, broken := serve(t, c, func(ctx context.Context, w http.ResponseWriter) {
			w.WriteHeader(http.StatusOK)
			wait(ctx, w, time.Minute, true)
		})
		if w.Code != http.StatusOK || took != time.Minute || broken {
			t.Errorf("once it has begun: got %d after %v, broken %v", w.Code, took, broken)
		}
	})
}

func TestTotal_BreaksOffWhatHasBegun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, _, took, broken := serve(t, &Config{Total: types.Duration(5 * time.Second)}, func(ctx context.Context, w http.ResponseWriter) {
			for range 100 {
				_, _ = io.WriteString(w, "part")
				wait(ctx, w, time.Second, true)
			}
		})
		if took != 5*time.Second || !broken {
			t.Errorf("got broken %v after %v", broken, took)
		}
	})
}

func TestIdle_IsBetweenTwoPieces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, _, took, broken := serve(t, &Config{Idle: types.Duration(3 * time.Second)}, func(ctx context.Context, w http.ResponseWriter) {
			wait(ctx, w, 10*time.Second, false) // it does not matter before the head
			for range 5 {
				_, _ = w.(io.ReaderFrom).ReadFrom(strings.NewReader("part"))
				wait(ctx, w, 2*time.Second, true)
			}
			wait(ctx, w, time.Minute, true)
		})
		if took != 21*time.Second || !broken || w.Body.Len() != 20 { // 10, 5 pieces, 3 after the last one
			t.Errorf("got %d bytes, broken %v after %v", w.Body.Len(), broken, took)
		}
	})
}

// slow is a client that takes a while for each piece, and each flush.
type slow struct{ *httptest.ResponseRecorder }

func (s slow) Write(p []byte) (int, error) {
	time.Sleep(time.Minute) // on the clock of the bubble
	return s.ResponseRecorder.Write(p)
}

func (slow) Flush() { time.Sleep(time.Minute) }

func TestIdle_IsNotAboutSlowClients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, err := (&Config{Idle: types.Duration(3 * time.Second)}).New(t.Context(), middlewarestest.Env("hurry"), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusOK)
			for range 3 {
				_, _ = io.WriteString(w, "part")
				_ = http.NewResponseController(w).Flush()
				if !wait(r.Context(), w, 2*time.Second, true) {
					t.Error("it was ended")
				}
			}
		}))
		if err != nil {
			t.Fatal(err)
		}
		w := slow{httptest.NewRecorder()}
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
		if w.Body.Len() != 12 {
			t.Errorf("got %q", w.Body)
		}
	})
}

// Who does not look at the context has its request answered in its place.
func TestTotal_AnswersForWhoSaysNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, rec, _, _ := serve(t, &Config{Total: types.Duration(time.Second)}, func(ctx context.Context, _ http.ResponseWriter) { <-ctx.Done() })
		if w.Code != http.StatusGatewayTimeout || rec.Cause == "" {
			t.Errorf("got %d, %q", w.Code, rec.Cause)
		}
	})
}

func TestConnect_IsForThisRequestOnly(t *testing.T) {
	var within time.Duration
	h, err := (&Config{Connect: types.Duration(time.Second)}).New(t.Context(), middlewarestest.Env("hurry"), http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		within = record.From(r.Context()).Connect
	}))
	if err != nil {
		t.Fatal(err)
	}
	rec := &record.Record{}
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil).WithContext(record.With(t.Context(), rec)))
	if within != time.Second || rec.Connect != 0 {
		t.Errorf("got %v, and %v behind it", within, rec.Connect)
	}
}

// hijackable hands its connection over.
type hijackable struct{ *httptest.ResponseRecorder }

func (hijackable) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	a, b := net.Pipe()
	_ = b.Close()
	return a, nil, nil
}

func TestHijack_EndsAllTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		second := types.Duration(time.Second)
		h, err := (&Config{FirstByte: second, Total: second, Idle: second}).New(t.Context(), middlewarestest.Env("hurry"), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Fatal(err)
			}
			_ = conn.Close()
			if !wait(r.Context(), w, time.Hour, true) {
				t.Error("it was ended")
			}
		}))
		if err != nil {
			t.Fatal(err)
		}
		h.ServeHTTP(hijackable{httptest.NewRecorder()}, httptest.NewRequest(http.MethodGet, "/", nil))
	})
}
