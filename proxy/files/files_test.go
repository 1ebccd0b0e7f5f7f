package files

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fairway/internal/record"
	"fairway/proxy"
)

// folder has a front end, and beside it what nobody may see.
func folder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"secret.txt": "secret", "www/index.html": "<!doctype html>home", "www/app.js": "let a", "www/app.js.br": "packed br", "www/app.js.gz": "packed gz",
		"www/data.bin": "0123456789", "www/sub/index.html": "sub", "www/empty/x.txt": "x", "www/.git/config": "hidden",
	} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Join(dir, "secret.txt"), filepath.Join(dir, "www/link.txt")); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "www")
}

func build(t *testing.T, change func(*Config)) proxy.Service {
	t.Helper()
	c := &Config{}
	c.SetDefaults()
	c.Root = folder(t)
	if change != nil {
		change(c)
	}
	s, err := c.New(t.Context(), proxy.Env{Name: "www@file"})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func ask(h http.Handler, method, target string, header http.Header) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "http://x/", nil)
	r.URL.Path, r.URL.RawQuery, _ = strings.Cut(target, "?")
	if header != nil {
		r.Header = header
	}
	r = r.WithContext(record.With(r.Context(), &record.Record{}))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestFiles_WhatIsThereIsSent(t *testing.T) {
	s := build(t, func(c *Config) { c.CacheControl = "max-age=60" })
	for _, tt := range []struct {
		method, path string
		header       http.Header
		status       int
		body         string
		shown        map[string]string
	}{
		{"GET", "/", nil, 200, "<!doctype html>home", map[string]string{"Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-cache", "Vary": ""}},
		{"GET", "/data.bin", nil, 200, "0123456789", map[string]string{"Cache-Control": "max-age=60", "X-Content-Type-Options": "nosniff"}},
		{"HEAD", "/data.bin", nil, 200, "", map[string]string{"Content-Length": "10"}},
		{"GET", "/data.bin", http.Header{"Range": {"bytes=2-4"}}, 206, "234", map[string]string{"Content-Range": "bytes 2-4/10"}},
		{"GET", "/app.js", nil, 200, "let a", map[string]string{"Vary": "Accept-Encoding", "Content-Encoding": ""}},
		{"GET", "/app.js", http.Header{"Accept-Encoding": {"gzip, br"}}, 200, "packed br", map[string]string{"Content-Encoding": "br", "Content-Type": "text/javascript; charset=utf-8"}},
		{"GET", "/app.js", http.Header{"Accept-Encoding": {"gzip, br;q=0"}}, 200, "packed gz", map[string]string{"Content-Encoding": "gzip"}},
		{"GET", "/sub/", nil, 200, "sub", nil},
		{"GET", "/sub?a=b", nil, 301, "", map[string]string{"Location": "./sub/?a=b"}},
		{"GET", "/app.js/", nil, 404, "Not Found", nil},
		{"GET", "/empty/", nil, 404, "Not Found", nil},
		{"GET", "/none", nil, 404, "Not Found", nil},
		{"POST", "/data.bin", nil, 405, "Method Not Allowed", map[string]string{"Allow": "GET, HEAD"}},
	} {
		w := ask(s, tt.method, tt.path, tt.header)
		if w.Code != tt.status || w.Body.String() != tt.body {
			t.Errorf("%s %s: got %d %q", tt.method, tt.path, w.Code, w.Body)
		}
		for name, want := range tt.shown {
			if got := w.Header().Get(name); got != want {
				t.Errorf("%s %s: %s is %q, want %q", tt.method, tt.path, name, got, want)
			}
		}
	}
}

func TestFiles_NothingElseCanBeReached(t *testing.T) {
	s := build(t, nil)
	for _, path := range []string{"/../secret.txt", "/sub/../../secret.txt", "/link.txt", "/.git/config", "/sub/.git", "/..\\secret.txt", "/\x00", "//etc/passwd", "/./.git/config"} {
		if w := ask(s, "GET", path, nil); w.Code != 404 || strings.Contains(w.Body.String(), "secret") {
			t.Errorf("%q: got %d %q", path, w.Code, w.Body)
		}
	}
}

func TestFiles_Validators(t *testing.T) {
	s := build(t, nil)
	plain := ask(s, "GET", "/app.js", nil).Header().Get("Etag")
	br := ask(s, "GET", "/app.js", http.Header{"Accept-Encoding": {"br"}}).Header().Get("Etag")
	if plain == "" || plain == br {
		t.Fatalf("got %s and %s", plain, br)
	}
	if w := ask(s, "GET", "/app.js", http.Header{"If-None-Match": {plain}}); w.Code != 304 || w.Body.Len() > 0 {
		t.Errorf("got %d %q", w.Code, w.Body)
	}
	if w := ask(s, "GET", "/app.js", http.Header{"If-None-Match": {plain}, "Accept-Encoding": {"br"}}); w.Code != 200 {
		t.Errorf("of another encoding: got %d", w.Code)
	}
}

func TestFallback_IsForPathsWithoutAFile(t *testing.T) {
	s := build(t, func(c *Config) { c.Fallback = "/index.html" })
	for path, want := range map[string]string{"/orders/7": "<!doctype html>home", "/data.bin": "0123456789", "/../secret.txt": "<!doctype html>home"} {
		if w := ask(s, "GET", path, nil); w.Code != 200 || w.Body.String() != want {
			t.Errorf("%s: got %d %q", path, w.Code, w.Body)
		}
	}
}

func TestNew_Mistakes(t *testing.T) {
	for want, c := range map[string]*Config{"root: is required": {}, "root: open": {Root: "/nowhere/at/all"}, "index: \"a/b\"": {Root: "/", Index: "a/b"}, "cacheControl: ": {Root: "/", CacheControl: "a\nb"}} {
		if _, err := c.New(context.Background(), proxy.Env{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
