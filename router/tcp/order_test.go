package tcp

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"fairway/config/dynamic"
	loadbalancers "fairway/proxy/tcp"
)

func TestBuild_OrderOfRouters(t *testing.T) {
	of := func(routers ...string) *dynamic.Configuration {
		c := &dynamic.Configuration{HTTP: &dynamic.HTTP{}, TCP: dynamic.NewTCP()}
		for _, name := range routers {
			c.TCP.Routers[name] = &dynamic.TCPRouter{Rule: "ClientIP(`10.0.0.0/8`)", Service: "s"}
			c.TCP.Services["s"] = &dynamic.TCPService{LoadBalancer: &loadbalancers.LoadBalancer{}}
		}
		return c
	}
	all := dynamic.Merge(map[string]*dynamic.Configuration{
		"docker": of("b").Qualified("docker"), "file": of("a", "c").Qualified("file"), "swarm": of("d").Qualified("swarm"),
	})
	tests := map[string]struct {
		precedence dynamic.Precedence
		want       []string
	}{
		"nothing is said":  {nil, []string{"d@swarm", "b@docker", "a@file", "c@file"}},
		"files come first": {dynamic.Precedence{"file"}, []string{"a@file", "c@file", "d@swarm", "b@docker"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			table := Build(all, nil, Env{EntryPoints: map[string]bool{"tcp": true}, Precedence: tt.precedence})
			var got []string
			for _, rt := range table.entryPoints["tcp"].plain {
				got = append(got, rt.Name)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("%s, problems %v", diff, table.problems)
			}
		})
	}
}
