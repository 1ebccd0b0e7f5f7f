package router

import (
	"crypto/tls"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestExplain(t *testing.T) {
	r := New(newEnv())
	r.Apply(parse(t, "file", `
http:
	routers:
		shop: {rule: "Host(`+"`shop.test`"+`)", service: s}
		cart: {rule: "Host(`+"`shop.test`) && PathPrefix(`/cart`)"+`", service: s, middlewares: [strip]}
		posts: {rule: "Host(`+"`shop.test`) && PathPrefix(`/cart`) && Method(`POST`)"+`", service: s}
		inside: {rule: "Host(`+"`shop.test`"+`)", service: s, entryPoints: [traefik], priority: 1000}
		safe: {rule: "Host(`+"`shop.test`"+`)", service: s, tls: {}}
		broken: {rule: "Host(`+"`broken.test`"+`)", service: s, middlewares: [missing]}
		nowhere: {rule: "PathPrefix(`+"`/nowhere`"+`)", service: s}
		bad: {rule: "Host(", service: s}
	middlewares: {strip: {stripPrefix: {prefixes: [/cart]}}}
	services: {s: {loadBalancer: {servers: [{url: "http://10.0.0.1"}]}}}
`))
	for _, tt := range []struct {
		name, entryPoint, url, method string
		secure                        bool
		winner                        string
		lost, near                    []string
	}{
		{
			name: "the more special one", entryPoint: "web", url: "http://shop.test/cart/1", winner: "cart@file: ",
			lost: []string{"shop@file: matches, but has a lower priority: 17, not 40"},
			near: []string{"inside@file: matches, but listens at traefik", "safe@file: matches, but only requests by TLS: it has a tls option", "posts@file: does not match: Method(`POST`)"},
		},
		{
			name: "by TLS", entryPoint: "websecure", url: "https://shop.test/other", secure: true, winner: "safe@file: ",
			near: []string{
				"inside@file: matches, but listens at traefik", "shop@file: matches, but only requests without TLS: it has no tls option",
				"cart@file: does not match: PathPrefix(`/cart`)", "posts@file: does not match: PathPrefix(`/cart`), Method(`POST`)",
			},
		},
		{name: "a mistyped host", entryPoint: "traefik", url: "http://shp.test/cart", near: []string{
			"inside@file: does not match: Host(`shop.test`)", "cart@file: does not match: Host(`shop.test`)", "safe@file: does not match: Host(`shop.test`)", "shop@file: does not match: Host(`shop.test`)",
			"posts@file: does not match: Host(`shop.test`), Method(`POST`)",
		}},
		{name: "out of use", entryPoint: "web", url: "http://broken.test/", winner: `broken@file: gets the request and answers 503, for it is out of use: the middleware "missing@file" does not exist`},
		{name: "nothing", entryPoint: "web", url: "http://else.example/"},
	} {
		req := httptest.NewRequest(tt.method, tt.url, nil)
		if !tt.secure {
			req.TLS = nil
		} else {
			req.TLS = &tls.ConnectionState{}
		}
		e := r.Table().Explain(tt.entryPoint, req)
		winner := ""
		if e.Winner != nil {
			winner = e.Winner.Name + ": " + e.Winner.Why
		}
		if winner != tt.winner {
			t.Errorf("%s: got %q, want %q", tt.name, winner, tt.winner)
		}
		for what, pair := range map[string][2][]string{"lost": {whys(e.Lost), tt.lost}, "near": {whys(e.Near), tt.near}} {
			if diff := cmp.Diff(pair[1], pair[0]); diff != "" {
				t.Errorf("%s, %s (-want +got):\n%s", tt.name, what, diff)
			}
		}
	}
}

func whys(all []Candidate) (texts []string) {
	for _, c := range all {
		texts = append(texts, strings.TrimSpace(c.Name+": "+c.Why))
	}
	return texts
}
