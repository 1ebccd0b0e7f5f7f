package bearer

import (
	"fmt"
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
		{nil, http.Header{"Authorization": {"Bearer abc"}}, "", "abc at 0"},
		{nil, http.Header{"Authorization": {"bEARER  abc"}}, "", "abc at 0"},
		{nil, http.Header{"Authorization": {"Basic abc"}}, "access_token=q", " at -1"},
		{nil, http.Header{"Authorization": {"abc"}}, "", " at -1"},
		{nil, http.Header{"Authorization": {""}}, "", " at -1"},
		{nil, http.Header{"Authorization": {"Bearer"}}, "", " at -2"},
		{nil, http.Header{"Authorization": {"Bearer "}}, "", " at -2"},
		{nil, http.Header{"Authorization": {"Bearer a", "Bearer b"}}, "", " at -2"},
		{nil, http.Header{"Authorization": {"Basic a", "Bearer b"}}, "", " at -2"},
		{nil, http.Header{"Cookie": {"session=c"}}, "", " at -1"},
		{all, http.Header{"Authorization": {"Basic abc"}, "X-Token": {"raw"}}, "", "raw at 1"},
		{all, http.Header{"X-Token": {"Bearer b"}}, "", "b at 1"},
		{all, http.Header{"X-Token": {"Basic b"}}, "", " at -2"},
		{all, http.Header{"X-Token": {""}, "Cookie": {"session="}}, "access_token=", " at -1"},
		{all, http.Header{"X-Token": {"raw"}, "Authorization": {"Bearer raw"}}, "", " at -2"},
		{all, http.Header{"Cookie": {"a=b; session=c"}}, "access_token=q", " at -2"},
		{all, http.Header{"Cookie": {"a=b; session=c"}}, "a=q", "c at 2"},
		{all, http.Header{"Cookie": {"session=c; session=d"}}, "", " at -2"},
		{all, http.Header{"Cookie": {"session=c; session="}}, "", " at -2"},
		{all, nil, "access_token=q&access_token=r", " at -2"},
		{all, nil, "x=1&access%5Ftoken=a%2Eb", "a.b at 3"},
	} {
		r := httptest.NewRequest("GET", "/?"+tt.query, nil)
		if tt.header != nil {
			r.Header = tt.header
		}
		token, at := places(t, tt.places...).Find(r)
		if got := fmt.Sprintf("%s at %d", token, at); got != tt.want {
			t.Errorf("%v %q: got %q, want %q", tt.header, tt.query, got, tt.want)
		}
	}
}

func TestElsewhere(t *testing.T) {
	for _, tt := range []struct {
		values []string
		want   bool
	}{
		{nil, true},
		{[]string{""}, true},
		{[]string{"Bearer x"}, true},
		{[]string{"basic x"}, false},
		{[]string{"Basic"}, false},
		{[]string{" Basic x"}, false},
		{[]string{"Bearer x", "Basic x"}, false},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header["Authorization"] = tt.values
		if tt.values == nil {
			delete(r.Header, "Authorization")
		}
		if got := Elsewhere(r, "Basic"); got != tt.want {
			t.Errorf("%q: got %v", tt.values, got)
		}
	}
}

func TestStrip_LeavesTheRestAsItIs(t *testing.T) {
	ps := places(t, "header:X-Token", "cookie:session", "query:token", "header:Authorization")
	r := httptest.NewRequest("GET", "/p?b=%20&token=1&to%6ben=2&c", nil)
	r.Header = http.Header{"X-Token": {"a"}, "Cookie": {"a=b;session=c", "d=e; session=f;"}, "X": {"y"}, "Authorization": {"Basic b"}}
	before := r.Header.Clone()
	out, undo := ps.Strip(r, nil)
	if out.Header.Get("Cookie") != "a=b; d=e" || len(out.Header["Cookie"]) != 1 || out.Header["X-Token"] != nil || out.Header.Get("X") != "y" {
		t.Errorf("got %v", out.Header)
	}
	if out.Header.Get("Authorization") != "Basic b" {
		t.Error("credentials of another scheme are gone")
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
	r.Header = http.Header{"Cookie": {"session=c"}, "Authorization": {"Bearer b"}}
	if out, _ := ps.Strip(r, nil); len(out.Header) != 0 {
		t.Errorf("got %q", out.Header)
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
		`400 Bearer realm="fairway", error="invalid_request"`:                 func(w http.ResponseWriter, r *http.Request) { Ambiguous(w, r, "why") },
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
