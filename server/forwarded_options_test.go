package server

import (
	"net/http"
	"strings"
	"testing"
)

func TestServer_NotAppendXForwardedFor(t *testing.T) {
	url := telling(t, "X-Forwarded-For", "X-Real-Ip")
	const trust = "--entrypoints.web.forwardedheaders.insecure"
	for _, tt := range []struct {
		name    string
		options []string
		sent    string
		want    string
	}{
		{"appended", []string{trust}, "192.0.2.1", "X-Forwarded-For: 192.0.2.1, 127.0.0.1\n"},
		{"not appended", []string{trust, "--entrypoints.web.forwardedheaders.notappendxforwardedfor"}, "192.0.2.1", "X-Forwarded-For: 192.0.2.1\n"},
		{"for all entry points", []string{trust, "--global.notappendxforwardedfor"}, "192.0.2.1", "X-Forwarded-For: 192.0.2.1\n"},
		{"none came", []string{trust, "--global.notappendxforwardedfor"}, "", ""},
		{"from a stranger", []string{"--global.notappendxforwardedfor"}, "192.0.2.1", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ways(t, routeTo(url), tt.options, func(t *testing.T, _ *running, client *http.Client) {
				r := ask(t, "GET", "/", nil)
				if tt.sent != "" {
					r.Header.Set("X-Forwarded-For", tt.sent)
				}
				_, got := fetch(t, client, r)
				if strings.Contains(got, "X-Forwarded-For") != (tt.want != "") || !strings.Contains(got, tt.want) || !strings.Contains(got, "127.0.0.1\n") {
					t.Errorf("the server got %q, want %q in it", got, tt.want)
				}
			})
		})
	}
}

// A field of the connection that the operator lets pass is there for middlewares,
// and ends at the gateway like the others.
func TestServer_ForwardedHeadersConnection(t *testing.T) {
	url := telling(t, "X-Kept", "X-Other", "Connection")
	routes := "http:\n  routers:\n    kept: {rule: 'Header(`X-Kept`, `1`)', service: all}\n    other: {rule: 'Header(`X-Other`, `1`)', service: all}\n" +
		"  services: {all: {loadBalancer: {servers: [{url: '" + url + "'}]}}}\n"
	for _, engine := range []string{"fairway", "std"} {
		r := start(t, routes, "--entrypoints.web.engine="+engine, "--entrypoints.web.forwardedheaders.connection=x-kept")
		for field, want := range map[string]int{"X-Kept": 200, "X-Other": 404} {
			got := r.ask(t, "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: "+field+"\r\n"+field+": 1\r\n\r\n")
			if got.status != want || strings.Contains(got.body, "X-") || strings.Contains(got.body, "Connection") {
				t.Errorf("%s, %s: got %d, want %d; the server got %q", engine, field, got.status, want, got.body)
			}
		}
	}
}
