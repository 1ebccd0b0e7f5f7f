package dynamic

import (
	"strings"

	"fairway/internal/decode"
)

// Blame makes a problem of a decoding fault: it finds the object that the key
// belongs to, and sees that it is there, if only empty, so that it can be shown.
// What a mistake costs is decided here: a router or middleware with a key that
// was not understood is out of use, a service goes on without the option.
func (h *HTTP) Blame(f decode.Fault) Problem {
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
	if len(parts) < 3 || parts[2] == "" || !strings.EqualFold(parts[0], "http") {
		return p
	}
	p.Name = parts[2]
	switch strings.ToLower(parts[1]) {
	case "routers":
		p.Kind, p.Name = KindRouter, ensure(&h.Routers, p.Name)
	case "services":
		p.Kind, p.Name = KindService, ensure(&h.Services, p.Name)
	case "middlewares":
		p.Kind, p.Name = KindMiddleware, ensure(&h.Middlewares, p.Name)
	case "serverstransports":
		p.Kind, p.Name = KindTransport, ensure(&h.ServersTransports, p.Name)
	case "consumers":
		p.Kind, p.Name = KindConsumer, ensure(&h.Consumers, p.Name)
	case "plans":
		p.Kind, p.Name = KindPlan, ensure(&h.Plans, p.Name)
	default:
		p.Name = ""
		return p
	}
	again := f.Kind == decode.Twice && len(parts) == 3 // a whole object, of which the first stays as it is
	if f.Kind == decode.NotYet && p.Kind == KindRouter && len(parts) == 4 && strings.HasPrefix(strings.ToLower(parts[3]), "parentrefs") {
		p.Severity, p.Disables = Error, true
		p.Reason += "; the router is out of use, for what its parents demand may be what keeps strangers out"
		return p
	}
	p.Disables = p.Kind != KindService && f.Kind != decode.NotYet && f.Kind != decode.Deprecated && !again
	return p
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
