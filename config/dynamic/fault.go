package dynamic

import (
	"strings"

	"fairway/internal/decode"
)

// Blame makes a problem of a decoding fault: it finds the object that the key
// belongs to, and sees that it is there, if only empty, so that it can be shown.
// What a mistake costs is decided here: a router or middleware with a key that
// was not understood is out of use, a service goes on without the option.
func (c *Configuration) Blame(f decode.Fault) Problem {
	p := Problem{Severity: Error, Line: f.Line, Key: f.Path, Reason: f.Reason, Nearest: f.Nearest}
	switch f.Kind {
	case decode.NotYet:
		p.Severity = Warning
	case decode.Deprecated:
		p.Severity = Notice
	}
	parts := strings.SplitN(f.Path, ".", 4)
	if len(parts) > 2 && strings.EqualFold(parts[0], "tls") && strings.EqualFold(parts[1], "options") && p.Severity == Error {
		p.Kind, p.Name, p.Disables = KindTLSOptions, parts[2], true // they may be what keeps strangers out
		return p
	}
	if len(parts) < 3 || parts[2] == "" {
		return p
	}
	if p.Kind, p.Name = c.object(strings.ToLower(parts[0]+"."+parts[1]), parts[2]); p.Kind == "" {
		return p
	}
	again := f.Kind == decode.Twice && len(parts) == 3 // a whole object, of which the first stays as it is
	if f.Kind == decode.NotYet && p.Kind == KindRouter && len(parts) == 4 && strings.HasPrefix(strings.ToLower(parts[3]), "parentrefs") {
		p.Severity, p.Disables = Error, true
		p.Reason += "; the router is out of use, for what its parents demand may be what keeps strangers out"
		return p
	}
	service := p.Kind == KindService || p.Kind == KindTCPService || p.Kind == KindUDPService
	p.Disables = !service && f.Kind != decode.NotYet && f.Kind != decode.Deprecated && !again
	return p
}

// object sees that the object of a section is there. No kind: the section has none.
func (c *Configuration) object(section, name string) (kind, spelled string) {
	http, tcp, udp := c.HTTP, c.TCP, c.UDP
	protocol, _, _ := strings.Cut(section, ".")
	switch {
	case protocol == "http" && http == nil:
		http = &HTTP{}
		c.HTTP = http
	case protocol == "tcp" && tcp == nil:
		tcp = &TCP{}
		c.TCP = tcp
	case protocol == "udp" && udp == nil:
		udp = &UDP{}
		c.UDP = udp
	}
	switch section {
	case "http.routers":
		return KindRouter, ensure(&http.Routers, name)
	case "http.services":
		return KindService, ensure(&http.Services, name)
	case "http.middlewares":
		return KindMiddleware, ensure(&http.Middlewares, name)
	case "http.serverstransports":
		return KindTransport, ensure(&http.ServersTransports, name)
	case "http.consumers":
		return KindConsumer, ensure(&http.Consumers, name)
	case "http.plans":
		return KindPlan, ensure(&http.Plans, name)
	case "tcp.routers":
		return KindTCPRouter, ensure(&tcp.Routers, name)
	case "tcp.services":
		return KindTCPService, ensure(&tcp.Services, name)
	case "tcp.middlewares":
		return KindTCPMiddleware, ensure(&tcp.Middlewares, name)
	case "tcp.serverstransports":
		return KindTCPTransport, ensure(&tcp.ServersTransports, name)
	case "udp.routers":
		return KindUDPRouter, ensure(&udp.Routers, name)
	case "udp.services":
		return KindUDPService, ensure(&udp.Services, name)
	}
	return "", ""
}

// ensure makes an entry for name where there is none, and returns the name as
// the map spells it.
func ensure[T any](m *map[string]*T, name string) string {
	for key := range *m {
		if strings.EqualFold(key, name) {
			return key
		}
	}
	if *m == nil {
		*m = map[string]*T{}
	}
	(*m)[name] = new(T)
	return name
}
