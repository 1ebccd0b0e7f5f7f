//go:build e2e

package test

import (
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// cachedOrigin is a service whose bodies can be told apart, and told to be whole.
type cachedOrigin struct {
	*httptest.Server
	asked atomic.Int64
	slow  atomic.Int64 // milliseconds that an answer takes
	down  atomic.Bool
}

func newCachedOrigin(t *testing.T) *cachedOrigin {
	o := &cachedOrigin{}
	o.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		o.asked.Add(1)
		time.Sleep(time.Duration(o.slow.Load()) * time.Millisecond)
		if o.down.Load() {
			panic(http.ErrAbortHandler)
		}
		age := "60"
		if r.URL.Query().Has("short") {
			age = "1"
		}
		w.Header().Set("Cache-Control", "max-age="+age)
		w.Header().Set("Content-Type", "text/plain")
		_, _ = io.WriteString(w, cachedBody(r.URL.Path))
	}))
	t.Cleanup(o.Close)
	return o
}

// cachedBody is what belongs to a path: 1 to 64 KiB of it.
func cachedBody(path string) string {
	n, _ := strconv.Atoi(strings.TrimPrefix(path, "/"))
	return strings.Repeat(path+" ", 1000*(n%10+1))
}

func cachedBy(t *testing.T, o *cachedOrigin, middlewares, options string) string {
	return "--providers.file.filename=" + writeFile(t, "cache.yml", fmt.Sprintf(`http:
  routers: {all: {rule: 'PathPrefix("/")', service: all, middlewares: [%s]}}
  services: {all: {loadBalancer: {servers: [{url: '%s'}]}}}
  middlewares: {pages: {cache: {%s}}, small: {compress: {}}}
`, middlewares, o.URL, options))
}

func TestCache_ManyClientsAreOneRequest(t *testing.T) {
	o := newCachedOrigin(t)
	o.slow.Store(500)
	f := startFairway(t, cachedBy(t, o, "pages", "staleIfError: 1m"))
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1000}}
	get := func(path string) (string, string) {
		res, err := client.Get("http://" + f.address("web") + path)
		if err != nil {
			t.Error(err)
			return "", ""
		}
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		if err != nil || res.StatusCode != 200 {
			t.Errorf("%s: %d, %v", path, res.StatusCode, err)
		}
		return string(text), res.Header.Get("Cache-Status")
	}
	var all sync.WaitGroup
	for range 1000 {
		all.Go(func() {
			if text, _ := get("/7"); text != cachedBody("/7") {
				t.Errorf("got %d bytes", len(text))
			}
		})
	}
	all.Wait()
	if n := o.asked.Load(); n != 1 {
		t.Errorf("the service was asked %d times", n)
	}
	o.slow.Store(0)
	get("/3?short")
	o.down.Store(true)
	await(t, "the response to be stale", func() bool {
		text, told := get("/3?short")
		return text == cachedBody("/3") && strings.Contains(told, "stale-if-error")
	})
}

func TestCache_OneResponseForAllEncodings(t *testing.T) {
	o := newCachedOrigin(t)
	f := startFairway(t, cachedBy(t, o, "small, pages", ""))
	client := &http.Client{Transport: &http.Transport{DisableCompression: true}}
	for range 2 {
		for _, encoding := range []string{"", "gzip"} {
			req, _ := http.NewRequest(http.MethodGet, "http://"+f.address("web")+"/5", nil)
			req.Header.Set("Accept-Encoding", encoding)
			res, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			body := io.Reader(res.Body)
			if encoding != res.Header.Get("Content-Encoding") {
				t.Errorf("%q: got %q", encoding, res.Header.Get("Content-Encoding"))
			} else if encoding == "gzip" {
				if body, err = gzip.NewReader(res.Body); err != nil {
					t.Fatal(err)
				}
			}
			if text, err := io.ReadAll(body); string(text) != cachedBody("/5") {
				t.Errorf("%q: got %d bytes, %v", encoding, len(text), err)
			}
			_ = res.Body.Close()
		}
	}
	if n := o.asked.Load(); n != 1 {
		t.Errorf("the service was asked %d times", n)
	}
}

// TestCache_KilledWhileItWrites looks at what is there afterwards: all of it is whole.
func TestCache_KilledWhileItWrites(t *testing.T) {
	o := newCachedOrigin(t)
	routes := cachedBy(t, o, "pages", fmt.Sprintf("disk: {path: '%s'}", filepath.Join(t.TempDir(), "cache")))
	hits := 0
	for range 5 {
		f := startFairway(t, routes)
		before := o.asked.Load()
		var all sync.WaitGroup
		var right atomic.Int64
		for worker := range 8 {
			all.Go(func() {
				for i := range 100_000 {
					path := fmt.Sprintf("/%d", (i*8+worker)%4000)
					req, _ := http.NewRequest(http.MethodGet, "http://"+f.address("web")+path, nil)
					req.Host = "shop.test" // the port is another one after each start
					res, err := http.DefaultClient.Do(req)
					if err != nil {
						return // it has been killed
					}
					text, err := io.ReadAll(res.Body)
					_ = res.Body.Close()
					if err != nil {
						return
					}
					if res.StatusCode == 200 && string(text) != cachedBody(path) {
						t.Errorf("%s: got %d bytes of %d", path, len(text), len(cachedBody(path)))
					}
					right.Add(1)
				}
			})
		}
		await(t, "some writes", func() bool { return o.asked.Load()-before > 400 })
		_ = f.cmd.Process.Signal(syscall.SIGKILL)
		all.Wait()
		f.wait()
		hits += int(right.Load() - (o.asked.Load() - before))
	}
	if hits < 400 {
		t.Errorf("%d hits: what was written before is not there any more", hits)
	}
}
