package kong

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fairway/internal/importer"
)

var update = flag.Bool("update", false, "rewrite the results in testdata")

func hash(password string) (string, error) { return "{SHA}hash-of-" + password, nil }

func imported(t *testing.T, text string) (*importer.Output, string) {
	t.Helper()
	out, err := Import([]byte(text), hash)
	if err != nil {
		t.Fatal(err)
	}
	yaml, err := out.YAML("kong.yml")
	if err != nil {
		t.Fatal(err)
	}
	return out, string(yaml)
}

func TestImport_OfAShop(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("testdata", "shop.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	_, got := imported(t, string(text))
	at := filepath.Join("testdata", "shop.out.yaml")
	if *update {
		if err := os.WriteFile(at, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(at)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// What Kong refuses is not half of a gateway here: a route without its paths would be one for all paths.
func TestImport_RefusesWhatKongRefuses(t *testing.T) {
	for text, want := range map[string]string{
		`services: [{name: s, routes: [{name: r, paths: 5, strip_path: "y"}]}]`:         "services[s].routes[r].paths: is not a list of texts\nservices[s].routes[r].strip_path: is not true or false",
		`services: [{name: s, routes: [{name: r, paths: {a: b}}]}]`:                     `services[s].routes[r].paths: is not a list of texts`,
		`routes: [{name: r, headers: {x: {y: z}}}]`:                                     `routes[r].headers: is not an object of lists of texts`,
		`services: [{name: s, port: http}, {name: t, plugins: [{name: x, config: 1}]}]`: "services[s].port: is not a whole number\nservices[t].plugins[x].config: is not an object",
		`services: [{name: s, port: '${{ env "DECK_PORT" }}'}]`:                         `services[s].port: is not a whole number; let deck render the file first`,
		`services: {s: {}}`: `services: is not a list of objects`,
		`services: [5]`:     `services[0]: is not an object`,
		`consumers: [{username: a, acls: [{group: []}]}]`: `consumers[a].acls[0].group: is not a text`,
	} {
		if _, err := Import([]byte("_format_version: '3.0'\n"+text), hash); err == nil || err.Error() != want {
			t.Errorf("%s: got %v", text, err)
		}
	}
}

func TestImport_TakesWhatKongTakes(t *testing.T) {
	for _, text := range []string{
		`services: [{name: s, host: a, port: 8080.0, routes: [{name: r, paths: [/r], strip_path: no, headers: []}], plugins: []}]`,
		`services: [{name: s, host: a, port: 80.8e2, tls_verify: on, routes: [{name: r, paths: [/r], strip_path: off, headers: {}}], tags: {}}]`,
	} {
		_, got := imported(t, "_format_version: '3.0'\n"+text)
		if strings.Contains(got, "stripPrefix") || !strings.Contains(got, "http://a:8080") {
			t.Errorf("%s: got\n%s", text, got)
		}
	}
}

func TestImport_ReportsWhatHasNoCounterpart(t *testing.T) {
	const route = `routes: [{name: r, paths: [/r]}]`
	for _, tt := range []struct{ text, want string }{
		{`services: [{name: s, url: 'http://a', ` + route + `, plugins: [{name: ldap-auth}]}]`, "lost     services[s].plugins[ldap-auth]: see the middleware ldapAuth: requests are refused"},
		{`services: [{name: s, url: 'http://a', ` + route + `, plugins: [{name: my-auth-plugin}]}]`, "lost     services[s].plugins[my-auth-plugin]: it is not known: requests are refused"},
		{`services: [{name: s, url: 'http://a', ` + route + `, plugins: [{name: pre-function}]}]`, "lost     services[s].plugins[pre-function]: code in Lua"},
		{`services: [{name: s, url: 'http://a', ` + route + `, plugins: [{name: jwt}]}]`, "lost     services[s].plugins[jwt]: there is no key of a consumer: requests are refused"},
		{`services: [{name: s, url: 'http://a', ` + route + `, plugins: [{name: rate-limiting, config: {year: 1}}]}]`, "lost     services[s].plugins[rate-limiting].config.year"},
		{`services: [{name: s, url: 'http://a', routes: [{name: r, expression: x}]}]`, "lost     services[s].routes[r].expression: "},
		{`services: [{name: s, url: 'http://a', routes: [{name: r, paths: ['~/(?=a)']}]}]`, `"~/(?=a)" is no expression of Go (RE2)`},
		{"services: [{name: s, url: 'http://a', routes: [{name: r, paths: ['/a`) || Host(`b']}]}]", "cannot stand in a rule: nothing answers"},
		{`services: [{name: s, url: 'http://a', ca_certificates: [x], protocol: http, ` + route + `}]`, ""},
		{`routes: [{name: r, service: nobody, paths: [/r]}]`, "lost     routes[r]: there is no service nobody"},
		{route, "lost     routes[r]: nothing answers"},
		{`consumers: [{username: a, jwt_secrets: [{key: k, secret: short}]}]`, "the secret has less than 32 bytes"},
		{`consumers: [{username: a, hmacauth_credentials: [{username: a}]}]`, "lost     consumers[a].hmacauth_credentials[a]: "},
		{`vaults: [{name: env}]`, "lost     vaults: "},
		{`whatever: []`, "lost     whatever: it is not known"},
	} {
		out, _ := imported(t, "_format_version: '3.0'\n"+tt.text)
		var all []string
		for _, l := range out.Report() {
			all = append(all, l.String())
		}
		if report := strings.Join(all, "\n"); !strings.Contains(report, tt.want) {
			t.Errorf("%s: got %q", tt.text, report)
		}
	}
}

func TestImport_WhatCannotDecideRefuses(t *testing.T) {
	_, text := imported(t, `{"_format_version": "3.0", "services": [{"name": "s", "url": "http://a", "routes": [{"name": "r", "paths": ["/r"]}], "plugins": [{"name": "oauth2"}]}]}`)
	if !strings.Contains(text, "- undecided") || !strings.Contains(text, `deny: "true"`) {
		t.Errorf("got %s", text)
	}
}

func TestImport_OfEntitiesBesideEachOther(t *testing.T) {
	nested := `_format_version: "3.0"
services: [{name: s, host: u, routes: [{name: r, paths: [/r], plugins: [{name: correlation-id, config: {generator: uuid, echo_downstream: true}}]}]}]
upstreams: [{name: u, targets: [{target: 'a:1'}]}]
consumers: [{username: ann, keyauth_credentials: [{key: k1}], acls: [{group: g}]}]`
	flat := `_format_version: "3.0"
services: [{name: s, id: 1, host: u}]
routes: [{name: r, service: {id: 1}, paths: [/r]}]
upstreams: [{name: u}]
targets: [{target: 'a:1', upstream: u}]
consumers: [{username: ann}]
keyauth_credentials: [{key: k1, consumer: {username: ann}}]
acls: [{group: g, consumer: ann}]
plugins: [{name: correlation-id, route: r, config: {generator: uuid, echo_downstream: true}}, {name: correlation-id, config: {header_name: X}}]`
	_, one := imported(t, nested)
	_, other := imported(t, flat)
	if diff := cmp.Diff(one, other); diff != "" {
		t.Errorf("-nested +flat:\n%s", diff)
	}
}

func TestImport_PathsOfBefore3AreExpressionsIfTheyLookLikeIt(t *testing.T) {
	for version, want := range map[string]string{"2.1": "PathRegexp(`^(?:/a/\\d+)`)", "3.0": "PathPrefix(`/a/\\d+`)"} {
		_, text := imported(t, "_format_version: '"+version+"'\nservices: [{name: s, url: 'http://a', routes: [{name: r, paths: ['/a/\\d+']}]}]")
		if !strings.Contains(text, want) {
			t.Errorf("%s: got %s", version, text)
		}
	}
}

func TestImport_TellsWhatCannotBeRead(t *testing.T) {
	for text, want := range map[string]string{"": "no object", "a: [": "line 1", "services: []": `_format_version: "" is none of`, "_format_version: '4.0'": `"4.0"`} {
		if _, err := Import([]byte(text), hash); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v", text, err)
		}
	}
}

func FuzzImport(f *testing.F) {
	for _, seed := range []string{
		`services: [{name: s, url: 'http://a/b', routes: [{paths: ['~/a', /b], hosts: ['*.a'], headers: {a: ['~*b']}}], plugins: [{name: jwt}, {name: cors, config: {origins: ['(']}}]}]`,
		`consumers: [{username: a, jwt_secrets: [{key: k, algorithm: RS256, rsa_public_key: x}], basicauth_credentials: [{username: a, password: b}]}]`,
		"upstreams: [{name: u, targets: [{target: '['}], healthchecks: {active: {healthy: {interval: 1}}}}]\nservices: [{host: u, routes: [{}]}]",
		`routes: [{paths: [/a], plugins: [{name: request-transformer, config: {add: {headers: ['a:$(headers.b)'], body: ['c:d']}, replace: {uri: /x}}}, {name: aws-lambda, config: {function_name: f}}]}]`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		out, err := Import([]byte("_format_version: '3.0'\n"+text), hash)
		if err != nil {
			return
		}
		if _, err := out.YAML("x"); err != nil {
			t.Error(err)
		}
	})
}
