package respond

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/traefik/paerser/types"

	"fairway/internal/record"
	"fairway/proxy"
)

func build(t *testing.T, c *Config) proxy.Service {
	t.Helper()
	if c.Status == 0 {
		c.Status = http.StatusOK
	}
	s, err := c.New(t.Context(), proxy.Env{Name: "page@file"})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func ask(h http.Handler, method, target string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, target, nil))
	return w
}

func TestRespond_SaysWhatIsWritten(t *testing.T) {
	file := filepath.Join(t.TempDir(), "page.html")
	if err := os.WriteFile(file, []byte("<!doctype html><p>soon</p>"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name   string
		config *Config
		method string
		status int
		kind   string
		body   string
	}{
		{"nothing", &Config{}, "GET", 200, "", ""},
		{"text", &Config{Body: "User-agent: *"}, "GET", 200, "text/plain; charset=utf-8", "User-agent: *"},
		{"its type", &Config{Body: `{"a":1}`, Headers: map[string]string{"content-type": "application/json"}}, "POST", 200, "application/json", `{"a":1}`},
		{"a file", &Config{File: file, Status: 503, Headers: map[string]string{"Retry-After": "600"}}, "GET", 503, "text/html; charset=utf-8", "<!doctype html><p>soon</p>"},
		{"a head", &Config{Body: "text"}, "HEAD", 200, "text/plain; charset=utf-8", ""},
		{"no content", &Config{Status: 204}, "GET", 204, "", ""},
		{"a template", &Config{Template: true, Body: `{{.Method}} {{.Host}}{{.Path}} {{.Query.q}} {{index .Header "X-A"}} {{.Query.none}} {{.Status}}`}, "GET", 200, "text/plain; charset=utf-8", "GET shop.test/a/b <1>   200"},
		{"a template of HTML", &Config{Template: true, Body: `<html><p>{{.Query.q}}</p>`}, "GET", 200, "text/html; charset=utf-8", "<html><p>&lt;1&gt;</p>"},
	} {
		w := ask(build(t, tt.config), tt.method, "http://shop.test/a/b?q=%3C1%3E")
		if w.Code != tt.status || w.Header().Get("Content-Type") != tt.kind || w.Body.String() != tt.body {
			t.Errorf("%s: got %d %v %q", tt.name, w.Code, w.Header(), w.Body)
		}
	}
}

func TestRespond_Mistakes(t *testing.T) {
	for want, c := range map[string]*Config{
		"status: 100 is not from 200 to 599":     {Status: 100},
		"only one of body and file can be given": {Status: 200, Body: "a", File: "b"},
		"file: open /nowhere/at/all":             {Status: 200, File: "/nowhere/at/all"},
		`headers: "a b" is no name of a header`:  {Status: 200, Headers: map[string]string{"a b": "c"}},
		"value has more than one line":           {Status: 200, Headers: map[string]string{"A": "c\nd"}},
		"delay must not be negative":             {Status: 200, Delay: -1},
		"body: template: body:1":                 {Status: 200, Template: true, Body: "{{.Nothing"},
		"can't evaluate field Nothing":           {Status: 200, Template: true, Body: "{{.Nothing}}"},
		"body: has more than 4194304 bytes":      {Status: 200, Body: strings.Repeat("x", longest+1)},
	} {
		if _, err := c.New(t.Context(), proxy.Env{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestDelay_EndsWithTheClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := build(t, &Config{Delay: types.Duration(time.Minute), Body: "late"})
		began := time.Now()
		if w := ask(s, "GET", "/"); w.Code != 200 || time.Since(began) != time.Minute {
			t.Errorf("got %d after %v", w.Code, time.Since(began))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		rec := &record.Record{}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest("GET", "/", nil).WithContext(record.With(ctx, rec)))
		if w.Code != 499 || rec.Leaf != "page@file" {
			t.Errorf("got %d, %+v", w.Code, rec)
		}
	})
}

// Whoever writes a template, as by a label, cannot keep the gateway busy for ever, or fill its memory.
func TestRespond_TemplatesAreTame(t *testing.T) {
	for body, want := range map[string]string{
		`{{range 9000000000000}}{{end}}`: "body: line 1: range goes through .Query and .Header only", `{{range .Query}}{{range .Query}}{{end}}{{end}}`: "range goes through",
		`{{define "a"}}{{template "a"}}{{end}}{{template "a"}}`: "templates cannot call others", `{{$x := "a"}}{{$x = print $x $x}}`: "a variable keeps the value", `{{printf "%100000d" 1}}`: "a width is longer than two digits",
	} {
		for _, kind := range []string{"text/plain", "text/html"} {
			c := &Config{}
			c.SetDefaults()
			c.Body, c.Template, c.Headers = body, true, map[string]string{"Content-Type": kind}
			if _, err := c.New(t.Context(), proxy.Env{Name: "page@file"}); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s as %s: got %v", body, kind, err)
			}
		}
	}
}
