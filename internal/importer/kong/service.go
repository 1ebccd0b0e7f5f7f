package kong

import (
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
)

// service is one, with its routes.
type service struct {
	entity
	routes []entity
}

// address is the URL of a service, whose parts may be given one by one.
func (s *service) address() (*url.URL, error) {
	if text := word(s.object["url"]); text != "" {
		u, err := url.Parse(text)
		if err != nil || u.Host == "" {
			return nil, fmt.Errorf("the url %q is none", text)
		}
		return u, nil
	}
	host, scheme := word(s.object["host"]), orElse(s.object["protocol"], "http")
	if host == "" {
		return nil, fmt.Errorf("it has no host")
	}
	return &url.URL{Scheme: scheme, Host: net.JoinHostPort(host, strconv.Itoa(whole(s.object["port"], 80))), Path: word(s.object["path"])}, nil
}

// schemes are those of servers, by Kong's protocols.
var schemes = map[string]string{"http": "http", "https": "https", "grpc": "h2c", "grpcs": "https", "ws": "http", "wss": "https"}

// loadBalancer is what answers the routes of a service. prefix is the path of it; false: nothing answers.
func (g *gateway) loadBalancer(s *service, preserveHost bool) (name, prefix string, ok bool) {
	if s.object["name"] == nil && len(s.object) == 0 {
		return "", "", false
	}
	u, err := s.address()
	if err == nil && schemes[u.Scheme] == "" {
		err = fmt.Errorf("the protocol %q is not one of HTTP: see the routing of TCP and UDP", u.Scheme)
	}
	if err != nil {
		g.Lose(s.place, "%v", err)
		return "", "", false
	}
	lb := object{"passHostHeader": preserveHost}
	scheme := schemes[u.Scheme]
	if up, is := g.upstreams[u.Hostname()]; is {
		g.upstream(up, scheme, lb)
	} else {
		lb["servers"] = []object{{"url": scheme + "://" + u.Host}}
	}
	if transport := g.transport(s, scheme); len(transport) > 0 {
		lb["serversTransport"] = g.shared("serversTransports", orElse(s.object["name"], u.Hostname()), transport)
	}
	name = g.shared("services", orElse(s.object["name"], u.Hostname()), object{"loadBalancer": lb})
	return name, strings.TrimRight(u.Path, "/"), true
}

// transport is how the servers of a service are talked to.
func (g *gateway) transport(s *service, scheme string) object {
	transport := object{}
	if scheme != "https" {
		return transport
	}
	switch verify, said := boolean(s.object["tls_verify"]); {
	case said && !verify:
		transport["insecureSkipVerify"] = true
	case !said:
		g.Differ(s.place, "the certificates of the servers are verified")
	}
	for _, name := range []string{"ca_certificates", "client_certificate", "tls_verify_depth"} {
		if s.object[name] != nil {
			g.Lose(s.place+"."+name, "see serversTransports")
		}
	}
	return transport
}

// patience is the middlewares for the times that a service has, and for its retries.
func (g *gateway) patience(s *service) (chain []string) {
	times := object{}
	for from, to := range map[string]string{"connect_timeout": "connect", "read_timeout": "idle"} {
		if ms := whole(s.object[from], 0); ms > 0 {
			times[to] = strconv.Itoa(ms) + "ms"
			if to == "idle" {
				times["firstByte"] = times[to]
			}
		}
	}
	if len(times) > 0 {
		chain = append(chain, g.shared("middlewares", "timeouts-"+word(s.object["name"]), object{"timeouts": times}))
	}
	if s.object["write_timeout"] != nil {
		g.Differ(s.place+".write_timeout", "the time for sending a request is part of that for the first byte of the answer")
	}
	if n := whole(s.object["retries"], 0); n > 0 {
		chain = append(chain, g.shared("middlewares", "retry-"+strconv.Itoa(n), object{"retry": object{"attempts": n + 1}}))
	}
	return chain
}

// upstream gives a load balancer the targets of an upstream.
func (g *gateway) upstream(up entity, scheme string, lb object) {
	targets := list(up.object, "targets", up.place+".")
	for _, t := range list(g.root, "targets", "") {
		if refersTo(t.object["upstream"], up.object) {
			targets = append(targets, t)
		}
	}
	servers := []object{}
	for _, t := range targets {
		address := word(t.object["target"])
		if _, _, err := net.SplitHostPort(address); err != nil {
			address = net.JoinHostPort(strings.Trim(address, "[]"), "8000")
		}
		server := object{"url": scheme + "://" + address}
		if weight := whole(t.object["weight"], 100); weight != 100 {
			server["weight"] = weight
		}
		servers = append(servers, server)
	}
	for _, s := range servers { // those that say nothing weigh 100
		if len(targets) > 1 && s["weight"] == nil && anyWeight(servers) {
			s["weight"] = 100
		}
	}
	lb["servers"] = servers
	if len(servers) == 0 {
		g.Lose(up.place, "it has no targets")
	}
	g.strategy(up, lb)
	g.health(up, lb)
	if up.object["host_header"] != nil {
		g.Lose(up.place+".host_header", "see the middleware headers, customRequestHeaders.Host")
	}
}

func anyWeight(servers []object) bool {
	for _, s := range servers {
		if w := s["weight"]; w != nil && w != 100 {
			return true
		}
	}
	return false
}

func (g *gateway) strategy(up entity, lb object) {
	hashOn := orElse(up.object["hash_on"], "none")
	switch algorithm := orElse(up.object["algorithm"], "round-robin"); {
	case algorithm == "round-robin" && hashOn == "none":
	case algorithm == "least-connections":
		lb["strategy"] = "p2c"
		g.Differ(up.place+".algorithm", "the server with fewer requests under way is chosen, of two that are drawn by lot")
	case algorithm == "latency":
		lb["strategy"] = "leasttime"
	case hashOn == "ip" || hashOn == "none":
		lb["strategy"] = "hrw"
		g.Differ(up.place+".algorithm", "clients are given to servers by their addresses, by another hash")
	case hashOn == "cookie":
		lb["sticky"] = object{"cookie": object{"name": orElse(up.object["hash_on_cookie"], "kong"), "path": orElse(up.object["hash_on_cookie_path"], "/")}}
		g.Differ(up.place+".hash_on", "a cookie names the server that a client had first")
	default:
		g.Lose(up.place+".hash_on", "requests cannot be given to servers by their %s", hashOn)
	}
}

func (g *gateway) health(up entity, lb object) {
	checks, _ := up.object["healthchecks"].(object)
	if checks["threshold"] != nil && whole(checks["threshold"], 0) != 0 {
		g.Lose(up.place+".healthchecks.threshold", "see passiveHealthCheck.panicThreshold")
	}
	active, _ := checks["active"].(object)
	well, _ := active["healthy"].(object)
	ill, _ := active["unhealthy"].(object)
	if every := whole(well["interval"], 0); every > 0 {
		check := object{"path": orElse(active["http_path"], "/"), "interval": strconv.Itoa(every) + "s", "timeout": strconv.Itoa(max(1, whole(active["timeout"], 1))) + "s"}
		for name, n := range map[string]int{"rise": whole(well["successes"], 0), "fall": whole(ill["http_failures"], 0)} {
			if n > 0 {
				check[name] = n
			}
		}
		if other := whole(ill["interval"], 0); other > 0 && other != every {
			check["unhealthyInterval"] = strconv.Itoa(other) + "s"
		}
		switch typ := orElse(active["type"], "http"); typ {
		case "http", "https":
		case "grpc", "grpcs":
			check["mode"] = "grpc"
			delete(check, "path")
		default:
			g.Lose(up.place+".healthchecks.active.type", "%s is not asked by", typ)
			check = nil
		}
		if check != nil {
			lb["healthCheck"] = check
		}
		if well["http_statuses"] != nil || ill["http_statuses"] != nil {
			g.Differ(up.place+".healthchecks.active", "a good answer has a status from 200 to 399")
		}
	}
	passive, _ := checks["passive"].(object)
	bad, _ := passive["unhealthy"].(object)
	if n := max(whole(bad["http_failures"], 0), whole(bad["tcp_failures"], 0)); n > 0 {
		lb["passiveHealthCheck"] = object{"maxFailedAttempts": n}
		g.Differ(up.place+".healthchecks.passive", "failures are counted in 10s, and the server is used again after that")
	}
}

// consumers are who uses the services, with all their credentials.
func (g *gateway) consumers() {
	for _, c := range list(g.root, "consumers", "") {
		g.consumer(c)
	}
}

// credentials are those of a kind that a consumer has, in it or beside it.
func (g *gateway) credentials(c entity, kind string) []entity {
	all := list(c.object, kind, c.place+".")
	for _, e := range list(g.root, kind, "") {
		if refersTo(e.object["consumer"], c.object) {
			all = append(all, e)
		}
	}
	return all
}
