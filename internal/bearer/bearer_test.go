package bearer

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"fairway/internal/record"
)

func places(t *testing.T, list ...string) Places {
	t.Helper()
	p, err := NewPlaces(list)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestFind(t *testing.T) {
	all := []string{"header:Authorization", "header:x-token", "cookie:session", "query:access_token"}
	for _, tt := range []struct {
		places []string
		header http.Header
		query  string
		want   string
	}{
		{nil, http.Header{"Authorization": {"Bearer abc"}}, "", "abc"},
		{nil, http.Header{"Authorization": {"bEARER  abc"}}, "", "abc"},
		{nil, http.Header{"Authorization": {"Basic abc"}}, "access_token=q", ""},
		{nil, http.Header{"Authorization": {"abc"}}, "", ""},
		{nil, http.Header{"Authorization": {"Bearer a", "Bearer b"}}, "", ""},
		{nil, http.Header{"Cookie": {"session=c"}}, "", ""},
		{all, http.Header{"Authorization": {"Basic abc"}, "X-Token": {"raw"}}, "", "raw"},
		{all, http.Header{"X-Token": {"Bearer b"}}, "", "b"},
		{all, http.Header{"Cookie": {"a=b; session=c"}}, "access_token=q", "c"},
		{all, http.Header{"Cookie": {"session=c; session=d"}}, "access_token=q", "q"},
		{all, nil, "access_token=q&access_token=r", ""},
		{all, nil, "x=1&access%5Ftoken=a%2Eb", "a.b"},
	} {
		r := httptest.NewRequest("GET", "/?"+tt.query, nil)
		if tt.header != nil {
			r.Header = tt.header
		}
		if got, at := places(t, tt.places...).Find(r); got != tt.want || (at < 0) != (tt.want == "") {
			t.Errorf("%v %q: got %q at %d, want %q", tt.header, tt.query, got, at, tt.want)
		}
	}
}

func TestStrip_LeavesTheRestAsItIs(t *testing.T) {
	ps := places(t, "header:X-Token", "cookie:session", "query:token")
	r := httptest.NewRequest("GET", "/p?b=%20&token=1&to%6ben=2&c", nil)
	r.Header = http.Header{"X-Token": {"a"}, "Cookie": {"a=b;session=c", "d=e; session=f;"}, "X": {"y"}}
	before := r.Header.Clone()
	out, undo := ps.Strip(r, 0, nil)
	out, undo = ps.Strip(out, 1, undo)
	out, undo = ps.Strip(out, 2, undo)
	if out.Header.Get("Cookie") != "a=b; d=e" || len(out.Header["Cookie"]) != 1 || out.Header["X-Token"] != nil || out.Header.Get("X") != "y" {
		t.Errorf("got %v", out.Header)
	}
	if out.URL.RawQuery != "b=%20&c" || out.RequestURI != "/p?b=%20&c" || r.URL.RawQuery == out.URL.RawQuery {
		t.Errorf("got %q %q", out.URL, out.RequestURI)
	}
	for _, f := range slices.Backward(undo) {
		f.PutBack()
	}
	if !slices.Equal(r.Header["Cookie"], before["Cookie"]) || r.Header.Get("X-Token") != "a" {
		t.Errorf("put back: %v", r.Header)
	}
	r.Header = http.Header{"Cookie": {"session=c"}}
	if out, _ := ps.Strip(r, 1, nil); out.Header["Cookie"] != nil {
		t.Errorf("got %q", out.Header["Cookie"])
	}
}

func TestNewPlaces_RefusesWhatIsNoPlace(t *testing.T) {
	for _, text := range []string{"Authorization", "body:token", "header:", "header:a b", "cookie:a;b", "query:"} {
		if _, err := NewPlaces([]string{text}); err == nil {
			t.Errorf("%q: no error", text)
		}
	}
}

func TestRefusals_ChallengeAndSayNoMore(t *testing.T) {
	for want, refuse := range map[string]func(http.ResponseWriter, *http.Request){
		`401 Bearer realm="fairway"`:                                          func(w http.ResponseWriter, r *http.Request) { Missing(w, r, "why") },
		`401 Bearer realm="fairway", error="invalid_token"`:                   func(w http.ResponseWriter, r *http.Request) { Invalid(w, r, "why") },
		`403 Bearer realm="fairway", error="insufficient_scope", scope="a b"`: func(w http.ResponseWriter, r *http.Request) { Insufficient(w, r, "a b", "why") },
		`403 Bearer realm="fairway", error="insufficient_scope"`:              func(w http.ResponseWriter, r *http.Request) { Insufficient(w, r, "", "why") },
	} {
		rec, w := &record.Record{}, httptest.NewRecorder()
		r := httptest.NewRequest("GET", "/", nil)
		refuse(w, r.WithContext(record.With(r.Context(), rec)))
		if got := strings.Fields(w.Result().Status)[0] + " " + w.Header().Get("WWW-Authenticate"); got != want || strings.Contains(w.Body.String(), "why") || rec.Cause != "why" {
			t.Errorf("got %s %q, cause %q, want %s", got, w.Body, rec.Cause, want)
		}
	}
	for scope, want := range map[string]bool{"a:b/c.d": true, "": false, "a b": false, `a"b`: false, `a\b`: false, "ä": false} {
		if ValidScope(scope) != want {
			t.Errorf("%q: want %v", scope, want)
		}
	}
}
