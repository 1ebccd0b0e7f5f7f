package kv

import (
	"encoding/json"
	"strings"
	"testing"
)

func rooted(root string, all map[string]string) pairs {
	out := pairs{}
	for key, text := range all {
		out[key] = value{text, root}
	}
	return out
}

func TestConfiguration_OfKeys(t *testing.T) {
	cfg, err := configuration(rooted("traefik", map[string]string{
		"http/routers/shop/rule": "Host(`shop.test`)", "http/routers/shop/entrypoints/1": "b", "http/routers/shop/entrypoints/0": "a", "http/routers/shop/entrypoints/10": "c",
		"http/routers/shop/priority": "42", "http/routers/shop/tls": "true", "http/routers/plain/tls": "true", "http/routers/shop/tls/options": "modern", "http/routers/shop/service": "s",
		"http/services/s/loadbalancer/servers/0/url": "http://127.0.0.1:1", "http/services/s/loadbalancer/servers/1/url": "http://127.0.0.1:2", "http/services/s/loadbalancer/servers/1/weight": "3",
		"http/middlewares/h/headers/customrequestheaders/X-Yes": "true", "http/middlewares/r/ratelimit/average": "5",
		"http/routers/wrong/rulle": "x", "tls/options/modern/minversion": "VersionTLS13", "http/consumers/ann/users/0": "ann",
	}))
	if err != nil {
		t.Fatal(err)
	}
	text, _ := json.Marshal(cfg)
	for _, want := range []string{
		`"shop":{"entryPoints":["a","b","c"],"service":"s","rule":"Host(`, `"priority":42,"tls":{"options":"modern"}`, `"plain":{"tls":{}}`,
		`"servers":[{"url":"http://127.0.0.1:1"},{"url":"http://127.0.0.1:2","weight":3}]`, `"X-Yes":"true"`, `"average":5`, `"minVersion":"VersionTLS13"`, `"ann":{"users":["ann"]}`,
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
	if len(cfg.Problems) != 1 || cfg.Problems[0].Key != "traefik/http/routers/wrong/rulle" || cfg.Problems[0].Nearest != "traefik/http/routers/wrong/rule" || !cfg.Problems[0].Disables {
		t.Errorf("got %v", cfg.Problems)
	}
	if cfg, err := configuration(pairs{}); err != nil || len(cfg.HTTP.Routers) != 0 {
		t.Errorf("of no keys: %v %v", cfg, err)
	}
}

func FuzzConfiguration(f *testing.F) {
	f.Add("http/routers/a/rule", "Host(`a`)", "http/routers/a/entrypoints/0", "web")
	f.Add("http", "x", "http/routers/0/1", "")
	f.Add("//", "", "tls/certificates/0/certfile", "x")
	f.Fuzz(func(_ *testing.T, a, av, b, bv string) {
		_, _ = configuration(pairs{a: {av, "traefik"}, b: {bv, "fairway"}})
	})
}
