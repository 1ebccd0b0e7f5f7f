package consulcatalog

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/consul/api"
	"github.com/sirupsen/logrus"
)

// The agents that these are made for are never asked: test/consul_test.go asks real ones.
func known(t *testing.T, change func(c *Config)) *catalog {
	t.Helper()
	c := &Config{}
	c.SetDefaults()
	if change != nil {
		change(c)
	}
	p, err := c.New(logrus.New())
	if err != nil {
		t.Fatal(err)
	}
	return &catalog{
		provider: p.(*provider), tags: map[string][]string{"a": {"x", "y"}, "b": nil, "hidden": nil},
		services: map[string]*service{"a": {nodes: []string{"n1"}}, "b": {nodes: []string{"n1", "n2"}, proxies: []string{"b-proxy"}}},
		checks:   saying(api.HealthChecks{check("n1", "a", "a1", "passing"), check("n1", "", "serf", "passing"), check("n2", "b-proxy", "p1", "passing")}),
		nodes:    map[string][]string{"n1": {"a", "b"}, "n2": {"b"}}, fronts: map[string][]string{"b-proxy": {"b"}},
	}
}

func check(node, service, id, status string) *api.HealthCheck {
	return &api.HealthCheck{Node: node, ServiceName: service, CheckID: id, Status: status}
}

func TestCompare_FindsTheServicesThatSayOtherThings(t *testing.T) {
	same := map[string][]string{"a": {"y", "x"}, "b": nil, "hidden": nil}
	checks := func(a, serf, proxy string) api.HealthChecks {
		var list api.HealthChecks
		for _, c := range []*api.HealthCheck{check("n1", "a", "a1", a), check("n1", "", "serf", serf), check("n2", "b-proxy", "p1", proxy)} {
			if c.Status != "" {
				list = append(list, c)
			}
		}
		return list
	}
	for name, tt := range map[string]struct {
		heard heard
		want  string
		all   bool
	}{
		"nothing new":                   {heard{tags: same}, "", false},
		"only the number":               {heard{tags: same, moved: true}, "", true},
		"other tags":                    {heard{tags: map[string][]string{"a": {"x"}, "b": nil, "hidden": nil}, moved: true}, "a", false},
		"a new service":                 {heard{tags: map[string][]string{"a": {"x", "y"}, "b": nil, "c": nil, "hidden": nil}, moved: true}, "c", false},
		"one that is gone":              {heard{tags: map[string][]string{"a": {"x", "y"}, "hidden": nil}, moved: true}, "b", false},
		"the same checks":               {heard{checks: checks("passing", "passing", "passing")}, "", false},
		"a check that fails":            {heard{checks: checks("critical", "passing", "passing")}, "a", false},
		"a check that is gone":          {heard{checks: checks("", "passing", "passing")}, "a", false},
		"the check of a node":           {heard{checks: checks("passing", "critical", "passing")}, "a b", false},
		"the check of a proxy":          {heard{checks: checks("passing", "passing", "critical")}, "b b-proxy", false},
		"a check of an unknown service": {heard{checks: append(checks("passing", "passing", "passing"), check("n3", "nobody", "x", "passing"))}, "", false},
	} {
		c := known(t, nil)
		c.tags["b-proxy"] = nil
		if tt.heard.tags != nil {
			tt.heard.tags["b-proxy"] = nil
		}
		got := strings.Join(slices.Sorted(maps.Keys(c.compare(tt.heard))), " ")
		if got != tt.want || c.all != tt.all {
			t.Errorf("%s: got %q, all %v, want %q, %v", name, got, c.all, tt.want, tt.all)
		}
	}
}

func TestShows_ByTheTagsOfAllInstances(t *testing.T) {
	c := known(t, func(c *Config) { c.ExposedByDefault = false })
	c.tags = map[string][]string{"a": {"traefik.enable=true"}, "b": {"Fairway.Enable=false"}, "c": {"traefik.http.routers.c.rule=x"}, "d": nil}
	if got := fmt.Sprint(slices.Sorted(slices.Values(c.shown()))); got != "[a b]" { // b says itself that it is not
		t.Errorf("got %s", got)
	}
}

func TestNext_GoesBackWithTheServers(t *testing.T) {
	for _, tt := range [][3]uint64{{0, 5, 5}, {5, 5, 5}, {5, 9, 9}, {9, 5, 0}, {5, 0, 0}} {
		if got := next(tt[0], tt[1]); got != tt[2] {
			t.Errorf("from %d to %d: got %d, want %d", tt[0], tt[1], got, tt[2])
		}
	}
}

func TestNew_NamesTheOptionThatIsWrong(t *testing.T) {
	for want, change := range map[string]func(c *Config){
		"strictChecks: \"green\"":     func(c *Config) { c.StrictChecks = []string{"green"} },
		"strictChecks: with no state": func(c *Config) { c.StrictChecks = nil },
		"requireConsistent and stale": func(c *Config) { c.RequireConsistent, c.Stale = true, true },
		"refreshInterval: is no time": func(c *Config) { c.RefreshInterval = 0 },
		"prefix: \"a=b\"":             func(c *Config) { c.Prefix = "a=b" },
		"constraints \"Label(":        func(c *Config) { c.Constraints = "Label(`a`, `b`)" },
		"endpoint: only one of token": func(c *Config) { c.Endpoint.Token, c.Endpoint.TokenFile = "a", "b" },
		"endpoint: tls: ca: ":         func(c *Config) { c.Endpoint.TLS = &TLS{CA: "/nowhere"} },
		"defaultRule":                 func(c *Config) { c.DefaultRule = "{{" },
	} {
		c := &Config{}
		c.SetDefaults()
		change(c)
		if _, err := c.New(logrus.New()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	c := &Config{Namespaces: []string{"a", "b"}}
	c.SetDefaults()
	if got := slices.Sorted(maps.Keys(c.Each())); fmt.Sprint(got) != "[consulcatalog-a consulcatalog-b]" {
		t.Errorf("got %v", got)
	}
}
