package headername

import (
	"net/http"
	"testing"
)

func TestRemove(t *testing.T) {
	h := http.Header{"X-Webauth-User": {"a"}, "X_webauth_user": {"b"}, "X_WebAuth-User": {"c"}, "X-Webauth": {"stays"}}
	Remove(h, "X-WebAuth-User")
	if len(h) != 1 || h.Get("X-Webauth") != "stays" {
		t.Errorf("got %v", h)
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
