package dashboard

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"fairway/config/dynamic"
	"fairway/internal/secret"
	"fairway/router"
	"fairway/telemetry/live"
)

// about is what every object of a list has besides its configuration.
type about struct {
	Status   router.Status `json:"status,omitempty"`
	Error    []string      `json:"error,omitempty"`
	Name     string        `json:"name,omitempty"`
	Provider string        `json:"provider,omitempty"`
	Type     string        `json:"type,omitempty"`
	Source   string        `json:"source,omitempty"` // a container, or a file and a line
	Load     *live.Load    `json:"load,omitempty"`   // over the last seconds
}

func (i about) text() string          { return strings.ToLower(i.Name + " " + i.Type) }
func (i about) status() string        { return string(i.Status) }
func (i about) name() string          { return i.Name }
func (i about) typ() string           { return i.Type }
func (i about) provider() string      { return i.Provider }
func (i about) uses(_, _ string) bool { return true }
func (i about) listens(string) bool   { return true }
func (i about) option(string) string  { return "" }
func (i about) number(string) int     { return 0 }

func (i about) rate() float64 {
	if i.Load == nil {
		return 0
	}
	return i.Load.Rate
}

// routerView is a router as the API shows it.
type routerView struct {
	*dynamic.Router
	EntryPoints []string           `json:"entryPoints,omitempty"`
	Middlewares []string           `json:"middlewares,omitempty"`
	Priority    int                `json:"priority,omitempty"`
	PriorityStr string             `json:"priorityStr,omitempty"`
	TLS         *dynamic.RouterTLS `json:"tls,omitempty"`
	Using       []string           `json:"using,omitempty"`
	// Defaults are the options of these that nobody has written: they are so by default.
	Defaults []string `json:"defaults,omitempty"`
	// Added are the middlewares of the entry points, which come before those of its own.
	Added []string `json:"addedMiddlewares,omitempty"`
	about
}

func viewRouter(rt *router.Route) routerView {
	v := routerView{
		Router: rt.Config, EntryPoints: rt.EntryPoints, Middlewares: rt.Middlewares,
		Priority: rt.Priority, PriorityStr: strconv.Itoa(rt.Priority), TLS: rt.TLS,
		about: about{Status: rt.Status, Error: rt.Errors, Name: rt.Name, Provider: dynamic.ProviderOf(rt.Name)},
	}
	if rt.Status != router.Disabled {
		v.Using = rt.EntryPoints
	}
	if len(rt.Config.EntryPoints) == 0 {
		v.Defaults = append(v.Defaults, "entryPoints")
	}
	if rt.Config.Priority == 0 {
		v.Defaults = append(v.Defaults, "priority")
	}
	if rt.Config.TLS == nil && rt.TLS != nil { // by the entry point
		v.Defaults = append(v.Defaults, "tls")
	}
	if own := len(rt.Middlewares) - len(rt.Config.Middlewares); own > 0 {
		v.Added = rt.Middlewares[:own]
	}
	return v
}

func (v routerView) text() string { return strings.ToLower(v.Name + " " + v.Rule + " " + v.Service) }

func (v routerView) uses(service, middleware string) bool {
	provider := v.Provider
	return (service == "" || dynamic.Qualify(v.Service, provider) == service) &&
		(middleware == "" || slices.Contains(v.Middlewares, middleware))
}

func (v routerView) listens(entryPoint string) bool {
	return entryPoint == "" || slices.Contains(v.EntryPoints, entryPoint)
}

func (v routerView) option(name string) string {
	switch name {
	case "rule":
		return v.Rule
	case "service":
		return v.Service
	}
	return strings.Join(v.EntryPoints, ",")
}

func (v routerView) number(string) int { return v.Priority }

// serviceView is a service as the API shows it.
type serviceView struct {
	*dynamic.Service
	UsedBy       []string          `json:"usedBy,omitempty"`
	ServerStatus map[string]string `json:"serverStatus,omitempty"`
	Servers      []Server          `json:"servers,omitempty"`
	Parts        []string          `json:"parts,omitempty"` // services that it is made of
	Pool         *Pool             `json:"pool,omitempty"`  // with their servers; where one service is asked for
	about
}

func viewService(s *router.Slot, usedBy []string) serviceView {
	v := serviceView{
		Service: s.Config(), UsedBy: usedBy, Servers: serversOf(s),
		about: about{Status: s.Status, Error: s.Errors, Name: s.Name, Provider: dynamic.ProviderOf(s.Name), Type: strings.ToLower(s.Kind)},
	}
	if c := s.Config(); c != nil {
		for _, part := range c.Parts() {
			v.Parts = append(v.Parts, dynamic.Qualify(part, v.Provider))
		}
	}
	for _, server := range s.Servers() {
		if v.ServerStatus == nil {
			v.ServerStatus = map[string]string{}
		}
		v.ServerStatus[secret.URL(server.URL)] = map[bool]string{true: "UP", false: "DOWN"}[server.Up]
	}
	return v
}

// MarshalJSON implements json.Marshaler. Passwords are taken out here, so that those of ten
// thousand services are not looked for when a hundred are shown.
func (v serviceView) MarshalJSON() ([]byte, error) {
	type shown serviceView
	v.Service = withoutPasswords(v.Service)
	return json.Marshal(shown(v))
}

func (v serviceView) number(string) int { return len(v.Servers) }

// middlewareView is a middleware as the API shows it.
type middlewareView struct {
	*dynamic.Middleware
	UsedBy []string `json:"usedBy,omitempty"`
	about
}

// MarshalJSON implements json.Marshaler, without credentials.
func (v middlewareView) MarshalJSON() ([]byte, error) {
	type shown middlewareView
	v.Middleware = withoutCredentials(v.Middleware)
	return json.Marshal(shown(v))
}

func viewMiddleware(t *router.Table, m *router.Middleware, usedBy []string) middlewareView {
	return middlewareView{
		Middleware: m.Config, UsedBy: usedBy,
		about: about{Status: statusOf(t, m), Error: append(slices.Clip(m.Errors), broken(t, m, nil)...), Name: m.Name, Provider: dynamic.ProviderOf(m.Name), Type: strings.ToLower(m.Kind)},
	}
}

// users collects, for every service and middleware, the routers that use it.
func users(t *router.Table) map[string][]string {
	by := map[string][]string{}
	for name, rt := range t.Routes() {
		by[rt.Service] = append(by[rt.Service], name)
		for _, m := range rt.Middlewares {
			by["middleware "+m] = append(by["middleware "+m], name)
		}
	}
	for _, names := range by {
		slices.Sort(names)
	}
	return by
}

func (a *api) routerLoad(name string) *live.Load {
	if a.Live == nil {
		return nil
	}
	return new(a.Live.Router(name))
}

func (a *api) serviceLoad(name string) *live.Load {
	if a.Live == nil {
		return nil
	}
	return new(a.Live.Service(name))
}

func (a *api) routers() []item {
	t := a.Table()
	items := make([]item, 0, len(t.Routes()))
	for _, rt := range t.Routes() {
		v := viewRouter(rt)
		v.Source, v.Load = t.Source(dynamic.KindRouter, rt.Name), a.routerLoad(rt.Name)
		items = append(items, v)
	}
	return items
}

func (a *api) services() []item {
	t := a.Table()
	by := users(t)
	items := make([]item, 0, len(t.Services()))
	for name, s := range t.Services() {
		v := viewService(s, by[name])
		v.Source, v.Load = t.Source(dynamic.KindService, name), a.serviceLoad(name)
		items = append(items, v)
	}
	return items
}

// service is one of them, with all that it is made of.
func (a *api) service(r *http.Request) (any, error) {
	found, err := oneOf(a.services, "service")(r)
	if v, is := found.(serviceView); is && len(v.Parts) > 0 {
		v.Pool = new((&way{table: a.Table()}).pool(v.Name, 0))
		return v, nil
	}
	return found, err
}

func (a *api) middlewares() []item {
	t := a.Table()
	by := users(t)
	items := make([]item, 0, len(t.Middlewares()))
	for name, m := range t.Middlewares() {
		v := viewMiddleware(t, m, by["middleware "+name])
		v.Source = t.Source(dynamic.KindMiddleware, name)
		items = append(items, v)
	}
	return items
}

func (a *api) rawdata(*http.Request) (any, error) {
	raw := struct {
		Routers     map[string]item `json:"routers,omitempty"`
		Middlewares map[string]item `json:"middlewares,omitempty"`
		Services    map[string]item `json:"services,omitempty"`

		TCPRouters     map[string]item `json:"tcpRouters,omitempty"`
		TCPMiddlewares map[string]item `json:"tcpMiddlewares,omitempty"`
		TCPServices    map[string]item `json:"tcpServices,omitempty"`
		UDPRouters     map[string]item `json:"udpRouters,omitempty"`
		UDPServices    map[string]item `json:"udpServices,omitempty"`
	}{map[string]item{}, map[string]item{}, map[string]item{}, map[string]item{}, map[string]item{}, map[string]item{}, map[string]item{}, map[string]item{}}
	for _, list := range []struct {
		items []item
		into  map[string]item
	}{
		{a.routers(), raw.Routers},
		{a.middlewares(), raw.Middlewares},
		{a.services(), raw.Services},
		{a.tcpRouters(), raw.TCPRouters},
		{a.tcpMiddlewares(), raw.TCPMiddlewares},
		{a.tcpServices(), raw.TCPServices},
		{a.udpRouters(), raw.UDPRouters},
		{a.udpServices(), raw.UDPServices},
	} {
		for _, i := range list.items {
			list.into[i.name()] = i
		}
	}
	return raw, nil
}
