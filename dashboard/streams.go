package dashboard

import (
	"slices"
	"strconv"
	"strings"

	"fairway/config/dynamic"
	"fairway/router"
	"fairway/router/tcp"
	"fairway/router/udp"
)

// tcpRouterView is a router of TCP as the API shows it.
type tcpRouterView struct {
	*dynamic.TCPRouter
	EntryPoints []string `json:"entryPoints,omitempty"`
	Middlewares []string `json:"middlewares,omitempty"`
	Priority    int      `json:"priority,omitempty"`
	PriorityStr string   `json:"priorityStr,omitempty"`
	Using       []string `json:"using,omitempty"`
	about
}

func (v tcpRouterView) text() string {
	return strings.ToLower(v.Name + " " + v.Rule + " " + v.Service)
}

func (v tcpRouterView) uses(service, middleware string) bool {
	return (service == "" || dynamic.Qualify(v.Service, v.Provider) == service) && (middleware == "" || slices.Contains(v.Middlewares, middleware))
}

func (v tcpRouterView) listens(entryPoint string) bool {
	return entryPoint == "" || slices.Contains(v.EntryPoints, entryPoint)
}

func (v tcpRouterView) option(name string) string {
	switch name {
	case "rule":
		return v.Rule
	case "service":
		return v.Service
	}
	return strings.Join(v.EntryPoints, ",")
}

func (v tcpRouterView) number(string) int { return v.Priority }

// tcpServiceView is a service of TCP as the API shows it.
type tcpServiceView struct {
	*dynamic.TCPService
	UsedBy       []string          `json:"usedBy,omitempty"`
	ServerStatus map[string]string `json:"serverStatus,omitempty"`
	about
}

func (v tcpServiceView) number(string) int { return len(v.ServerStatus) }

// tcpMiddlewareView is a middleware of TCP as the API shows it.
type tcpMiddlewareView struct {
	*dynamic.TCPMiddleware
	UsedBy []string `json:"usedBy,omitempty"`
	about
}

// udpRouterView is a router of UDP as the API shows it.
type udpRouterView struct {
	*dynamic.UDPRouter
	Using []string `json:"using,omitempty"`
	about
}

func (v udpRouterView) listens(entryPoint string) bool {
	return entryPoint == "" || slices.Contains(v.EntryPoints, entryPoint)
}

func (v udpRouterView) option(name string) string {
	if name == "service" {
		return v.Service
	}
	return strings.Join(v.EntryPoints, ",")
}

// udpServiceView is a service of UDP as the API shows it.
type udpServiceView struct {
	*dynamic.UDPService
	UsedBy []string `json:"usedBy,omitempty"`
	about
}

func (a *api) source(kind, name string) string {
	if a.Origin == nil {
		return ""
	}
	return a.Origin(kind, name)
}

func (a *api) tcp() *tcp.Table {
	if a.TCP != nil {
		if t := a.TCP(); t != nil {
			return t
		}
	}
	return &tcp.Table{}
}

func (a *api) udp() *udp.Table {
	if a.UDP != nil {
		if t := a.UDP(); t != nil {
			return t
		}
	}
	return &udp.Table{}
}

func (a *api) tcpRouters() []item {
	items := []item{}
	for name, rt := range a.tcp().Routes() {
		v := tcpRouterView{
			TCPRouter: rt.Config, EntryPoints: rt.EntryPoints, Middlewares: rt.Middlewares, Priority: rt.Priority, PriorityStr: strconv.Itoa(rt.Priority),
			about: about{Status: router.Status(rt.Status), Error: rt.Errors, Name: name, Provider: dynamic.ProviderOf(name), Source: a.source(dynamic.KindTCPRouter, name)},
		}
		if rt.Status != tcp.Disabled {
			v.Using = rt.EntryPoints
		}
		items = append(items, v)
	}
	return items
}

func (a *api) tcpServices() []item {
	t := a.tcp()
	used := map[string][]string{}
	for _, name := range sorted(t.Routes()) {
		used[t.Routes()[name].Service] = append(used[t.Routes()[name].Service], name)
	}
	items := []item{}
	for name, s := range t.Services() {
		v := tcpServiceView{
			TCPService: s.Config, UsedBy: used[name],
			about: about{Status: router.Status(s.Status), Error: s.Errors, Name: name, Provider: dynamic.ProviderOf(name), Type: "loadbalancer", Source: a.source(dynamic.KindTCPService, name)},
		}
		if s.Config.Weighted != nil {
			v.Type = "weighted"
		}
		for _, server := range s.Servers() {
			if v.ServerStatus == nil {
				v.ServerStatus = map[string]string{}
			}
			v.ServerStatus[server.Address] = map[bool]string{true: "UP", false: "DOWN"}[server.Up]
		}
		items = append(items, v)
	}
	return items
}

func (a *api) tcpMiddlewares() []item {
	t := a.tcp()
	used := map[string][]string{}
	for _, name := range sorted(t.Routes()) {
		for _, m := range t.Routes()[name].Middlewares {
			used[m] = append(used[m], name)
		}
	}
	items := []item{}
	for name, m := range t.Middlewares() {
		items = append(items, tcpMiddlewareView{
			TCPMiddleware: m.Config, UsedBy: used[name],
			about: about{Status: router.Status(m.Status), Error: m.Errors, Name: name, Provider: dynamic.ProviderOf(name), Type: strings.ToLower(m.Kind), Source: a.source(dynamic.KindTCPMiddleware, name)},
		})
	}
	return items
}

func (a *api) udpRouters() []item {
	items := []item{}
	for name, rt := range a.udp().Routes() {
		v := udpRouterView{
			UDPRouter: rt.Config,
			about:     about{Status: router.Status(rt.Status), Error: rt.Errors, Name: name, Provider: dynamic.ProviderOf(name), Source: a.source(dynamic.KindUDPRouter, name)},
		}
		if rt.Status != udp.Disabled {
			v.Using = rt.Config.EntryPoints
		}
		items = append(items, v)
	}
	return items
}

func (a *api) udpServices() []item {
	t := a.udp()
	used := map[string][]string{}
	for _, name := range sorted(t.Routes()) {
		used[t.Routes()[name].Service] = append(used[t.Routes()[name].Service], name)
	}
	items := []item{}
	for name, s := range t.Services() {
		v := udpServiceView{
			UDPService: s.Config, UsedBy: used[name],
			about: about{Status: router.Status(s.Status), Error: s.Errors, Name: name, Provider: dynamic.ProviderOf(name), Type: "loadbalancer", Source: a.source(dynamic.KindUDPService, name)},
		}
		if s.Config.Weighted != nil {
			v.Type = "weighted"
		}
		items = append(items, v)
	}
	return items
}
