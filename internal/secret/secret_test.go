package secret

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

func TestString_ShowsStars(t *testing.T) {
	s := String("hunter2")
	text, err := json.Marshal(map[string]any{"a": s, "b": []String{s}})
	if err != nil {
		t.Fatal(err)
	}
	for _, shown := range []string{string(text), fmt.Sprint(s), fmt.Sprintf("%v %s %+v %#v %q", s, s, s, s, s)} {
		if strings.Contains(shown, "hunter2") {
			t.Errorf("shown: %s", shown)
		}
	}
	if s.Reveal() != "hunter2" || String("").String() != "" {
		t.Error("the value itself has changed")
	}
}

func TestURL(t *testing.T) {
	tests := []struct{ in, want string }{
		{"http://a:80/x", "http://a:80/x"},
		{"http://user:hunter2@a:80", "http://user:xxxxx@a:80"},
		{"ftp://user:hunter2@a", "ftp://user:xxxxx@a"},
		{"http://user:hunter2@a:x y", "http://*****@a:x y"},
		{"http://user:hunt@er2@a:x y", "http://*****@a:x y"},
		{"user:hunter2@a", "*****@a"},
		{"", ""},
	}
	for _, tt := range tests {
		if got := URL(tt.in); got != tt.want {
			t.Errorf("URL(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
}

func TestHeader(t *testing.T) {
	for name, want := range map[string]bool{"Authorization": true, "x-api-key": true, "X-Auth-Token": true, "Cookie": true, "X-Frame-Options": false} {
		if Header(name) != want {
			t.Errorf("Header(%q) = %v", name, !want)
		}
	}
}
