package server

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Two attempts of one request are served at the same time, to its end by whoever is first, and what
// requests are made of is used again. So every client has to get what it asked for, with informational
// responses and middlewares behind that edit headers.
func TestServer_HedgedRequestsGetTheirOwnAnswers(t *testing.T) {
	var asked, slow atomic.Int64
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		w.Header().Set("Link", "</style.css>")
		w.WriteHeader(http.StatusEarlyHints)
		if slow.Add(1)%3 == 0 {
			select {
			case <-r.Context().Done(): // it is given up
				return
			case <-time.After(50 * time.Millisecond): // there was no budget for another
			}
		}
		w.Header().Set("X-Asked", r.Header.Get("X-Ask"))
		_, _ = io.WriteString(w, r.URL.RawQuery+r.Header.Get("X-Added"))
	}))
	t.Cleanup(backend.Close)
	routes := strings.Replace(routeTo(backend.URL), "service: all}", "service: all, middlewares: [twice, mark]}", 1) + `  middlewares:
    twice: {hedge: {delay: 2ms, attempts: 5, budget: 100}}
    mark: {headers: {customRequestHeaders: {X-Added: "-added", X-Drop: ""}, customResponseHeaders: {X-Out: "1"}}}
`
	ways(t, routes, nil, func(t *testing.T, _ *running, client *http.Client) {
		var all sync.WaitGroup
		for c := range 4 {
			all.Go(func() {
				for i := range 25 {
					n := strconv.Itoa(100*c + i)
					r := ask(t, "GET", "/?"+n, nil)
					r.Header.Set("X-Ask", n)
					r.Header.Set("X-Drop", n)
					res, err := client.Do(r)
					if err != nil {
						t.Error(err)
						return
					}
					text, err := io.ReadAll(res.Body)
					_ = res.Body.Close()
					if err != nil || res.StatusCode != http.StatusOK || string(text) != n+"-added" || res.Header.Get("X-Asked") != n || res.Header.Get("X-Out") != "1" {
						t.Errorf("%s: got %d, %q, %v, %v", n, res.StatusCode, text, res.Header, err)
					}
				}
			})
		}
		all.Wait()
	})
	if asked.Load() <= 400 {
		t.Errorf("nothing was asked twice: %d", asked.Load())
	}
}
