package dashboard

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"fairway/internal/record"
)

func TestAPI_RefusesPagesOfOtherSites(t *testing.T) {
	h := newAPI(t, sample)
	tests := []struct {
		name, router, path string
		headers            []string
		want               int
	}{
		{"no browser", "api@internal", "/api/version", nil, 200},
		{"the page itself", "api@internal", "/api/version", []string{"Sec-Fetch-Site", "same-origin"}, 200},
		{"an address that is typed in", "api@internal", "/api/version", []string{"Sec-Fetch-Site", "none"}, 200},
		{"another site", "api@internal", "/api/version", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors"}, 403},
		{"its stream", "dashboard@internal", "/api/events", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "cors"}, 403},
		{"a link", "api@internal", "/api/version", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate"}, 200},
		{"another origin", "api@internal", "/api/version", []string{"Origin", "http://evil.test"}, 403},
		{"an origin without a name", "api@internal", "/api/version", []string{"Origin", "null"}, 403},
		{"its own origin", "api@internal", "/api/version", []string{"Origin", "http://example.com"}, 200},
		{"its own origin behind a proxy", "api@internal", "/api/version", []string{"Origin", "https://shown.test", "X-Forwarded-Host", "shown.test"}, 200},
		{"a router of the operator's", "show@file", "/api/version", []string{"Origin", "http://start.test"}, 200},
		{"the page is no secret", "dashboard@internal", "/dashboard/", []string{"Origin", "http://evil.test"}, 200},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, "http://example.com"+tt.path, nil)
			for i := 0; i < len(tt.headers); i += 2 {
				r.Header.Set(tt.headers[i], tt.headers[i+1])
			}
			r = r.WithContext(record.With(r.Context(), &record.Record{Router: tt.router}))
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code != tt.want {
				t.Errorf("got %d %s, want %d", w.Code, w.Body, tt.want)
			}
		})
	}
}

func TestPage_IsFoundBehindAPrefix(t *testing.T) {
	h := newAPI(t, sample)
	for prefix, want := range map[string]string{
		"": "/dashboard/", "/gateway": "/gateway/dashboard/", "/gateway/": "/gateway/dashboard/", "/a b": "/dashboard/", "/ä": "/%C3%A4/dashboard/",
		"//evil.test": "/dashboard/", "evil.test": "/dashboard/", "https://evil.test": "/dashboard/", `/\evil.test`: "/dashboard/", "/a\tb": "/dashboard/", "/a?b": "/a%3Fb/dashboard/",
	} {
		for _, path := range []string{"/", "/dashboard"} {
			r := httptest.NewRequest(http.MethodGet, path, nil)
			r.Header.Set("X-Forwarded-Prefix", prefix)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if got := w.Header().Get("Location"); w.Code != http.StatusFound || got != want {
				t.Errorf("%q: got %d to %s, want %s", prefix, w.Code, got, want)
			}
		}
	}
}
