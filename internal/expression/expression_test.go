package expression

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestText_IsWhatItSaysOfARequest(t *testing.T) {
	r := httptest.NewRequest(http.MethodPost, "http://shop.example/cart", nil)
	for text, want := range map[string]string{
		`request.method + " " + request.path`:            "POST /cart",
		`request.host.split(".")[0]`:                     "shop",
		`identity.known ? identity.subject : "somebody"`: "somebody",
		`string(request.size)`:                           "0",
	} {
		e, err := NewText(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got, err := e.Of(r); err != nil || got != want {
			t.Errorf("%s: got %q, %v", text, got, err)
		}
	}
	e, err := NewText(`string(claims.sub)`)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := e.Of(r); err == nil || got != "" {
		t.Errorf("of what is not there: got %q, %v", got, err)
	}
}

func TestCompile_NamesTheMistake(t *testing.T) {
	_, text := NewText(`request.size`)
	_, condition := NewCondition(`request.path`)
	_, unknown := NewText(`request.nothing`)
	for want, err := range map[string]error{"it has to be a text": text, "it has to be true or false": condition, "at character 8": unknown} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func FuzzText(f *testing.F) {
	for _, seed := range []string{`request.path`, `request.headers["x"]`, `string(claims.a.b[0])`, `"a" + ("b" in request.query ? "c" : "d")`} {
		f.Add(seed)
	}
	r := httptest.NewRequest(http.MethodGet, "http://shop.example/?b=1", nil)
	f.Fuzz(func(t *testing.T, text string) {
		e, err := NewText(text)
		if err != nil {
			return
		}
		if got, err := e.Of(r); err != nil && got != "" {
			t.Errorf("%q and %v", got, err)
		}
	})
}
