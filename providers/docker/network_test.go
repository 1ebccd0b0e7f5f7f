package docker

import (
	"testing"

	"fairway/internal/dockerengine"
)

func TestCheckNetwork(t *testing.T) {
	in := func(names ...string) facts {
		f := facts{networks: dockerengine.Networks{}, labels: map[string]string{composeProject: "shop"}}
		for _, name := range names {
			f.networks[name] = dockerengine.Address{V4: "10.0.0.1"}
		}
		return f
	}
	tests := []struct {
		name, wanted string
		all          []facts
		nearest      string
		silent       bool
	}{
		{name: "none is wanted", all: []facts{in("a")}, silent: true},
		{name: "a container is in it", wanted: "proxy", all: []facts{in("a"), in("b", "proxy")}, silent: true},
		{name: "compose put the project in front", wanted: "proxy", all: []facts{in("shop_proxy")}, silent: true},
		{name: "no container is there at all", wanted: "proxy", silent: true},
		{name: "mistyped", wanted: "prox", all: []facts{in("bridge"), in("proxy")}, nearest: "proxy"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := &endpoint{config: &Config{Network: tt.wanted}}
			e.checkNetwork(tt.all)
			if silent := e.nowhere == nil; silent != tt.silent {
				t.Fatalf("got %v", e.nowhere)
			}
			if e.nowhere != nil && e.nowhere.Nearest != tt.nearest {
				t.Errorf("got nearest %q, want %q", e.nowhere.Nearest, tt.nearest)
			}
		})
	}
}
