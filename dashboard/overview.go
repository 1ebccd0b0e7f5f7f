package dashboard

import (
	"net/http"
	"time"
)

// count is how many objects of a kind there are, and how they are.
type count struct {
	Total    int `json:"total"`
	Warnings int `json:"warnings"`
	Errors   int `json:"errors"`
}

func countOf(items []item) count {
	c := count{Total: len(items)}
	for _, i := range items {
		switch i.status() {
		case "warning":
			c.Warnings++
		case "disabled":
			c.Errors++
		}
	}
	return c
}

type section struct {
	Routers     count  `json:"routers"`
	Services    count  `json:"services"`
	Middlewares *count `json:"middlewares,omitempty"`
}

func (a *api) overview(*http.Request) (any, error) {
	middlewares, ofTCP := countOf(a.middlewares()), countOf(a.tcpMiddlewares())
	view := struct {
		HTTP     section `json:"http"`
		TCP      section `json:"tcp"`
		UDP      section `json:"udp"`
		Features struct {
			Tracing   string `json:"tracing"`
			Metrics   string `json:"metrics"`
			AccessLog bool   `json:"accessLog"`
		} `json:"features"`
		Certificates count          `json:"certificates"`
		Providers    []string       `json:"providers"`
		Problems     map[string]int `json:"problems"`
	}{
		HTTP:      section{Routers: countOf(a.routers()), Services: countOf(a.services()), Middlewares: &middlewares},
		TCP:       section{Routers: countOf(a.tcpRouters()), Services: countOf(a.tcpServices()), Middlewares: &ofTCP},
		UDP:       section{Routers: countOf(a.udpRouters()), Services: countOf(a.udpServices())},
		Providers: a.Providers,
		Problems:  map[string]int{},
	}
	view.Features.AccessLog = a.Install.AccessLog != nil
	if a.Install.Metrics != nil && a.Install.Metrics.Prometheus != nil {
		view.Features.Metrics = "Prometheus"
	}
	if a.Install.Tracing != nil {
		view.Features.Tracing = "OpenTelemetry"
	}
	if a.Certificates != nil {
		view.Certificates = countCertificates(a.Certificates(), time.Now())
	}
	for _, p := range a.Problems() {
		view.Problems[string(p.Severity)]++
	}
	return view, nil
}
