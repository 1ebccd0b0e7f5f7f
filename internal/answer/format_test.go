package answer

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestFormatFor(t *testing.T) {
	for accept, want := range map[string]format{
		"":    asText,
		"*/*": asText,
		"text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8": asHTML,
		"application/json, text/plain, */*":                                          asProblem,
		"application/problem+json":                                                   asProblem,
		"text/plain, application/json":                                               asText,
		"text/plain;q=0.5, application/json ; Q=0.9":                                 asProblem,
		"text/html;q=0, */*;q=0.1":                                                   asText,
		"TEXT/HTML":                                                                  asHTML,
		"text/html;q=2, application/json;q=x, image/*":                               asText,
		"application/vnd.api+json":                                                   asText,
	} {
		if got := formatFor([]string{accept}); got != want {
			t.Errorf("%q: got %d, want %d", accept, got, want)
		}
	}
	if got := formatFor([]string{"image/png", "text/html"}); got != asHTML {
		t.Errorf("several fields: got %d", got)
	}
}

func answered(accept, text string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Accept", accept)
	w := httptest.NewRecorder()
	Text(w, r, http.StatusServiceUnavailable, "a cause that is nobody's business", text)
	return w
}

func TestText_GivesWhatIsAskedFor(t *testing.T) {
	plain := answered("*/*", "no available server")
	if plain.Body.String() != "no available server" || plain.Header().Get("Content-Type") != "text/plain; charset=utf-8" || plain.Header().Get("Vary") != "Accept" {
		t.Errorf("got %q with %v", plain.Body, plain.Header())
	}
	page := answered("text/html", "no <available> server")
	if got := page.Body.String(); !strings.Contains(got, "<h1 style=\"font-size:1.4rem\">503 Service Unavailable</h1><p>no &lt;available&gt; server</p>") ||
		page.Header().Get("Content-Type") != "text/html; charset=utf-8" || page.Header().Get("Vary") != "Accept" || page.Header().Get("Content-Security-Policy") == "" {
		t.Errorf("got %q with %v", got, page.Header())
	}
	var problem map[string]any
	w := answered("application/json", "no available server\n")
	if err := json.Unmarshal(w.Body.Bytes(), &problem); err != nil {
		t.Fatal(err)
	}
	if problem["type"] != "about:blank" || problem["title"] != "Service Unavailable" || problem["status"] != 503.0 || problem["detail"] != "no available server" ||
		w.Header().Get("Content-Type") != "application/problem+json" {
		t.Errorf("got %v with %v", problem, w.Header())
	}
	for _, w := range []*httptest.ResponseRecorder{plain, page, w} {
		if w.Code != http.StatusServiceUnavailable || strings.Contains(w.Body.String(), "business") {
			t.Errorf("got %d %q", w.Code, w.Body)
		}
	}
}

func TestText_VariesByWhatIsAskedForWhateverIsGiven(t *testing.T) {
	for before, want := range map[string]string{
		"": "Accept", "Origin": "Origin|Accept", "Accept-Encoding, accept": "Accept-Encoding, accept", "*": "*", "X-Accept": "X-Accept|Accept",
	} {
		for _, accept := range []string{"", "*/*", "text/html", "application/json"} {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.Header.Set("Accept", accept)
			w := httptest.NewRecorder()
			if before != "" {
				w.Header().Set("Vary", before)
			}
			Refuse(w, r, http.StatusNotFound, "")
			if got := strings.Join(w.Header()["Vary"], "|"); got != want {
				t.Errorf("%q after %q: got %q, want %q", accept, before, got, want)
			}
		}
	}
	r := httptest.NewRequest(http.MethodPost, "/", nil)
	r.Header.Set("Content-Type", "application/grpc")
	w := httptest.NewRecorder()
	if Refuse(w, r, http.StatusNotFound, ""); w.Header().Get("Vary") != "" {
		t.Error("a call by gRPC gets the same whatever it accepts")
	}
}

func TestText_SaysAStatusOnlyOnce(t *testing.T) {
	for _, accept := range []string{"text/html", "application/json"} {
		w := answered(accept, "Service Unavailable")
		if got := w.Body.String(); strings.Contains(got, "<p>") || strings.Contains(got, "detail") {
			t.Errorf("%s: got %s", accept, got)
		}
	}
}

func FuzzFormatFor(f *testing.F) {
	for _, seed := range []string{"", "text/html;q=0.5,*/*", ";;q=,,=", "a/b;q=NaN"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, accept string) {
		if got := formatFor([]string{accept}); got < asText || got > asProblem {
			t.Errorf("got %d", got)
		}
	})
}
