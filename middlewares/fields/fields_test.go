package fields

import (
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"fairway/internal/record"
	"fairway/middlewares"
	"fairway/middlewares/middlewarestest"
)

func newConfig() *Config {
	c := &Config{}
	c.SetDefaults()
	return c
}

func TestExamples(t *testing.T) {
	middlewarestest.Golden(t, func() middlewares.Config { return newConfig() })
}

func TestFields(t *testing.T) {
	for _, tt := range []struct {
		name, target   string
		allow, inert   []string
		status         int
		kind, body     string
		want           int
		text, query    string
		header         http.Header
		shown, refused string
	}{
		{name: "chosen", target: "/?a=1&fields=id,u.n&fields=l.x", status: 200, kind: "application/json; charset=utf-8", body: `{"id": 12345678901234567890, "u": {"n": "<a>", "m": 1}, "l": [{"x": 1, "y": 2}], "z": 0}`, want: 200, text: `{"id":12345678901234567890,"l":[{"x":1}],"u":{"n":"<a>"}}`, query: "a=1", header: http.Header{"Etag": {`"v1"`}}, shown: `W/"v1"`},
		{name: "nothing chosen", target: "/", status: 200, kind: "application/json", body: `{ "id": 1 }`, want: 200, text: `{ "id": 1 }`},
		{name: "nothing chosen of what is allowed", target: "/?fields=", allow: []string{"id"}, status: 200, kind: "application/hal+json", body: `[{"id": 1, "secret": 2}]`, want: 200, text: `[{"id":1}]`},
		{name: "the default", target: "/", allow: []string{"id", "n"}, inert: []string{"n"}, status: 200, kind: "application/json", body: `{"id": 1, "n": 2}`, want: 200, text: `{"n":2}`},
		{name: "not allowed", target: "/?fields=secret", allow: []string{"id"}, want: 400, refused: `there is no field "secret"`},
		{name: "an error passes", target: "/?fields=id", status: 404, kind: "application/json", body: `{"error": 1}`, want: 404, text: `{"error": 1}`},
		{name: "another type passes", target: "/?fields=id", status: 200, kind: "text/html", body: "<p>", want: 200, text: "<p>"},
		{name: "another type, where not all is allowed", target: "/", allow: []string{"id"}, status: 200, kind: "application/xml", body: "<secret/>", want: 502, refused: "it is no JSON, of which fields"},
		{name: "nothing, where not all is allowed", target: "/", allow: []string{"id"}, status: 201, kind: "", body: "", want: 201, text: ""},
		{name: "no JSON", target: "/?fields=id", status: 200, kind: "application/json", body: "<p>", want: 502, refused: "it is no JSON"},
		{name: "packed", target: "/?fields=id", status: 200, kind: "application/json", header: http.Header{"Content-Encoding": {"br"}}, body: "x", want: 502, refused: "encoded the body (br)"},
		{name: "too long", target: "/?fields=id", status: 200, kind: "application/json", body: strings.Repeat(" ", 1<<20) + "{}", want: 502, refused: "longer than maxBodyBytes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newConfig()
			c.Allow, c.Default = tt.allow, tt.inert
			h, err := c.New(t.Context(), middlewarestest.Env("some"), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.RawQuery != tt.query || r.RequestURI != strings.TrimSuffix("/?"+tt.query, "?") {
					t.Errorf("the service is asked for %s", r.RequestURI)
				}
				maps.Copy(w.Header(), tt.header)
				w.Header().Set("Content-Type", tt.kind)
				w.WriteHeader(tt.status)
				_, _ = io.WriteString(w, tt.body)
			}))
			if err != nil {
				t.Fatal(err)
			}
			rec := &record.Record{}
			r := httptest.NewRequest(http.MethodGet, tt.target, nil)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r.WithContext(record.With(r.Context(), rec)))
			if w.Code != tt.want || !strings.Contains(rec.Cause, tt.refused) || tt.refused == "" && w.Body.String() != tt.text || w.Header().Get("Etag") != tt.shown {
				t.Errorf("got %d %s, %v, %q", w.Code, w.Body, w.Header(), rec.Cause)
			}
		})
	}
}

func TestNew_MistakesAreTold(t *testing.T) {
	for want, change := range map[string]func(*Config){
		"parameter: has no name":            func(c *Config) { c.Parameter = "" },
		"maxBodyBytes has to be above 0":    func(c *Config) { c.MaxBodyBytes = 0 },
		"allow: ":                           func(c *Config) { c.Allow = []string{"a..b"} },
		"default: ":                         func(c *Config) { c.Default = []string{"."} },
		`default: there is no field "nmae"`: func(c *Config) { c.Allow, c.Default = []string{"name"}, []string{"nmae"} },
	} {
		c := newConfig()
		change(c)
		if _, err := c.New(t.Context(), middlewarestest.Env("some"), http.NotFoundHandler()); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
