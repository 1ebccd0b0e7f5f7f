package server

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestServer_SanitizePath(t *testing.T) {
	url := telling(t)
	for option, want := range map[string]string{"true": "GET /b/c\n", "false": "GET /x//../b/./c\n"} {
		t.Run(option, func(t *testing.T) {
			ways(t, routeTo(url), []string{"--entrypoints.web.http.sanitizepath=" + option}, func(t *testing.T, _ *running, client *http.Client) {
				r := ask(t, "GET", "/", nil)
				r.URL.Path = "/x//../b/./c"
				if _, got := fetch(t, client, r); got != want {
					t.Errorf("the server got %q, want %q", got, want)
				}
			})
		})
	}
}

// A rule sees the same of a path as the server, however it is written.
func TestServer_UnsanitizedPathsAreStillCompared(t *testing.T) {
	routes := "http:\n  routers:\n    all: {rule: 'PathPrefix(`/`)', service: all}\n    admin: {rule: 'PathPrefix(`/admin`)', service: all, middlewares: [no]}\n" +
		"  middlewares: {no: {ipAllowList: {sourceRange: [192.0.2.1]}}}\n  services: {all: {loadBalancer: {servers: [{url: '" + telling(t) + "'}]}}}\n"
	for _, engine := range []string{"fairway", "std"} {
		r := start(t, routes, "--entrypoints.web.http.sanitizepath=false", "--entrypoints.web.engine="+engine)
		for target, want := range map[string]string{
			"/admin":      "403",
			"/%61dmin":    "403",
			"/admin/%2e.": "403",
			"//admin":     "200 GET //admin\n",
			"/a%2fb\"c":   "200 GET /a%2Fb%22c\n",
			"/a%2fb":      "200 GET /a%2fb\n",
			"/a#b":        "400",
		} {
			got := r.ask(t, "GET "+target+" HTTP/1.1\r\nHost: a.test\r\n\r\n")
			if text := fmt.Sprintf("%d %s", got.status, got.body); text != want && (got.status == 200 || fmt.Sprint(got.status) != want) {
				t.Errorf("%s, %s: got %s, want %s", engine, target, text, want)
			}
		}
	}
}

func TestIntake_Target(t *testing.T) {
	const semicolons, characters = "--entrypoints.web.http.encodequerysemicolons", "--entrypoints.web.http.encodedcharacters"
	all := "/%2F%5C%00%3B%25%3F%23"
	tests := []struct {
		name    string
		options []string
		in      string
		want    string // RequestURI; empty for 400
	}{
		{"semicolons separate", nil, "/a;b?c;d=e;f", "/a;b?c&d=e&f"},
		{"semicolons are encoded", []string{semicolons}, "/a;b?c;d=e;f", "/a;b?c%3Bd=e%3Bf"},
		{"beside a path that is cleaned", []string{semicolons}, "//a?c;d", "/a?c%3Bd"},
		{"no query", []string{semicolons}, "/a;b", "/a;b"},
		{"all characters", nil, all, all},
		{"none of the characters", []string{characters}, "/a%20b%C3%A9", "/a%20b%C3%A9"},
		{"a slash", []string{characters}, "/a%2Fb", ""},
		{"a slash in lower case", []string{characters}, "/a%2fb", ""},
		{"a backslash", []string{characters}, "/a%5cb", ""},
		{"a null", []string{characters}, "/%00", ""},
		{"a semicolon", []string{characters}, "/..%3B/a", ""},
		{"a percent sign", []string{characters}, "/%252F", ""},
		{"a question mark", []string{characters}, "/a%3F", ""},
		{"a hash", []string{characters}, "/%23", ""},
		{"behind others", []string{characters}, "/%20%c3%a9%2f", ""},
		{"in the query", []string{characters}, "/a?b=%2F%00", "/a?b=%2F%00"},
		{"an allowed slash", []string{characters + ".allowencodedslash"}, "/a%2Fb", "/a%2Fb"},
		{"another", []string{characters + ".allowencodedslash"}, "/a%2F%5C", ""},
		{"an allowed backslash", []string{characters + ".allowencodedbackslash"}, "/%5C", "/%5C"},
		{"an allowed null", []string{characters + ".allowencodednullcharacter"}, "/%00", "/%00"},
		{"an allowed semicolon", []string{characters + ".allowencodedsemicolon"}, "/%3B", "/%3B"},
		{"an allowed percent sign", []string{characters + ".allowencodedpercent"}, "/%25", "/%25"},
		{"an allowed question mark", []string{characters + ".allowencodedquestionmark"}, "/%3F", "/%3F"},
		{"an allowed hash", []string{characters + ".allowencodedhash"}, "/%23", "/%23"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := ""
			o := outerOf(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				if got = r.RequestURI; got != r.URL.RequestURI() {
					t.Errorf("RequestURI is %q, URL %q", got, r.URL.RequestURI())
				}
			}), tt.options...)
			w := httptest.NewRecorder()
			o.ServeHTTP(w, httptest.NewRequest(http.MethodGet, tt.in, nil))
			if got != tt.want || (w.Code == http.StatusBadRequest) != (tt.want == "") {
				t.Errorf("got %q and status %d, want %q", got, w.Code, tt.want)
			}
		})
	}
}

func TestServer_EncodedCharacters(t *testing.T) {
	ways(t, routeTo(telling(t)), []string{"--entrypoints.web.http.encodedcharacters.allowencodedsemicolon"}, func(t *testing.T, _ *running, client *http.Client) {
		for target, want := range map[string]int{"/a%2Fb": 400, "/a%3Bb": 200} {
			if res, _ := fetch(t, client, ask(t, "GET", target, nil)); res.StatusCode != want {
				t.Errorf("%s: got %d, want %d", target, res.StatusCode, want)
			}
		}
	})
}

// Rules see a query as the server does: what a semicolon separates is a parameter
// for both, or for none.
func TestServer_SemicolonsInQueries(t *testing.T) {
	routes := "http:\n  routers:\n    all: {rule: 'PathPrefix(`/`)', service: all}\n    admin: {rule: 'Query(`admin`, `1`)', priority: 1000, service: all, middlewares: [no]}\n" +
		"  middlewares: {no: {ipAllowList: {sourceRange: [192.0.2.1]}}}\n  services: {all: {loadBalancer: {servers: [{url: '" + telling(t) + "'}]}}}\n"
	for option, want := range map[string]string{"false": "403", "true": "200 GET /?a=b%3Badmin=1\n"} {
		ways(t, routes, []string{"--entrypoints.web.http.encodequerysemicolons=" + option}, func(t *testing.T, _ *running, client *http.Client) {
			res, body := fetch(t, client, ask(t, "GET", "/?a=b;admin=1", nil))
			if got := fmt.Sprintf("%d %s", res.StatusCode, body); got != want && (res.StatusCode == 200 || fmt.Sprint(res.StatusCode) != want) {
				t.Errorf("%s: got %s, want %s", option, got, want)
			}
		})
	}
}

func TestServer_UnderscoreHeadersStrategy(t *testing.T) {
	url := telling(t, "X_User", "X-User")
	for strategy, want := range map[string]string{"": "200 X-User: a X_user: b", "keep": "200 X-User: a X_user: b", "delete": "200 X-User: a", "reject": "400"} {
		t.Run("strategy "+strategy, func(t *testing.T) {
			ways(t, routeTo(url), []string{"--entrypoints.web.http.underscoreheadersstrategy=" + strategy}, func(t *testing.T, _ *running, client *http.Client) {
				r := ask(t, "GET", "/", nil)
				r.Header["X-User"], r.Header["X_user"] = []string{"a"}, []string{"b"}
				res, body := fetch(t, client, r)
				got := fmt.Sprint(res.StatusCode)
				if res.StatusCode == 200 {
					for _, name := range []string{"X-User: a", "X_user: b"} {
						if strings.Contains(body, name) {
							got += " " + name
						}
					}
				}
				if got != want {
					t.Errorf("got %s, want %s", got, want)
				}
			})
		})
	}
}

func TestServer_MaxHeaderBytes(t *testing.T) {
	url := telling(t)
	for _, tt := range []struct {
		option  string
		fits    int
		notFits int
	}{
		{"", 60 << 10, 80 << 10},
		{"--entrypoints.web.http.maxheaderbytes=4096", 3 << 10, 20 << 10},
		{"--entrypoints.web.http.maxheaderbytes=300000", 250 << 10, 320 << 10},
	} {
		var options []string
		if tt.option != "" {
			options = append(options, tt.option)
		}
		ways(t, routeTo(url), options, func(t *testing.T, r *running, client *http.Client) {
			for size, want := range map[int]int{tt.fits: 200, tt.notFits: 431} {
				req := ask(t, "GET", "/", nil)
				req.Header.Set("Cookie", strings.Repeat("x", size))
				res, err := client.Do(req)
				if err != nil { // HTTP/2 may end the connection instead
					if want == 431 && (strings.Contains(err.Error(), "header list") || strings.Contains(err.Error(), "GOAWAY")) {
						continue
					}
					t.Fatal(err)
				}
				_ = res.Body.Close()
				if res.StatusCode != want {
					t.Errorf("%s, %d bytes: got %d, want %d", tt.option, size, res.StatusCode, want)
				}
			}
		})
	}
	r := start(t, routeTo(url), "--entrypoints.web.http.maxheaderbytes=300000")
	for size, want := range map[int]int{60 << 10: 200, 80 << 10: 414} {
		if got := r.ask(t, "GET /"+strings.Repeat("x", size)+" HTTP/1.1\r\nHost: a.test\r\n\r\n"); got.status != want {
			t.Errorf("a target of %d bytes: got %d, want %d", size, got.status, want)
		}
	}
}
