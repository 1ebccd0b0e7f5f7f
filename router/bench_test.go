package router

import (
	"fmt"
	"maps"
	"testing"

	"fairway/config/dynamic"
	"fairway/middlewares/stripprefix"
	"fairway/proxy/loadbalancer"
)

// large makes a configuration of n routers, each with a service and a middleware
// of its own.
func large(n int) *dynamic.Configuration {
	h := &dynamic.HTTP{Routers: map[string]*dynamic.Router{}, Services: map[string]*dynamic.Service{}, Middlewares: map[string]*dynamic.Middleware{}}
	for i := range n {
		name := fmt.Sprintf("app-%d@docker", i)
		h.Routers[name] = &dynamic.Router{Rule: fmt.Sprintf("Host(`app-%d.example.com`) && PathPrefix(`/api`)", i), Service: name, Middlewares: []string{name}}
		h.Services[name] = largeService(i)
		h.Middlewares[name] = &dynamic.Middleware{StripPrefix: &stripprefix.Config{Prefixes: []string{"/api"}}}
	}
	return &dynamic.Configuration{HTTP: h}
}

func largeService(i int) *dynamic.Service {
	return &dynamic.Service{LoadBalancer: &loadbalancer.Config{Servers: []loadbalancer.Server{{URL: fmt.Sprintf("http://10.0.%d.%d:80", i/256%256, i%256)}}}}
}

func BenchmarkBuild_10000Routers(b *testing.B) {
	cfg, env := large(10_000), newEnv()
	b.ReportAllocs()
	for b.Loop() {
		Build(cfg, nil, env)
	}
}

func BenchmarkApply_OneChangeAmong10000(b *testing.B) {
	cfg := large(10_000)
	const name = "app-77@docker"
	changes := map[string]func(*dynamic.HTTP, int){
		"Service": func(h *dynamic.HTTP, i int) {
			h.Services = maps.Clone(h.Services)
			h.Services[name] = largeService(i)
		},
		"Router": func(h *dynamic.HTTP, i int) {
			h.Routers = maps.Clone(h.Routers)
			h.Routers[name] = &dynamic.Router{Rule: fmt.Sprintf("Host(`app-77.example.com`) && PathPrefix(`/%d`)", i), Service: name, Middlewares: []string{name}}
		},
	}
	for kind, change := range changes {
		b.Run(kind, func(b *testing.B) {
			variants := [2]*dynamic.Configuration{}
			for i := range variants {
				h := *cfg.HTTP
				change(&h, i)
				variants[i] = &dynamic.Configuration{HTTP: &h}
			}
			r := New(newEnv())
			r.Apply(cfg)
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				r.Apply(variants[i%2])
				i++
			}
		})
	}
}
