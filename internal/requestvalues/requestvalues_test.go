package requestvalues

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"fairway/internal/identity"
	"fairway/internal/record"
	"fairway/internal/texts"
)

func TestText(t *testing.T) {
	r := httptest.NewRequest(http.MethodPost, "http://a.test/mobile/x%2Fy?page=2", nil)
	r.Header = http.Header{"X-A": {"1", "2"}, "User-Agent": {"Mozilla/5.0 (iPhone) Mobile"}}
	rec := &record.Record{Identity: &identity.Identity{Claims: map[string]any{"a": map[string]any{"b": 7}}, Consumer: &identity.Consumer{Name: "ann", Labels: map[string]string{"team": "x"}}}}
	v := Of(r.WithContext(record.With(r.Context(), rec)))
	r.Header.Set("X-A", "changed")
	for text, want := range map[string]string{
		"{method} {host} {path}": "POST a.test /mobile/x/y", "{path.0}": "mobile", "{path.9|none}": "none", "{path.x|none}": "none", "{query.page}": "2",
		"{header.x-a}": "1, 2", "{client}": "mobile", "{claims.a.b}": "7", "{consumer.name}": "ann", "{consumer.labels.team}": "x", "{consumer.plan|free}": "free",
	} {
		template, err := Sources().New(text)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := template.Render(v.Text, texts.AsItIs, true); err != nil || got != want {
			t.Errorf("%s: got %q, %v", text, got, err)
		}
	}
	if got, known := Of(httptest.NewRequest(http.MethodGet, "/", nil)).Text([]string{"claims", "a"}); known {
		t.Errorf("nobody is known: got %q", got)
	}
}

func TestVary(t *testing.T) {
	template, _ := Sources().New("{header.x-a} {client} {claims.a} {query.a} {path}")
	if got := strings.Join(Vary(template), ", "); got != "X-A, User-Agent, Sec-Ch-Ua-Mobile, Authorization, Cookie" {
		t.Errorf("got %s", got)
	}
}
