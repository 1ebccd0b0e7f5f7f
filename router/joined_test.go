package router

import (
	"strings"
	"testing"

	"fairway/config/dynamic"
)

const inCatalog = `http:
  services:
    shop: {loadBalancer: {servers: [{url: 'http://b'}, {url: 'http://a'}]}}
    parts: {failover: {service: shop, fallback: shop}}
    mesh: {loadBalancer: {serversTransport: mesh, servers: [{url: 'https://m'}]}}
  serversTransports: {mesh: {insecureSkipVerify: true}}
`

// joinedTable has three providers, and a router for a service of two of them.
func joinedTable(t *testing.T, r *Router, service, docker string) *Table {
	t.Helper()
	if docker == "" {
		docker = "http: {services: {shop: {middlewares: [deep], loadBalancer: {servers: [{url: 'http://a'}]}}}, middlewares: {deep: {addPrefix: {prefix: /deep}}}}"
	}
	return r.Apply(dynamic.Merge(map[string]*dynamic.Configuration{
		"docker": parse(t, "docker", docker), "consulcatalog": parse(t, "consulcatalog", inCatalog),
		"file": parse(t, "file", `http: {routers: {r: {rule: 'PathPrefix("/")', service: '`+service+`'}}}`),
	}))
}

func TestJoined_HasTheServersOfAllProvidersAndTheOptionsOfTheFirst(t *testing.T) {
	r := New(newEnv())
	table := joinedTable(t, r, "shop@docker,consulcatalog", "")
	if problems := table.Problems(); len(problems) > 0 {
		t.Fatalf("got %v", problems)
	}
	got := map[string]int{}
	for range 8 {
		got[ask(t, r, "web", "http://x/p")]++
	}
	if len(got) != 2 || got["200 a /deep/p"] != 4 || got["200 b /deep/p"] != 4 {
		t.Errorf("got %v", got)
	}
}

func TestJoined_IsThereAsLongAsOneProviderHasIt(t *testing.T) {
	r := New(newEnv())
	const name = "shop@docker, consulcatalog"
	joinedTable(t, r, name, "")
	for _, tt := range []struct{ docker, want, problem string }{
		{"http: {services: {}}", "b", `the service "shop@docker" does not exist: its servers are missing`},
		{"", "b", ""},
		{"http: {services: {shop: {loadBalancer: {servers: [{url: 'http://c'}]}}}}", "c", ""},
		{"http: {services: {shop: {loadBalancer: {serverss: 1, servers: [{url: 'http://c'}]}}}}", "b", ""},
	} {
		table := joinedTable(t, r, name, tt.docker)
		s := table.services[name]
		var problems []string
		for _, p := range table.Problems() {
			if p.Name == name {
				problems = append(problems, p.Reason)
			}
		}
		if s == nil || strings.Join(problems, "") != tt.problem || tt.problem != "" && s.Status != Warned {
			t.Fatalf("%s: got %+v, %q", tt.docker, s, problems)
		}
		seen := ""
		for range 8 {
			seen += ask(t, r, "web", "http://x/p")
		}
		if tt.want != "" && !strings.Contains(seen, " "+tt.want+" ") {
			t.Errorf("%s: got %s", tt.docker, seen)
		}
		if again := joinedTable(t, r, name, tt.docker); tt.want != "" && again.services[name] != s {
			t.Errorf("%s: built anew although nothing has changed", tt.docker)
		}
	}
}

func TestJoined_Mistakes(t *testing.T) {
	for _, tt := range []struct{ service, docker, want string }{
		{"shopp@docker,consulcatalog", "", `the service "shopp@docker,consulcatalog" does not exist`},
		{"shop@docker,consulcatlog", "", `the service "shop@consulcatlog" does not exist: its servers are missing`},
		{"parts@consulcatalog,docker", "", `"parts@consulcatalog" is no load balancer`},
		{"mesh@docker,consulcatalog", "http: {services: {mesh: {loadBalancer: {servers: [{url: 'http://a'}]}}}}", `serversTransport is none and "mesh@consulcatalog"`},
		{"mesh@consulcatalog,docker", "http: {services: {mesh: {failover: {service: mesh, fallback: mesh}}}}", `"mesh@docker" is no load balancer`},
	} {
		table := joinedTable(t, New(newEnv()), tt.service, tt.docker)
		var found []string
		for _, p := range table.Problems() {
			found = append(found, p.String())
		}
		if text := strings.Join(found, "\n"); !strings.Contains(text, tt.want) {
			t.Errorf("%s: got\n%s", tt.service, text)
		}
	}
}
