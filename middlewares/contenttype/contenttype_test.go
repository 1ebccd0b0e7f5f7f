package contenttype

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"fairway/middlewares"
	"fairway/middlewares/middlewarestest"
)

func TestExamples(t *testing.T) {
	middlewarestest.Golden(t, func() middlewares.Config { return &Config{} })
}

func TestContentType_IsFoundWhereTheServiceNamesNone(t *testing.T) {
	tests := map[string]struct {
		said []string // nil: none, as a proxied response has it
		body string
		want string
	}{
		"none, of HTML": {nil, "<html><body>", "text/html; charset=utf-8"},
		"none, of PNG":  {nil, "\x89PNG\x0D\x0A\x1A\x0A", "image/png"},
		"named":         {[]string{"text/x-own"}, "<html>", "text/x-own"},
		"empty body":    {nil, "", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			h, err := (&Config{}).New(t.Context(), middlewarestest.Env("test"), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header()["Content-Type"] = tt.said
				_, _ = io.WriteString(w, tt.body)
			}))
			if err != nil {
				t.Fatal(err)
			}
			server := httptest.NewServer(h)
			defer server.Close()
			res, err := server.Client().Get(server.URL) //nolint:noctx // a test
			if err != nil {
				t.Fatal(err)
			}
			_ = res.Body.Close()
			if got := res.Header.Get("Content-Type"); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
