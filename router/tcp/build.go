package tcp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"fairway/config/dynamic"
	"fairway/internal/nearest"
	streams "fairway/proxy/tcp"
	"fairway/router/rule"
	"fairway/tls/certs"
)

// Env is what building a table needs of the gateway.
type Env struct {
	// EntryPoints by name; true: one of those for routers that name none.
	EntryPoints map[string]bool
	// Policy finds TLS options by their qualified name.
	Policy func(name string) (*certs.Policy, error)
	// Pages are the entry points where routers of HTTP listen for plain requests.
	Pages map[string]bool
	// Transport is that of services which name none; nil: every option at its default.
	Transport *streams.Transport
	// Resolvers are the names of the certificate resolvers; nil: they are not known.
	Resolvers []string
	// Precedence decides between routers of equal priority.
	Precedence dynamic.Precedence
}

// Build makes the table of cfg. It never fails as a whole; previous may be nil.
func Build(cfg *dynamic.Configuration, previous *Table, env Env) *Table {
	t := cfg.TCP
	if t == nil {
		t = &dynamic.TCP{}
	}
	if previous == nil {
		previous = &Table{}
	}
	b := &building{env: env, cfg: cfg, tcp: t, previous: previous, said: map[object][]string{}, warned: map[object]bool{}, blamed: map[object]bool{}, next: &Table{
		routes: map[string]*Route{}, services: map[string]*Service{}, middlewares: map[string]*Middleware{},
		transports: map[string]*transport{}, entryPoints: map[string]*Routes{},
	}}
	if b.usual = env.Transport; b.usual == nil {
		b.usual = streams.DefaultTransport()
	}
	b.blame()
	for name, c := range t.ServersTransports {
		b.transport(name, c)
	}
	for name, c := range t.Middlewares {
		b.middleware(name, c)
	}
	for name := range t.Services {
		_, _ = b.service(name)
	}
	for name, c := range t.Routers {
		b.router(name, c)
	}
	b.index()
	slices.SortFunc(b.next.problems, func(x, y dynamic.Problem) int {
		return cmp.Or(cmp.Compare(x.Source, y.Source), cmp.Compare(x.Kind, y.Kind), cmp.Compare(x.Name, y.Name), cmp.Compare(x.Reason, y.Reason))
	})
	return b.next
}

type object struct{ kind, name string }

// building is a table in the making.
type building struct {
	env      Env
	cfg      *dynamic.Configuration
	tcp      *dynamic.TCP
	previous *Table
	next     *Table
	said     map[object][]string // reasons that came with the configuration
	blamed   map[object]bool     // they put it out of use
	warned   map[object]bool
	path     []string // services that are being built, each for the one before
	usual    *streams.Transport
}

// blame sorts the problems that came with the configuration.
func (b *building) blame() {
	for _, p := range b.cfg.Problems {
		if p.Kind == "" || p.Severity == dynamic.Notice {
			continue
		}
		o := object{p.Kind, p.Name}
		b.blamed[o] = b.blamed[o] || p.Disables
		b.warned[o] = true
		p.Kind, p.Name = "", ""
		b.said[o] = append(b.said[o], p.String())
	}
}

// report makes a problem of a reason that was found while building.
func (b *building) report(o object, reason, near string, severity dynamic.Severity) string {
	p := dynamic.Problem{Severity: severity, Provider: dynamic.ProviderOf(o.name), Kind: o.kind, Name: o.name, Reason: reason, Nearest: near, Disables: severity == dynamic.Error}
	if b.cfg.Origin != nil {
		p.Source, p.Line = b.cfg.Origin(o.kind, o.name)
	}
	b.next.problems = append(b.next.problems, p)
	return dynamic.Problem{Reason: reason, Nearest: near}.String()
}

// judge is the status of an object, by what came with the configuration, and by err.
func (b *building) judge(o object, err error) (Status, []string) {
	errs := slices.Clone(b.said[o])
	switch {
	case b.blamed[o]:
		return Disabled, errs
	case err != nil:
		near := ""
		if m, ok := errors.AsType[*missing](err); ok {
			near = m.near
		}
		return Disabled, append(errs, b.report(o, err.Error(), near, dynamic.Error))
	case b.warned[o]:
		return Warned, errs
	}
	return Enabled, nil
}

// missing is a name of something that is not there.
type missing struct{ what, name, near string }

func (m *missing) Error() string { return fmt.Sprintf("its %s %q does not exist", m.what, m.name) }

func missingOf[T any](what, name string, all map[string]T) error {
	return &missing{what, name, nearest.Name(name, slices.Collect(maps.Keys(all)))}
}

func (b *building) transport(name string, c *streams.ServersTransport) {
	o := object{dynamic.KindTCPTransport, name}
	if old := b.previous.transports[name]; old != nil && old.transport != nil && dynamic.Same(old.config, c) && !b.warned[o] {
		b.next.transports[name] = old
		return
	}
	made, err := c.New()
	status, errs := b.judge(o, err)
	if status == Disabled {
		made = nil
	}
	b.next.transports[name] = &transport{c, made, errs}
}

func (b *building) middleware(name string, c *dynamic.TCPMiddleware) {
	o := object{dynamic.KindTCPMiddleware, name}
	kind, config, err := c.Kind()
	m := &Middleware{Name: name, Kind: kind, Config: c}
	if err == nil {
		if _, err = config.New(nil); err != nil {
			err = fmt.Errorf("%s: %w", kind, err)
		}
	}
	if m.Status, m.Errors = b.judge(o, err); m.Status != Disabled {
		m.build = config
	}
	b.next.middlewares[name] = m
}

// service finds or makes a service and those that it is made of.
func (b *building) service(name string) (*Service, error) {
	if s := b.next.services[name]; s != nil {
		return s, nil
	}
	c := b.tcp.Services[name]
	if c == nil {
		return nil, missingOf("service", name, b.tcp.Services)
	}
	if slices.Contains(b.path, name) {
		return nil, fmt.Errorf("it is made of itself: %s > %s", strings.Join(b.path, " > "), name)
	}
	b.path = append(b.path, name)
	defer func() { b.path = b.path[:len(b.path)-1] }()
	o := object{dynamic.KindTCPService, name}
	if old := b.previous.services[name]; old != nil && old.Status == Enabled && dynamic.Same(old.Config, c) && !b.warned[o] && b.sameTransport(name, c) && b.sameChildren(name, c) {
		b.next.services[name] = old
		return old, nil
	}
	s := &Service{Name: name, Config: c}
	var err error
	s.service, s.retire, err = b.make(name, c)
	if s.Status, s.Errors = b.judge(o, err); s.Status == Disabled && s.retire != nil {
		s.retire()
		s.service = nil
	}
	b.next.services[name] = s
	return s, nil
}

// sameTransport tells whether a service would be reached as before.
func (b *building) sameTransport(name string, c *dynamic.TCPService) bool {
	if c.LoadBalancer == nil || c.LoadBalancer.ServersTransport == "" {
		return true
	}
	t := dynamic.Qualify(c.LoadBalancer.ServersTransport, dynamic.ProviderOf(name))
	return b.next.transports[t] == b.previous.transports[t]
}

// sameChildren tells whether a service is made of the same others as before.
func (b *building) sameChildren(name string, c *dynamic.TCPService) bool {
	if c.Weighted == nil {
		return true
	}
	for _, part := range c.Weighted.Services {
		part := dynamic.Qualify(part.Name, dynamic.ProviderOf(name))
		if child, err := b.service(part); err != nil || b.previous.services[part] != child {
			return false
		}
	}
	return true
}

func (b *building) make(name string, c *dynamic.TCPService) (streams.Service, context.CancelFunc, error) {
	provider := dynamic.ProviderOf(name)
	switch {
	case c.LoadBalancer != nil && c.Weighted != nil:
		return nil, nil, errors.New("it has more than one kind: loadBalancer and weighted")
	case c.Weighted != nil:
		made, err := c.Weighted.New(func(part string) (streams.Service, error) {
			child, err := b.service(dynamic.Qualify(part, provider))
			if err != nil {
				return nil, err
			}
			if child.service == nil {
				return nil, fmt.Errorf("the service %q is out of use", child.Name)
			}
			return child.service, nil
		})
		return made, nil, prefixed("weighted", err)
	case c.LoadBalancer == nil:
		return nil, nil, errors.New("it has no kind: loadBalancer or weighted")
	}
	var over *streams.Transport
	if t := c.LoadBalancer.ServersTransport; t != "" {
		t = dynamic.Qualify(t, provider)
		found := b.next.transports[t]
		switch {
		case found == nil:
			return nil, nil, missingOf("serversTransport", t, b.next.transports)
		case found.transport == nil:
			return nil, nil, fmt.Errorf("its serversTransport %q is out of use: %s", t, strings.Join(found.errors, "; "))
		}
		over = found.transport
	}
	ctx, cancel := context.WithCancel(context.Background())
	made, err := c.LoadBalancer.New(ctx, over, b.usual)
	if err != nil {
		cancel()
		return nil, nil, prefixed("loadBalancer", err)
	}
	return made, cancel, nil
}

func prefixed(kind string, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", kind, err)
	}
	return nil
}

// router makes a route.
func (b *building) router(name string, c *dynamic.TCPRouter) {
	o, provider := object{dynamic.KindTCPRouter, name}, dynamic.ProviderOf(name)
	rt := &Route{Name: name, Config: c, Service: dynamic.Qualify(c.Service, provider)}
	err := b.place(rt)
	if err == nil && !b.blamed[o] {
		err = b.route(rt, provider)
	}
	if rt.Status, rt.Errors = b.judge(o, err); rt.Status != Disabled && len(rt.Errors) == 0 {
		b.advise(o, rt)
	}
	if b.blamed[o] {
		rt.closed = true
	}
	b.next.routes[name] = rt
}

// place finds out which connections a route is for.
func (b *building) place(rt *Route) (err error) {
	c := rt.Config
	if rt.EntryPoints, err = b.entryPointsOf(c); err != nil {
		return err
	}
	if rt.Rule, err = parse(c); err != nil {
		return err
	}
	rt.Priority = c.Priority
	switch {
	case rt.Priority != 0:
	case rt.Rule.OnlyAnyHost():
		rt.Priority = -1
	default:
		rt.Priority = len(c.Rule)
	}
	if c.TLS == nil && len(rt.Rule.Hosts()) > 0 {
		return fmt.Errorf("its rule asks for the name %s, which only clients by TLS tell: it needs tls, or HostSNI(`*`)", rt.Rule.Hosts()[0])
	}
	return nil
}

// route finds what serves a route. One that lacks what was to guard it is closed: it keeps its place, and nobody else may
// serve its connections.
func (b *building) route(rt *Route, provider string) (err error) {
	c := rt.Config
	if c.TLS != nil && !c.TLS.Passthrough {
		options := c.TLS.Options
		if options != "" && options != dynamic.DefaultTLS {
			options = dynamic.Qualify(options, provider)
		}
		if rt.Policy, err = b.env.Policy(options); err != nil {
			rt.closed = true
			return err
		}
	}
	s, err := b.service(rt.Service)
	switch {
	case c.Service == "":
		return errors.New("it has no service")
	case err != nil:
		return err
	case s.service == nil:
		return fmt.Errorf("its service %q is out of use: %s", rt.Service, strings.Join(s.Errors, "; "))
	}
	err = b.chain(rt, s.service, provider)
	rt.closed = err != nil
	return err
}

func parse(c *dynamic.TCPRouter) (*rule.Rule, error) {
	if c.Rule == "" {
		return nil, errors.New("it has no rule: HostSNI(`*`) takes all connections")
	}
	read := rule.ParseTCP
	switch c.RuleSyntax {
	case "", "v3", "default":
	case "v2":
		read = rule.ParseTCPV2
	default:
		return nil, fmt.Errorf("ruleSyntax: %q is neither v3 nor v2", c.RuleSyntax)
	}
	r, err := read(c.Rule)
	if err != nil {
		return nil, fmt.Errorf("rule: %w", err)
	}
	return r, nil
}

func (b *building) entryPointsOf(c *dynamic.TCPRouter) (list []string, err error) {
	for _, name := range slices.Sorted(maps.Keys(b.env.EntryPoints)) {
		if b.env.EntryPoints[name] && len(c.EntryPoints) == 0 || slices.Contains(c.EntryPoints, name) {
			list = append(list, name)
		}
	}
	for _, name := range c.EntryPoints {
		if _, known := b.env.EntryPoints[name]; !known {
			return nil, missingOf("entry point", name, b.env.EntryPoints)
		}
	}
	return list, nil
}

// chain puts the middlewares in front of the service. The counts of one belong to the route, and begin anew with it.
func (b *building) chain(rt *Route, service streams.Service, provider string) (err error) {
	old := b.previous.routes[rt.Name]
	rt.handler = service
	for _, name := range slices.Backward(rt.Config.Middlewares) {
		name = dynamic.Qualify(name, provider)
		rt.Middlewares = append([]string{name}, rt.Middlewares...)
		m := b.next.middlewares[name]
		switch {
		case m == nil:
			return missingOf("middleware", name, b.next.middlewares)
		case m.build == nil:
			return fmt.Errorf("its middleware %q is out of use: %s", name, strings.Join(m.Errors, "; "))
		}
		if rt.handler, err = m.build.New(rt.handler); err != nil {
			return fmt.Errorf("middleware %s: %w", name, err)
		}
	}
	if old != nil && old.Status != Disabled && dynamic.Same(old.Config, rt.Config) && b.sameParts(old) {
		rt.handler = old.handler // with its counts
	}
	return nil
}

// sameParts tells whether what a route uses is the same as before.
func (b *building) sameParts(old *Route) bool {
	for _, name := range old.Middlewares {
		before, now := b.previous.middlewares[name], b.next.middlewares[name]
		if before == nil || now == nil || !dynamic.Same(before.Config, now.Config) {
			return false
		}
	}
	return b.previous.services[old.Service] == b.next.services[old.Service]
}

// advise warns of what works, but not as somebody may think.
func (b *building) advise(o object, rt *Route) {
	warn := func(reason, near string) {
		rt.Status, rt.Errors = Warned, append(rt.Errors, b.report(o, reason, near, dynamic.Warning))
	}
	t := rt.Config.TLS
	if t == nil {
		for _, entryPoint := range rt.EntryPoints {
			if b.env.Pages[entryPoint] && rt.Rule.AnyHost() {
				warn(fmt.Sprintf("it takes all connections at the entry point %s that are not by TLS: routers of HTTP get none there; name its entry points", entryPoint), "")
			}
		}
		return
	}
	if t.Passthrough && (t.CertResolver != "" || t.Options != "" || len(t.Domains) > 0) {
		warn("with passthrough the service speaks TLS: options, certResolver and domains have no effect", "")
	}
	if t.CertResolver != "" && b.env.Resolvers != nil && !slices.Contains(b.env.Resolvers, t.CertResolver) {
		warn(fmt.Sprintf("there is no certificate resolver %q (install option certificatesResolvers): another certificate is served, or the default one", t.CertResolver),
			nearest.Name(t.CertResolver, b.env.Resolvers))
	}
}

// index sorts the routes by entry point.
func (b *building) index() {
	for _, name := range slices.Sorted(maps.Keys(b.next.routes)) {
		rt := b.next.routes[name]
		if rt.Status == Disabled && (!rt.closed || rt.Rule == nil) {
			continue
		}
		for _, entryPoint := range rt.EntryPoints {
			at := b.next.entryPoints[entryPoint]
			if at == nil {
				at = &Routes{}
				b.next.entryPoints[entryPoint] = at
			}
			list := &at.plain
			if rt.Config.TLS != nil {
				list = &at.secure
			}
			*list = append(*list, rt)
		}
	}
	for _, at := range b.next.entryPoints {
		for _, list := range [][]*Route{at.plain, at.secure} {
			slices.SortStableFunc(list, func(x, y *Route) int {
				return cmp.Or(cmp.Compare(y.Priority, x.Priority), cmp.Compare(b.precedence(x), b.precedence(y)))
			})
		}
	}
}

// precedence decides between routes of equal priority; of one provider, the names do.
func (b *building) precedence(rt *Route) int {
	return b.env.Precedence.Place(dynamic.ProviderOf(rt.Name))
}
