package dynamic

import (
	"slices"
	"strings"
	"testing"
)

func TestPrecedence(t *testing.T) {
	tests := map[string]struct {
		order  string
		sorted string
	}{
		"nothing is said":      {"", "internal swarm docker file consul consul-east http other"},
		"some come first":      {"http File", "internal http file swarm docker consul consul-east other"},
		"one of a namespace":   {"consul-east", "internal consul-east swarm docker file consul http other"},
		"one of nobody's kind": {"other", "internal other swarm docker file consul consul-east http"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p := Precedence(strings.Fields(tt.order))
			got := strings.Fields("consul consul-east docker file http internal other swarm")
			slices.SortStableFunc(got, func(a, b string) int { return p.Place(a) - p.Place(b) })
			if strings.Join(got, " ") != tt.sorted {
				t.Errorf("got %v, want %s", got, tt.sorted)
			}
			for _, provider := range got {
				if p.Place(provider) > p.Last() {
					t.Errorf("%s comes behind the last", provider)
				}
			}
		})
	}
}
