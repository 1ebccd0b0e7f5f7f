package redirectscheme

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"fairway/middlewares"
	"fairway/middlewares/middlewarestest"
)

func TestExamples(t *testing.T) {
	middlewarestest.Golden(t, func() middlewares.Config { return &Config{} })
}

func TestRedirectScheme_ByHostAndConnection(t *testing.T) {
	tests := map[string]struct {
		config Config
		target string
		host   string
		proto  string
		want   string // Location; empty: forwarded
	}{
		"over TLS to https":            {Config{Scheme: "https"}, "https://a.test/x", "a.test", "", ""},
		"over TLS on the default port": {Config{Scheme: "HTTPS"}, "https://a.test/x", "a.test:443", "", ""},
		"over TLS on another port":     {Config{Scheme: "https"}, "https://a.test/x", "a.test:8443", "", "https://a.test/x"},
		"over TLS on the port set":     {Config{Scheme: "https", Port: "8443"}, "https://a.test/x", "a.test:8443", "", ""},
		"over TLS to http":             {Config{Scheme: "http", Port: "80"}, "https://a.test/x", "a.test", "", "http://a.test/x"},
		"proxy says http":              {Config{Scheme: "https"}, "https://a.test/x", "a.test", "http", "https://a.test/x"},
		"proxy says ws":                {Config{Scheme: "https"}, "http://a.test/x", "a.test", "ws", "https://a.test/x"},
		"proxy lists two":              {Config{Scheme: "https"}, "http://a.test/x", "a.test", "HTTPS, http", ""},
		"IPv6 without a port":          {Config{Scheme: "https"}, "http://[::1]/x", "[::1]", "", "https://[::1]/x"},
		"query without a value":        {Config{Scheme: "https"}, "http://a.test/x?", "a.test", "", "https://a.test/x?"},
		"two slashes":                  {Config{Scheme: "https"}, "http://a.test//b.test", "a.test", "", "https://a.test//b.test"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			forwarded := false
			next := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { forwarded = true })
			h, err := tt.config.New(t.Context(), middlewarestest.Env("test"), next)
			if err != nil {
				t.Fatal(err)
			}
			r := httptest.NewRequest(http.MethodGet, tt.target, nil)
			r.Host = tt.host
			if tt.proto != "" {
				r.Header.Set("X-Forwarded-Proto", tt.proto)
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if got := w.Header().Get("Location"); got != tt.want || forwarded != (tt.want == "") {
				t.Errorf("got %q, forwarded %v, want %q", got, forwarded, tt.want)
			}
		})
	}
}

func TestRedirectScheme_RefusesWithoutAHost(t *testing.T) {
	h, err := (&Config{Scheme: "https"}).New(t.Context(), middlewarestest.Env("test"), nil)
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Host = ""
	w := httptest.NewRecorder()
	if h.ServeHTTP(w, r); w.Code != http.StatusBadRequest {
		t.Errorf("got %d, want 400", w.Code)
	}
}
