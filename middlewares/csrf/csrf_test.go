package csrf

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"fairway/internal/record"
	"fairway/middlewares"
	"fairway/middlewares/middlewarestest"
)

func TestExamples(t *testing.T) {
	middlewarestest.Golden(t, func() middlewares.Config { return &Config{} })
}

func TestCSRF(t *testing.T) {
	const cross = "Sec-Fetch-Site: cross-site"
	for _, tt := range []struct {
		name    string
		config  Config
		method  string
		headers []string
		passes  bool
	}{
		{"a form of the site", Config{}, "POST", []string{"Sec-Fetch-Site: same-origin"}, true},
		{"typed by the user", Config{}, "POST", []string{"Sec-Fetch-Site: none"}, true},
		{"another site", Config{}, "POST", []string{cross}, false},
		{"a neighbour", Config{}, "DELETE", []string{"Sec-Fetch-Site: same-site"}, false},
		{"another site that reads", Config{}, "GET", []string{cross}, true},
		{"another site that asks first", Config{}, "OPTIONS", []string{cross}, true},
		{"another site's WebSocket", Config{}, "GET", []string{cross, "Connection: Upgrade", "Upgrade: websocket"}, false},
		{"another site's WebSocket, of an old browser", Config{}, "GET", []string{"Origin: https://evil.test", "Upgrade: websocket"}, false},
		{"the site's WebSocket", Config{RequiredHeader: "X-Csrf"}, "GET", []string{"Origin: https://a.test", "Upgrade: websocket"}, true},
		{"an old browser", Config{}, "POST", []string{"Origin: https://evil.test"}, false},
		{"an old browser with nothing", Config{}, "POST", []string{"Origin: null"}, false},
		{"an old browser at the site", Config{}, "POST", []string{"Origin: https://a.test"}, true},
		{"no browser", Config{}, "POST", nil, true},
		{"a trusted one", Config{TrustedOrigins: []string{"https://app.test"}}, "POST", []string{cross, "Origin: https://app.test"}, true},
		{"one that looks like it", Config{TrustedOrigins: []string{"https://app.test"}}, "POST", []string{cross, "Origin: https://app.test.evil"}, false},
		{"no login", Config{Cookies: []string{"session"}}, "POST", []string{cross, "Cookie: theme=dark; xsession=1"}, true},
		{"a login", Config{Cookies: []string{"session"}}, "POST", []string{cross, "Cookie: theme=dark; session=1"}, false},
		{"no header", Config{RequiredHeader: "x-csrf"}, "POST", nil, false},
		{"no header, but it reads", Config{RequiredHeader: "x-csrf"}, "GET", nil, true},
		{"a header", Config{RequiredHeader: "x-csrf"}, "POST", []string{"X-Csrf: 1"}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			passed := false
			h, err := tt.config.New(t.Context(), middlewarestest.Env("site"), http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				if passed = true; r.Method != tt.method {
					t.Errorf("the method became %s", r.Method)
				}
			}))
			if err != nil {
				t.Fatal(err)
			}
			rec := &record.Record{}
			r := httptest.NewRequest(tt.method, "https://a.test/x", nil)
			for _, line := range tt.headers {
				name, value, _ := strings.Cut(line, ": ")
				r.Header.Set(name, value)
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r.WithContext(record.With(r.Context(), rec)))
			if passed != tt.passes || !tt.passes && (w.Code != 403 || !strings.HasPrefix(rec.Cause, "csrf: it ")) {
				t.Errorf("passed %v, got %d, %q", passed, w.Code, rec.Cause)
			}
		})
	}
}

func TestNew_MistakesAreTold(t *testing.T) {
	for want, c := range map[string]*Config{
		`trustedOrigins: "app.test" is no origin`:                   {TrustedOrigins: []string{"app.test"}},
		`cookies: "a b" is no name`:                                 {Cookies: []string{"a b"}},
		`requiredHeader: "a b" is no name`:                          {RequiredHeader: "a b"},
		"requiredHeader: Content-Type is sent by forms of other si": {RequiredHeader: "content-type"},
	} {
		if _, err := c.New(t.Context(), middlewarestest.Env("site"), http.NotFoundHandler()); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
