package kong

import (
	"strings"

	"fairway/internal/importer"
)

// plugin is one in force for a route.
type plugin struct {
	place  string
	config object
}

// step is a plugin that has a counterpart.
type step struct {
	name string
	add  func(r *routed, p plugin)
}

// steps are the plugins that are known, in the order in which Kong runs them.
func steps() []step {
	return []step{
		{"correlation-id", (*routed).requestID},
		{"cors", (*routed).cors},
		{"jwt", (*routed).jwt},
		{"key-auth", (*routed).keyAuth},
		{"basic-auth", (*routed).basicAuth},
		{"ip-restriction", (*routed).addresses},
		{"request-size-limiting", (*routed).size},
		{"acl", (*routed).acl},
		{"rate-limiting", (*routed).limits},
		{"request-transformer", (*routed).request},
		{"response-transformer", (*routed).response},
		{"redirect", (*routed).redirect},
		{"aws-lambda", (*routed).lambda},
		{"proxy-cache", (*routed).cache},
		{"grpc-web", (*routed).grpcWeb},
		{"request-termination", (*routed).terminate},
	}
}

// elsewhere are plugins that are options of another place.
var elsewhere = map[string]string{
	"prometheus": "see metrics.prometheus of the install configuration", "opentelemetry": "see tracing of the install configuration", "zipkin": "see tracing of the install configuration",
	"file-log": "see accessLog of the install configuration", "http-log": "see accessLog.otlp of the install configuration", "tcp-log": "see accessLog of the install configuration",
	"udp-log": "see accessLog of the install configuration", "syslog": "see accessLog of the install configuration", "loggly": "see accessLog of the install configuration",
	"statsd": "see metrics.statsD of the install configuration", "datadog": "see metrics.statsD of the install configuration", "acme": "see certificatesResolvers of the install configuration",
	"bot-detection": "see the middleware policy, which knows the header User-Agent", "pre-function": "code in Lua", "post-function": "code in Lua",
}

// guards are plugins that keep requests away, and have no counterpart.
var guards = map[string]string{
	"hmac-auth": "Kong signs by a draft that was given up: see the middleware hmac (RFC 9421)", "ldap-auth": "see the middleware ldapAuth", "oauth2": "fairway is no authorization server: see the middlewares jwt and introspection",
	"openid-connect": "see the middlewares oidc and jwt", "mtls-auth": "see the middleware mtls", "oauth2-introspection": "see the middleware introspection", "session": "see the middleware oidc",
	"key-auth-enc": "see the middleware apiKey", "vault-auth": "see the middleware apiKey", "header-cert-auth": "see the middleware mtls", "opa": "see the middleware policy",
	"jwt-signer": "see the middleware jwt", "request-validator": "see the middleware validate", "oas-validation": "see the middleware validate",
}

// plug puts the plugins of the route, its service and all in front: of each name the most specific.
func (r *routed) plug() {
	inForce := map[string]plugin{}
	take := func(all []entity, fits func(object) bool) {
		for _, e := range all {
			name := word(e.object["name"])
			switch {
			case !fits(e.object) || !yes(e.object["enabled"], true):
			case ofConsumer(e):
				// see booked
			case e.object["consumer"] != nil || e.object["consumer_group"] != nil:
				r.Lose(e.place, "plugins of consumers: see plans")
			default:
				config, _ := e.object["config"].(object)
				inForce[name] = plugin{e.place, config}
			}
		}
	}
	here := func(object) bool { return true }
	take(r.plugins, func(p object) bool { return p["route"] == nil && p["service"] == nil })
	take(list(r.service.object, "plugins", r.service.place+"."), here)
	take(r.plugins, func(p object) bool { return p["route"] == nil && refersTo(p["service"], r.service.object) })
	take(list(r.object, "plugins", r.place+"."), here)
	take(r.plugins, func(p object) bool {
		return refersTo(p["route"], r.object) && (p["service"] == nil || refersTo(p["service"], r.service.object))
	})
	for _, s := range steps() {
		if p, is := inForce[s.name]; is {
			s.add(r, p)
			delete(inForce, s.name)
		} else if s.name == "rate-limiting" && r.knows && r.booking {
			r.use("plan", object{"plan": object{"default": r.unlimited()}})
		}
		if s.name == "basic-auth" {
			r.unguarded(inForce)
		}
	}
}

// unguarded is for plugins that have no counterpart. Those that keep requests away are in the chain where others are.
func (r *routed) unguarded(inForce map[string]plugin) {
	known := map[string]bool{}
	for _, s := range steps() {
		known[s.name] = true
	}
	names := object{}
	for name := range inForce {
		names[name] = nil
	}
	for _, name := range importer.Members(names) {
		p := inForce[name]
		switch {
		case known[name]:
		case guards[name] != "" || strings.Contains(name, "auth"):
			r.Lose(p.place, "%s: requests are refused", orElse(guards[name], "it is not known"))
			r.refuse()
		case elsewhere[name] != "":
			r.Lose(p.place, "%s", elsewhere[name])
		default:
			r.Lose(p.place, "it is not known")
		}
	}
}

// refuse refuses everything, in the place of a middleware that would decide.
func (r *routed) refuse() {
	r.use("undecided", object{"policy": object{"deny": "true"}})
}

// use puts a middleware in front, made once for all who want the same.
func (r *routed) use(name string, what object) {
	r.chain = append(r.chain, r.shared("middlewares", name, what))
}

// unsupported reports options that are there and say something.
func (r *routed) unsupported(p plugin, names ...string) {
	for _, name := range names {
		switch v := p.config[name].(type) {
		case nil:
			continue
		case bool:
			if !v {
				continue
			}
		case []any:
			if len(v) == 0 {
				continue
			}
		}
		r.Lose(p.place+".config."+name, "there is no such option")
	}
}
