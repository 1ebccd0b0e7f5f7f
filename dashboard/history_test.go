package dashboard

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fairway/config/dynamic"
	"fairway/internal/decode"
)

func configuration(t *testing.T, text string) *dynamic.Configuration {
	t.Helper()
	tree, err := decode.Document([]byte(text), ".yml")
	if err != nil {
		t.Fatal(err)
	}
	cfg := &dynamic.Configuration{HTTP: &dynamic.HTTP{}, Origin: func(kind, name string) (string, int) { return "routes.yml", 7 }}
	if faults := tree.Into(cfg, nil); len(faults) > 0 {
		t.Fatal(faults)
	}
	return cfg.Qualified("file")
}

func TestHistory(t *testing.T) {
	var h History
	at := time.Unix(1e9, 0)
	first := configuration(t, `
http:
  routers: {a: {rule: "Path('/')", service: s}, gone: {rule: "Path('/gone')", service: s}}
  services: {s: {loadBalancer: {servers: [{url: "http://u:hunter2@10.0.0.1"}]}}}
  middlewares: {h: {headers: {customRequestHeaders: {X-Api-Key: hunter2, X-Plain: a}}}, same: {stripPrefix: {prefixes: [/a]}}}
`)
	second := configuration(t, `
http:
  routers: {a: {rule: "Path('/b')", service: s, middlewares: [same]}, fresh: {rule: "Path('/f')", service: s}}
  services: {s: {loadBalancer: {servers: [{url: "http://u:hunter3@10.0.0.1"}, {url: "http://10.0.0.2"}]}}}
  middlewares: {h: {headers: {customRequestHeaders: {X-Api-Key: hunter3, X-Plain: b}}}, same: {stripPrefix: {prefixes: [/a]}}}
`)
	h.Note(first, first, at, time.Millisecond)
	h.Note(first, second, at, time.Millisecond)
	want := []Change{{ID: 1, Time: at, Took: "1ms", Providers: []string{"file"}, Objects: []ObjectChange{
		{Kind: "router", Name: "a@file", What: "changed", Source: "routes.yml:7", Options: []OptionChange{{"middlewares[0]", "", "same"}, {"rule", "Path('/')", "Path('/b')"}}},
		{Kind: "router", Name: "fresh@file", What: "added", Source: "routes.yml:7", Options: []OptionChange{{"rule", "", "Path('/f')"}, {"service", "", "s"}}},
		{Kind: "router", Name: "gone@file", What: "removed", Source: "routes.yml:7", Options: []OptionChange{{"rule", "Path('/gone')", ""}, {"service", "s", ""}}},
		{Kind: "service", Name: "s@file", What: "changed", Source: "routes.yml:7", Options: []OptionChange{{"loadBalancer.servers[1].url", "", "http://10.0.0.2"}}},
		{Kind: "middleware", Name: "h@file", What: "changed", Source: "routes.yml:7", Options: []OptionChange{{"headers.customRequestHeaders.X-Plain", "a", "b"}}},
	}}}
	if diff := cmp.Diff(want, h.All()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestHistory_IsBounded(t *testing.T) {
	var h History
	before := &dynamic.Configuration{}
	for i := range mostChanges + 5 {
		after := &dynamic.Configuration{HTTP: &dynamic.HTTP{Routers: map[string]*dynamic.Router{}}}
		for j := range mostObjects + 3 {
			after.HTTP.Routers[fmt.Sprint(j, "@file")] = &dynamic.Router{Rule: fmt.Sprint(i)}
		}
		h.Note(before, after, time.Now(), 0)
		before = after
	}
	all := h.All()
	if len(all) != mostChanges || all[0].ID != mostChanges+5 || len(all[0].Objects) != mostObjects || all[0].More != 3 {
		t.Errorf("got %d, the newest %d with %d objects and %d more", len(all), all[0].ID, len(all[0].Objects), all[0].More)
	}
}
