package kong

import (
	"net"
	"regexp"
	"strconv"
	"strings"

	"fairway/internal/importer"
)

// routed is a route on its way: what a request passes, and what answers it.
type routed struct {
	*gateway
	entity
	service *service
	chain   []string
	answer  string // the name of what answers in the place of the service
	knows   bool   // it is known who sends a request
	told    bool   // the service is told
}

// hops are the routers of a path of a route: they differ by what is taken off the path.
type hop struct {
	rule     string
	priority int
	chain    []string
}

// route makes the routers of a route.
func (g *gateway) route(s *service, e entity) {
	if !yes(e.object["enabled"], true) || !yes(s.object["enabled"], true) {
		g.Differ(e.place, "it is not enabled, and left out")
		return
	}
	if e.object["expression"] != nil {
		g.Lose(e.place+".expression", "expressions are not read: nothing answers")
		return
	}
	protocols := words(e.object["protocols"], "http", "https")
	for _, p := range protocols {
		if schemes[p] == "" {
			g.Lose(e.place+".protocols", "%s is not one of HTTP: see the routing of TCP and UDP", p)
			return
		}
	}
	if orElse(e.object["path_handling"], "v0") != "v0" {
		g.Differ(e.place+".path_handling", "paths are put together as with v0")
	}
	r := &routed{gateway: g, entity: e, service: s}
	common, ok := g.conditions(e)
	if !ok {
		return
	}
	r.plug()
	name, prefix, has := g.loadBalancer(s, yes(e.object["preserve_host"], false))
	if r.answer != "" {
		name, prefix = r.answer, ""
	} else if !has {
		g.Lose(e.place, "nothing answers")
		return
	} else {
		r.chain = append(r.chain, g.patience(s)...)
	}
	base := orElse(e.object["name"], "route "+strings.Join(words(e.object["paths"]), " "))
	for _, h := range r.hops(common, prefix) {
		r.routers(base, name, protocols, h)
	}
}

// routers makes the router of a hop, for plain text, TLS, or one for each.
func (r *routed) routers(base, service string, protocols []string, h hop) {
	var plain, secure bool
	for _, p := range protocols {
		if p == "https" || p == "grpcs" || p == "wss" {
			secure = true
		} else {
			plain = true
		}
	}
	router := func(name, service string, chain []string, tls bool) {
		o := object{"rule": h.rule, "service": service, "priority": h.priority}
		if len(chain) > 0 {
			o["middlewares"] = chain
		}
		if tls {
			o["tls"] = object{}
		}
		r.Put("routers", name, o)
	}
	chain := append(append([]string{}, r.chain...), h.chain...)
	if plain {
		router(base, service, chain, false)
	}
	if secure {
		router(base+"-tls", service, chain, true)
	}
	if plain || !secure {
		return
	}
	switch status := whole(r.object["https_redirect_status_code"], 426); status {
	case 301, 302, 307, 308:
		if status > 302 {
			r.Differ(r.place+".https_redirect_status_code", "GET is answered by 301 or 302, other methods by 308 or 307")
		}
		name := r.shared("middlewares", "to-https-"+strconv.Itoa(status), object{"redirectScheme": object{"scheme": "https", "permanent": status == 301 || status == 308}})
		router(base+"-to-https", service, []string{name}, false)
	default:
		answer := r.shared("services", "upgrade-required", object{"respond": object{"status": 426, "headers": object{"Upgrade": "TLS/1.2, HTTP/1.1"}, "body": "Please use HTTPS protocol"}})
		router(base+"-to-https", answer, nil, false)
	}
}

// condition is what a route asks for beside a path, and what that counts for.
type condition struct {
	rules  []string
	weight int
}

const (
	perKind   = 100_000_000 // for each kind of condition
	plainHost = 50_000_000
	perHeader = 1_000_000
	byRegex   = 500_000
)

// conditions are those of a route beside its path. Kong prefers the route with more kinds of them, then plain hosts,
// more headers, expressions before prefixes, and the longer path.
func (g *gateway) conditions(e entity) (c condition, ok bool) {
	hosts := words(e.object["hosts"])
	if snis := words(e.object["snis"]); len(snis) > 0 {
		if len(hosts) > 0 {
			g.Differ(e.place+".snis", "the host of a request counts, not the name in TLS")
		} else {
			g.Differ(e.place+".snis", "they are taken as hosts")
			hosts = snis
		}
	}
	all := true
	either := func(matches []string) {
		if len(matches) == 0 {
			return
		}
		c.weight += perKind
		if len(matches) == 1 {
			c.rules = append(c.rules, matches[0])
		} else {
			c.rules = append(c.rules, "("+strings.Join(matches, " || ")+")")
		}
	}
	literal := func(text string) string {
		quoted, good := importer.Literal(text)
		if !good {
			all = false
			g.Lose(e.place, "%q cannot stand in a rule: nothing answers", text)
		}
		return quoted
	}
	var matches []string
	plain := len(hosts) > 0
	for _, host := range hosts {
		if name, _, err := net.SplitHostPort(host); err == nil {
			g.Differ(e.place+".hosts", "the port of %s does not count", host)
			host = name
		}
		if strings.Contains(host, "*") {
			plain = false
			matches = append(matches, "HostRegexp("+literal("^"+strings.ReplaceAll(regexp.QuoteMeta(host), `\*`, ".+")+"$")+")")
		} else {
			matches = append(matches, "Host("+literal(host)+")")
		}
	}
	either(matches)
	if plain {
		c.weight += plainHost
	}
	matches = nil
	for _, method := range words(e.object["methods"]) {
		matches = append(matches, "Method("+literal(method)+")")
	}
	either(matches)
	for i, name := range importer.Members(e.object["headers"]) {
		matches = nil
		for _, value := range words(e.object["headers"].(object)[name]) {
			if expression, is := strings.CutPrefix(value, "~*"); is {
				matches = append(matches, "HeaderRegexp("+literal(name)+", "+literal("(?i)"+expression)+")")
			} else {
				matches = append(matches, "HeaderRegexp("+literal(name)+", "+literal("(?i)^"+regexp.QuoteMeta(value)+"$")+")")
			}
		}
		either(matches)
		if i > 0 {
			c.weight += perHeader - perKind
		}
	}
	return c, all
}

// looksPlain is a path that Kong before 3.0 took for a prefix.
var looksPlain = regexp.MustCompile(`^[a-zA-Z0-9.\-_~/%]*$`)

// hops are the paths of a route.
func (r *routed) hops(c condition, prefix string) (all []hop) {
	paths := words(r.object["paths"])
	if len(paths) == 0 {
		rule := "PathPrefix(`/`)"
		if len(c.rules) > 0 {
			rule = strings.Join(c.rules, " && ")
		}
		return []hop{{rule, c.weight + 1, r.below(prefix)}}
	}
	strip := yes(r.object["strip_path"], true) && r.answer == ""
	for _, path := range paths {
		expression, isRegex := strings.CutPrefix(path, "~")
		if r.old {
			expression, isRegex = path, !looksPlain.MatchString(path)
		}
		h := hop{priority: c.weight + perKind + min(len(path), 10_000)}
		matcher := "PathPrefix"
		text := path
		if isRegex {
			h.priority += byRegex + min(max(whole(r.object["regex_priority"], 0), 0), 4000)*100
			matcher, text = "PathRegexp", "^(?:"+strings.TrimPrefix(expression, "^")+")"
			if _, err := regexp.Compile(text); err != nil {
				r.Lose(r.place+".paths", "%q is no expression of Go (RE2): nothing answers", path)
				continue
			}
		}
		quoted, ok := importer.Literal(text)
		if !ok {
			r.Lose(r.place+".paths", "%q cannot stand in a rule: nothing answers", path)
			continue
		}
		h.rule = strings.Join(append(append([]string{}, c.rules...), matcher+"("+quoted+")"), " && ")
		switch {
		case strip:
			h.chain = r.without(path, text, isRegex, prefix)
		case r.answer == "":
			h.chain = r.below(prefix)
		}
		all = append(all, h)
	}
	return all
}

// below puts the path of the service in front.
func (r *routed) below(prefix string) []string {
	if prefix == "" {
		return nil
	}
	return []string{r.shared("middlewares", "below"+prefix, object{"addPrefix": object{"prefix": prefix}})}
}

// without takes the path of a route away, and puts that of the service in its place.
func (r *routed) without(path, expression string, isRegex bool, prefix string) []string {
	dollars := strings.ReplaceAll(prefix, "$", "$$")
	switch bare := strings.TrimRight(path, "/"); {
	case isRegex && prefix == "":
		return []string{r.shared("middlewares", "without"+path, object{"replacePathRegex": object{"regex": expression + "/?(?P<rest_of_path>.*)$", "replacement": "/${rest_of_path}"}})}
	case isRegex:
		return []string{r.shared("middlewares", "without"+path, object{"replacePathRegex": object{"regex": expression + "(?P<rest_of_path>.*)$", "replacement": dollars + "${rest_of_path}"}})}
	case bare == "":
		return r.below(prefix)
	case prefix == "":
		return []string{r.shared("middlewares", "without"+path, object{"stripPrefix": object{"prefixes": []string{bare}}})}
	default:
		return []string{r.shared("middlewares", "without"+path, object{"replacePathRegex": object{"regex": "^" + regexp.QuoteMeta(bare) + "(.*)$", "replacement": dollars + "${1}"}})}
	}
}
