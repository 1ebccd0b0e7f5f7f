package faultinjection

import (
	"context"
	"math"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/traefik/paerser/types"

	"fairway/internal/answer"
	"fairway/middlewares"
	"fairway/middlewares/middlewarestest"
)

func TestExamples(t *testing.T) {
	middlewarestest.Golden(t, func() middlewares.Config { return &Config{} })
}

func built(t *testing.T, c *Config) http.Handler {
	t.Helper()
	h, err := c.New(t.Context(), middlewarestest.Env("trouble"), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestDelay_HoldsUpForAsLongAsItSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := built(t, &Config{Delay: &Delay{Duration: types.Duration(time.Minute), Percent: 100}})
		began, w := time.Now(), httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
		if took := time.Since(began); took != time.Minute || w.Code != http.StatusNoContent {
			t.Errorf("got %d after %v", w.Code, took)
		}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		began, w = time.Now(), httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil).WithContext(ctx))
		if took := time.Since(began); took != time.Second || w.Code != answer.StatusClientClosedRequest {
			t.Errorf("the client went away: got %d after %v", w.Code, took)
		}
	})
}

func TestAbort_FailsAsManyAsItSays(t *testing.T) {
	const requests, percent = 20000, 30
	h := built(t, &Config{Abort: &Abort{Status: 500, Percent: percent}})
	failed := 0.0
	for range requests {
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil)); w.Code == 500 {
			failed++
		}
	}
	if got := failed * 100 / requests; math.Abs(got-percent) > 3 {
		t.Errorf("%v percent have failed", got)
	}
}

func TestAbort_WithoutAStatusEndsTheConnection(t *testing.T) {
	h := built(t, &Config{Abort: &Abort{Percent: 100}})
	defer func() {
		if reason := recover(); reason != http.ErrAbortHandler { //nolint:errorlint // a panic value
			t.Errorf("got %v", reason)
		}
	}()
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
	t.Error("it was answered")
}

func TestHeader_OnlyThoseWhoAskForIt(t *testing.T) {
	h := built(t, &Config{Header: "x-trouble", Value: "yes", Abort: &Abort{Status: 418, Percent: 100}})
	for value, want := range map[string]int{"": 204, "no": 204, "yes": 418} {
		w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil)
		if value != "" {
			r.Header.Set("X-Trouble", value)
		}
		if h.ServeHTTP(w, r); w.Code != want {
			t.Errorf("%q: got %d, want %d", value, w.Code, want)
		}
	}
}
