package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const composed = `services:
  shop:
    image: shop
    labels:
      fairway.http.routers.shop.rule: Host(` + "`shop.test`) && PathPrefix(`/cart`)" + `
      fairway.http.routers.shop.middlewares: login@file
`

func TestExplain_OfAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "compose.yml")
	if err := os.WriteFile(path, []byte(composed), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		url    string
		status int
		words  []string
	}{
		{"http://shop.test/cart/1", 0, []string{"at the entry point web\n", "goes to the router shop@docker (" + path + ": service shop)", "passes    login@file\n", "to        shop@docker loadbalancer\n"}},
		{"http://shop.test/", 1, []string{"no router gets it", "does not match: PathPrefix(`/cart`)"}},
		{"shop.test", 2, nil},
	} {
		var out bytes.Buffer
		if status := runExplain([]string{"--url", tt.url, path}, &out); status != tt.status {
			t.Errorf("%s: got %d:\n%s", tt.url, status, &out)
		}
		for _, word := range tt.words {
			if !strings.Contains(out.String(), word) {
				t.Errorf("%s: there is no %q in\n%s", tt.url, word, &out)
			}
		}
	}
}

func TestExplain_OfARunningOne(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/base/api/explain" || r.FormValue("url") != "http://a.test" || r.Form["header"][1] != "C: d" {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = w.Write([]byte(`{"message": "asked wrongly: ` + r.URL.Path + `"}`))
			return
		}
		_, _ = w.Write([]byte(`{"method":"GET","url":"http://a.test","entryPoint":"web","winner":{"router":"a@file","why":"gets the request and answers 503","service":{"name":"s@file","servers":[{"url":"http://b","up":false}]}}}`))
	}))
	t.Cleanup(s.Close)
	var out bytes.Buffer
	status := runExplain([]string{"--url=http://a.test", "--header=A: b", "--header=C: d", "--api=" + s.URL + "/base/"}, &out)
	if status != 0 || !strings.Contains(out.String(), "server    http://b down") || !strings.Contains(out.String(), "but it    gets the request and answers 503") {
		t.Errorf("got %d:\n%s", status, &out)
	}
	if status := runExplain([]string{"--url=http://a.test", "--api=" + s.URL}, &out); status != 2 {
		t.Errorf("a mistake: got %d", status)
	}
	if status := runExplain(nil, &out); status != 2 {
		t.Errorf("without a URL: got %d", status)
	}
}

// TestExplain_OfAnInstallConfiguration takes its entry points, and not the usual ones.
func TestExplain_OfAnInstallConfiguration(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"fairway.yml": "entryPoints:\n  public: {address: ':8443', http: {tls: {}, middlewares: [login@docker]}}\n  lan: {address: ':8000'}\nproviders: {file: {directory: " + dir + "/routes}}\n",
		"routes/a.yml": "http:\n  routers: {a: {rule: 'Host(`a.test`)', service: s, entryPoints: [public]}, b: {rule: 'Host(`b.test`)', service: s, entryPoints: [web]}}\n" +
			"  services: {s: {loadBalancer: {servers: [{url: 'http://127.0.0.1:1'}]}}}\n",
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		args   []string
		status int
		word   string
	}{
		{[]string{"--url=https://a.test/"}, 0, "at the entry point public\n  goes to the router a@file"},
		{[]string{"--url=https://a.test/"}, 0, "passes    login@docker"},
		{[]string{"--url=http://a.test:8000/"}, 1, "at the entry point lan\n"},
		{[]string{"--url=http://b.test/"}, 1, "at the entry point lan\n"},
		{[]string{"--url=http://a.test/", "--entrypoint=web"}, 2, ""},
	} {
		var out bytes.Buffer
		if status := runExplain(append(tt.args, filepath.Join(dir, "fairway.yml")), &out); status != tt.status || !strings.Contains(out.String(), tt.word) {
			t.Errorf("%v: got %d, want %d with %q:\n%s", tt.args, status, tt.status, tt.word, &out)
		}
	}
}
