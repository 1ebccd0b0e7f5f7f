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
