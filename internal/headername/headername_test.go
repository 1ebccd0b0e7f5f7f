package headername

import (
	"net/http"
	"strings"
	"testing"
)

func TestRemove(t *testing.T) {
	h := http.Header{"X-Webauth-User": {"a"}, "X_webauth_user": {"b"}, "X_WebAuth-User": {"c"}, "X.webauth.user": {"d"}, "x~webauth!USER": {"e"}, "X-Webauth": {"stays"}}
	Remove(h, "X-WebAuth-User")
	if len(h) != 1 || h.Get("X-Webauth") != "stays" {
		t.Errorf("got %v", h)
	}
}

func TestPlain(t *testing.T) {
	for name, want := range map[string]string{"X-User": "X-User", "x_user": "X-User", "X.USER": "X-User", "x~2!a": "X-2-A", "X--User": "X--User", "Xuser": "Xuser"} {
		if got := Plain(name); got != want || IsPlain(name) != !strings.ContainsAny(name, "_.~!") {
			t.Errorf("%q: got %q", name, got)
		}
	}
	if n := testing.AllocsPerRun(100, func() { Plain("X-Webauth-User") }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestValid(t *testing.T) {
	for name, want := range map[string]bool{"X-Request-Id": true, "x_1!": true, "": false, "a b": false, "a:": false, "ä": false, "a\r": false} {
		if got := Valid(name); got != want {
			t.Errorf("%q: got %v, want %v", name, got, want)
		}
	}
}

func TestRemoveHop(t *testing.T) {
	h := http.Header{"Connection": {"close, x-own"}, "X-Own": {"1"}, "Keep-Alive": {"1"}, "Te": {"trailers"}, "X-Stays": {"1"}}
	RemoveHop(h)
	if len(h) != 1 || h.Get("X-Stays") != "1" {
		t.Errorf("got %v", h)
	}
}
