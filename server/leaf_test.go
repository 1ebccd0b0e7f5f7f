package server

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// leafs are services of several kinds, with middlewares before them.
const leafs = `
http:
  routers:
    login: {rule: 'Path("/login")', service: part, middlewares: [login]}
    whole: {rule: 'Path("/whole")', service: whole}
    nobody: {rule: 'Path("/nobody")', service: empty}
    own: {rule: 'Path("/own")', service: noop@internal}
    page: {rule: 'Path("/page")', service: empty, middlewares: [page]}
  middlewares:
    login: {basicAuth: {users: ["a:$2a$04$xxxxxxxxxxxxxxxxxxxxxuTt9x0XVZ2u0jlvxQWTnPEY7EpYdiIBG"]}}
    page: {errors: {status: ["503"], service: part}}
  services:
    part: {loadBalancer: {servers: [{url: "%s"}]}}
    empty: {loadBalancer: {servers: []}}
    whole: {weighted: {services: [{name: part, weight: 1}]}}
`

// Who has answered is who counts: no service does for what a middleware has answered, and
// parts do under their own names, as Traefik has it.
func TestServer_RequestsCountForWhoWasAsked(t *testing.T) {
	routes := strings.NewReplacer(`("`, "(`", `")`, "`)").Replace(fmt.Sprintf(leafs, backend(t, func(*http.Request) {})))
	file := filepath.Join(t.TempDir(), "access.log")
	r := start(t, routes, "--entrypoints.traefik.address=127.0.0.1:0", "--metrics.prometheus.addrouterslabels", "--metrics.addinternals", "--accesslog.addinternals",
		"--accesslog.filepath="+file, "--accesslog.format=json", "--accesslog.flushinterval=1ms")
	names := map[string]string{"/login": "", "/whole": "part@file", "/nobody": "empty@file", "/own": "noop@internal", "/page": "empty@file"}
	for path := range names {
		r.get(t, "any.test", path)
	}
	got := map[string]string{}
	await(t, "the lines", func() bool {
		text, err := os.ReadFile(file)
		if err != nil || !strings.HasSuffix(string(text), "\n") {
			return false
		}
		clear(got)
		for line := range strings.Lines(string(text)) {
			var fields struct{ RequestPath, ServiceName string }
			if err := json.Unmarshal([]byte(line), &fields); err != nil {
				t.Fatal(err)
			}
			got[fields.RequestPath] = fields.ServiceName
		}
		return len(got) >= len(names)
	})
	for path, want := range names {
		if got[path] != want {
			t.Errorf("%s: the log has the service %q, want %q", path, got[path], want)
		}
	}
	text := scrapeWith(t, r, `fairway_service_requests_total{code="418",method="GET",protocol="http",service="noop@internal"} 1`)
	for _, want := range []string{
		`fairway_service_requests_total{code="200",method="GET",protocol="http",service="part@file"} 1`,
		`fairway_service_requests_total{code="503",method="GET",protocol="http",service="empty@file"} 2`,
		`fairway_router_requests_total{code="401",method="GET",protocol="http",router="login@file",service="part@file"} 1`,
		`fairway_router_requests_total{code="200",method="GET",protocol="http",router="whole@file",service="whole@file"} 1`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("there is no %s in:\n%s", want, text)
		}
	}
	if strings.Contains(text, `service_requests_total{code="401"`) {
		t.Error("an answer of a middleware counts for a service")
	}
}
