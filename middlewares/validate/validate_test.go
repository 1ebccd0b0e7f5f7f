package validate

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fairway/internal/record"
	"fairway/middlewares"
	"fairway/middlewares/middlewarestest"
)

func TestExamples(t *testing.T) {
	middlewarestest.Golden(t, func() middlewares.Config { return defaults() })
}

func defaults() *Config {
	c := &Config{}
	c.SetDefaults()
	return c
}

const person = `{"type": "object", "required": ["name"], "additionalProperties": false, "properties": {"name": {"type": "string", "pattern": "^[a-z]+$"}, "age": {"type": "integer", "minimum": 0}, "a/b": {"$ref": "#/properties/age"}}}`

func built(t *testing.T, c *Config, next http.HandlerFunc) *handler {
	t.Helper()
	h, err := c.New(t.Context(), middlewarestest.Env("check"), next)
	if err != nil {
		t.Fatal(err)
	}
	return h.(*handler)
}

func ask(h http.Handler, body, kind string) (*httptest.ResponseRecorder, *record.Record) {
	rec := &record.Record{}
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
	r.Header.Set("Content-Type", kind)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r.WithContext(record.With(r.Context(), rec)))
	return w, rec
}

func TestRequest_IsLookedAt(t *testing.T) {
	for _, tt := range []struct {
		body, kind string
		required   bool
		want       int
		errors     string
	}{
		{`{"name": "ann", "age": 12345678901234567890}`, "application/json", false, 200, ""},
		{
			`{"name": "Ann 1", "age": -1, "x": 1, "a/b": 1.5}`, "application/json; charset=utf-8", false, 422,
			`: additional properties 'x' not allowed|/a~1b: got number, want integer|/age: is not as minimum says|/name: is not as pattern says`,
		},
		{`{}`, "application/problem+json", false, 422, `: missing property 'name'`},
		{`{"name": "ann"`, "application/json", false, 422, ": it is no JSON"},
		{`{"name": "ann"} {}`, "application/json", false, 422, ": it is no JSON"},
		{strings.Repeat("[", 500), "application/json", false, 422, ": it is nested deeper than 128"},
		{"name=ann", "application/x-www-form-urlencoded", false, 200, ""},
		{"name=ann", "application/x-www-form-urlencoded", true, 415, ": a body of JSON is required, with Content-Type application/json"},
		{`"` + strings.Repeat("x", defaultMost) + `"`, "application/json", false, 413, ""},
	} {
		c := defaults()
		c.Request = &Rule{Schema: person, Required: tt.required}
		got := ""
		h := built(t, c, func(_ http.ResponseWriter, r *http.Request) {
			text, _ := io.ReadAll(r.Body)
			got = string(text)
		})
		w, rec := ask(h, tt.body, tt.kind)
		if w.Code != tt.want || (tt.want == 200) != (got == tt.body) || (tt.want == 200) != (rec.Cause == "") {
			t.Errorf("%.60s: got %d %s, the service got %.60q", tt.body, w.Code, w.Body, got)
		}
		if tt.errors == "" {
			continue
		}
		var p problem
		if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
			t.Fatal(err)
		}
		found := map[string]bool{}
		for _, v := range p.Errors {
			found[v.Pointer+": "+v.Detail] = true
		}
		for want := range strings.SplitSeq(tt.errors, "|") {
			if !found[want] {
				t.Errorf("%.60s: %s is missing in %v", tt.body, want, p.Errors)
			}
		}
		if len(found) != strings.Count(tt.errors, "|")+1 || p.Status != tt.want {
			t.Errorf("%.60s: got %+v", tt.body, p)
		}
	}
}

func TestResponse_IsLookedAt(t *testing.T) {
	for _, tt := range []struct {
		name, body, kind string
		status           int
		mode             string
		want             int
		violated         uint64
	}{
		{"as it should be", `{"name": "ann"}`, "application/json", 200, enforce, 200, 0},
		{"not as it should be", `{"nam": "ann"}`, "application/json", 201, enforce, 502, 1},
		{"only reported", `{"nam": "ann"}`, "application/json", 201, report, 201, 1},
		{"an error of the service", `{"nam": "ann"}`, "application/json", 404, enforce, 404, 0},
		{"a page", `<html>`, "text/html", 200, enforce, 200, 0},
		{"too long", `"` + strings.Repeat("x", defaultMost) + `"`, "application/json", 200, enforce, 502, 1},
		{"too long, only reported", `"` + strings.Repeat("x", defaultMost) + `"`, "application/json", 200, report, 200, 1},
	} {
		c := defaults()
		c.Mode, c.Response = tt.mode, &Rule{Schema: person}
		h := built(t, c, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", tt.kind)
			w.WriteHeader(tt.status)
			for rest := tt.body; rest != ""; {
				n := min(len(rest), 32<<10)
				if _, err := io.WriteString(w, rest[:n]); err != nil {
					return
				}
				rest = rest[n:]
			}
		})
		w, rec := ask(h, "", "")
		if w.Code != tt.want || tt.want == tt.status && w.Body.String() != tt.body || (tt.want == 502) != (rec.Cause != "") {
			t.Errorf("%s: got %d %.60q, %q", tt.name, w.Code, w.Body.String(), rec.Cause)
		}
		h.counts.EachViolation(func(direction string, _, violated uint64) {
			if direction == "response" && violated != tt.violated {
				t.Errorf("%s: %d violations are counted", tt.name, violated)
			}
		})
	}
}

func TestReport_LetsRequestsPassAndCounts(t *testing.T) {
	file := filepath.Join(t.TempDir(), "person.json")
	if err := os.WriteFile(file, []byte(person), 0o600); err != nil {
		t.Fatal(err)
	}
	c := defaults()
	c.Mode, c.Request = report, &Rule{SchemaFile: file, Required: true}
	h := built(t, c, func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) })
	for _, body := range []string{`{"nam": 1}`, `{`, `{"name": "ann"}`} {
		if w, _ := ask(h, body, "application/json"); w.Code != 200 || w.Body.String() != body {
			t.Errorf("got %d %s", w.Code, w.Body)
		}
	}
	if w, _ := ask(h, "x", "text/plain"); w.Code != 200 || w.Body.String() != "x" {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
	h.counts.EachViolation(func(direction string, checked, violated uint64) {
		if direction == "request" && (checked != 4 || violated != 3) {
			t.Errorf("got %d of %d", violated, checked)
		}
	})
}
