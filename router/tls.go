package router

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"fairway/config/dynamic"
	"fairway/internal/answer"
	"fairway/internal/nearest"
	"fairway/router/rule"
	"fairway/tls/certs"
)

// tlsOptions are options under a name.
type tlsOptions struct {
	config *certs.Options
	policy *certs.Policy // nil when they are out of use
	errors []string
}

// tlsOptions finds or makes all of them, and the policy for all hosts without.
func (b *building) tlsOptions() {
	t := b.cfg.TLS
	if t == nil {
		t = &dynamic.TLS{}
	}
	b.next.options = make(map[string]*tlsOptions, len(t.Options))
	for name, c := range t.Options {
		b.next.options[name] = b.optionsNamed(name, c)
	}
	for o := range b.blamed {
		if o.kind == dynamic.KindTLSOptions && b.next.options[o.name] == nil {
			b.next.options[o.name] = &tlsOptions{errors: b.said(o)} // nothing of them was understood
		}
	}
	if b.next.plain = b.previous.plain; b.next.plain == nil {
		b.next.plain = certs.DefaultPolicy()
	}
	b.next.standard = b.next.plain
	if o := b.next.options[dynamic.DefaultTLS]; o != nil && o.policy != nil { // else routes without others are out of use
		b.next.standard = o.policy
	}
}

func (b *building) optionsNamed(name string, c *certs.Options) *tlsOptions {
	o := object{dynamic.KindTLSOptions, name}
	said := b.said(o)
	if old := b.previous.options[name]; old != nil && old.policy != nil && dynamic.Same(old.config, c) && len(said) == 0 {
		return old
	}
	made := &tlsOptions{config: c, errors: said}
	if len(b.blamed[o]) > 0 {
		return made // what was not understood may be what keeps strangers out
	}
	var err error
	if made.policy, err = c.New(name); err != nil {
		made.policy = nil
		made.errors = append(made.errors, b.report(dynamic.KindTLSOptions, name, err.Error(), "", dynamic.Error))
	}
	return made
}

// tls finds the options of a route, and looks whether its resolver is there. Options may
// demand client certificates: a router whose options are not there, or not understood,
// is not opened without.
func (m *making) tls() {
	t := m.route.TLS
	if t == nil {
		return
	}
	name := t.Options
	switch {
	case name == "":
		name = dynamic.DefaultTLS
	case name != dynamic.DefaultTLS:
		name = dynamic.Qualify(name, m.provider)
	}
	o := m.next.options[name]
	m.uses = append(m.uses, use{name: name, options: o, isOptions: true})
	switch {
	case o == nil && name == dynamic.DefaultTLS:
	case o == nil:
		err := &missingError{"set of TLS options", name, nearestName(name, m.next.options)}
		m.fail(err.Error(), err.near)
	case o.policy == nil:
		m.fail(fmt.Sprintf("its TLS options %q are out of use: %s", name, strings.Join(o.errors, "; ")), "")
	case name != dynamic.DefaultTLS:
		m.route.policy = o.policy
	}
	if t.CertResolver != "" && m.env.Resolvers != nil && !slices.Contains(m.env.Resolvers, t.CertResolver) {
		m.warn(fmt.Sprintf("there is no certificate resolver %q (install option certificatesResolvers): another certificate is served, or the default one", t.CertResolver),
			nearest.Name(t.CertResolver, m.env.Resolvers))
	}
}

// hosts finds out how TLS is spoken with each host, from all routes that listen by it.
func (b *building) hosts() {
	t := b.next
	t.anyHost, t.byHost, t.together = t.standard, map[string]*certs.Policy{}, map[string]*certs.Policy{}
	t.guarded = t.standard.Demands()
	if len(t.options) == 0 {
		return
	}
	everywhere, sets := []*certs.Policy{}, map[string][]*certs.Policy{}
	for _, rt := range t.routes {
		if rt.TLS == nil || rt.Status == Disabled {
			continue
		}
		hosts := rt.Rule.Hosts()
		policy := rt.policy
		if policy == nil {
			policy = t.standard
		}
		for _, host := range hosts {
			sets[host] = with(sets[host], policy)
		}
		if len(hosts) == 0 && rt.policy != nil {
			everywhere = with(everywhere, policy)
		}
	}
	for host, set := range sets {
		for _, p := range everywhere {
			set = with(set, p)
		}
		if p := b.joined(set); p != t.standard {
			t.byHost[host] = p
		}
	}
	t.anyHost = b.joined(append(everywhere, t.standard))
	t.guarded = t.guarded || len(t.byHost) > 0 || t.anyHost != t.standard
}

func with(set []*certs.Policy, p *certs.Policy) []*certs.Policy {
	if slices.Contains(set, p) {
		return set
	}
	return append(set, p)
}

// joined is the policy of a host with all of set, the same as before for the same set.
func (b *building) joined(set []*certs.Policy) *certs.Policy {
	slices.SortFunc(set, func(x, y *certs.Policy) int { return strings.Compare(x.Name(), y.Name()) })
	if set = slices.Compact(set); len(set) == 1 {
		return set[0]
	}
	var key strings.Builder
	for _, p := range set {
		_, _ = fmt.Fprintf(&key, "%p ", p)
	}
	if b.next.together[key.String()] == nil {
		if b.next.together[key.String()] = b.previous.together[key.String()]; b.next.together[key.String()] == nil {
			b.next.together[key.String()] = certs.Together(set)
		}
	}
	return b.next.together[key.String()]
}

// PolicyFor tells how TLS is spoken with a host, whose name is in lower case; "" is for
// clients that name none.
func (t *Table) PolicyFor(host string) *certs.Policy {
	if p := t.byHost[host]; p != nil {
		return p
	}
	if at := strings.IndexByte(host, '.'); at >= 0 {
		if p := t.byHost["*"+host[at:]]; p != nil {
			return p
		}
	}
	return t.anyHost
}

// Policies are all that connections may be made by, and that routes decide by.
func (t *Table) Policies() map[*certs.Policy]bool {
	all := map[*certs.Policy]bool{t.standard: true}
	for _, o := range t.options {
		if o.policy != nil {
			all[o.policy] = true
		}
	}
	return all
}

// guard tells whether a request that came by TLS may go on to its route. A connection
// that was made for another host, by other options, is not for this one (RFC 9110,
// section 15.5.20); and the route decides which clients it lets in.
func (t *Table) guard(w http.ResponseWriter, r *http.Request, route *Route) bool {
	host := rule.CleanHost(r.Host)
	if asked := strings.ToLower(strings.TrimSuffix(r.TLS.ServerName, ".")); asked != host && t.PolicyFor(asked) != t.PolicyFor(host) {
		answer.Refuse(w, r, http.StatusMisdirectedRequest, fmt.Sprintf("the connection was made for %q, with other TLS options", asked))
		return false
	}
	policy := route.policy
	if policy == nil {
		policy = t.standard
	}
	if err := policy.Admit(r.TLS); err != nil {
		answer.Refuse(w, r, http.StatusForbidden, fmt.Sprintf("TLS options %s: %v", policy.Name(), err))
		return false
	}
	return true
}
