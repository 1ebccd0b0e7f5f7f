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
		{"http://a/b?token=hunter2&c#d", "http://a/b?token=*****&c#d"},
		{"/@${1}/b", "/@${1}/b"},
		{"//user:hunter2@a", "//user:xxxxx@a"},
		{"/health?token=hunter2", "/health?token=*****"},
		{"", ""},
	}
	for _, tt := range tests {
		if got := URL(tt.in); got != tt.want {
			t.Errorf("URL(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
}

func TestHeader(t *testing.T) {
	for _, name := range []string{
		"Authorization", "Proxy-Authorization", "x-api-key", "X-Auth-Token", "Cookie", "Set-Cookie", "X-Auth", "X-Access-Key", "CF-Access-Client-Id", "CF-Access-Client-Secret",
		"X-Session", "X-Session-Id", "X-Amz-Signature", "X-Goog-Iap-Jwt-Assertion", "X_API_KEY", "X-Forwarded-Access-Token", "Ocp-Apim-Subscription-Key", "X-Credentials",
	} {
		if !Header(name) {
			t.Errorf("%s is shown", name)
		}
	}
	for _, name := range []string{
		"X-Frame-Options", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-User", "Cache-Control", "Access-Control-Allow-Origin", "Access-Control-Allow-Credentials",
		"WWW-Authenticate", "Sec-WebSocket-Key", "Content-Type", "Accept", "Author", "Keyboard", "Monkey", "User-Agent", "Compass", "Strict-Transport-Security",
	} {
		if Header(name) {
			t.Errorf("%s is stars", name)
		}
	}
}

func TestText(t *testing.T) {
	for in, want := range map[string]string{
		"nothing in it": "nothing in it",
		`Get "https://u:hunter2@a/b?token=hunter2&x": no route`: `Get "https://u:xxxxx@a/b?token=*****&x": no route`,
		"https://u:hunter2@${1}/a?to=${1}&key=hunter2":          "https://*****@${1}/a?to=${1}&key=*****",
		"dial http://u:hunter2@a:80: refused, http://a.":        "dial http://u:xxxxx@a:80: refused, http://a.",
		"http://a and http://u:hunter2@b":                       "http://a and http://u:xxxxx@b",
		"me@example.org":                                        "me@example.org",
	} {
		if got := Text(in); got != want {
			t.Errorf("Text(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestJSON(t *testing.T) {
	text, err := json.Marshal(map[string]any{"b": "https://u:hunter2@a/?x=hunter2&y=hunter2", "a": []string{`say "no"`, "tcp://u:hunter2@\"b"}, "n": 1})
	if err != nil {
		t.Fatal(err)
	}
	got := JSON(text)
	var v map[string]any
	if err := json.Unmarshal(got, &v); err != nil || strings.Contains(string(got), "hunter2") || v["b"] != "https://u:xxxxx@a/?x=*****&y=*****" {
		t.Errorf("got %s, %v", got, err)
	}
}
