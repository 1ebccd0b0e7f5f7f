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
		return made
	}
	for _, note := range made.policy.Notes() {
		b.report(dynamic.KindTLSOptions, name, note, "", dynamic.Warning)
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
		m.close()
		m.fail(err.Error(), err.near)
	case o.policy == nil:
		m.close()
		m.fail(fmt.Sprintf("its TLS options %q are out of use: %s", name, strings.Join(o.errors, "; ")), "")
	case name != dynamic.DefaultTLS:
		m.route.policy = o.policy
	}
	if t.CertResolver != "" && m.env.Resolvers != nil && !slices.Contains(m.env.Resolvers, t.CertResolver) {
		m.warn(fmt.Sprintf("there is no certificate resolver %q (install option certificatesResolvers): another certificate is served, or the default one", t.CertResolver),
			nearest.Name(t.CertResolver, m.env.Resolvers))
	}
}

// policies say how TLS is spoken with the hosts of an entry point.
type policies struct {
	byHost  map[string]*certs.Policy // "*.x" for wildcards
	any     *certs.Policy            // for all others
	guarded bool                     // not every connection is for every route
}

// hosts finds out how TLS is spoken with each host, from the routes that listen by it.
func (b *building) hosts() {
	b.next.together = map[string]*certs.Policy{}
	for _, ep := range b.env.EntryPoints {
		b.next.entryPoints[ep.Name].policies = b.policiesOf(ep.Name)
	}
}

func (b *building) policiesOf(entryPoint string) policies {
	t := b.next
	ps := policies{any: t.standard, byHost: map[string]*certs.Policy{}, guarded: t.standard.Demands()}
	if len(t.options) == 0 {
		return ps
	}
	var everywhere []*certs.Policy // of routes that are for any host: they only ask for certificates
	sets := map[string][]*certs.Policy{}
	for _, rt := range t.routes {
		if rt.TLS == nil || rt.Status == Disabled || !slices.Contains(rt.EntryPoints, entryPoint) {
			continue
		}
		hosts := rt.Rule.Hosts()
		for _, host := range hosts {
			sets[host] = with(sets[host], t.policyOf(rt))
		}
		if rt.policy != nil && servesAnyHost(rt.Rule) {
			everywhere = with(everywhere, rt.policy)
		}
	}
	for host, set := range sets {
		beside := everywhere
		if at := strings.IndexByte(host, '.'); at > 0 && host[0] != '*' {
			for _, p := range sets["*"+host[at:]] { // a route for the wildcard may serve this one
				beside = with(slices.Clip(beside), p)
			}
		}
		ps.byHost[host] = b.joined(host, set, beside)
	}
	ps.any = b.joined("any other host", []*certs.Policy{t.standard}, everywhere)
	ps.guarded = true
	return ps
}

// servesAnyHost tells whether a rule may match requests for hosts that it does not name.
func servesAnyHost(r *rule.Rule) bool {
	return slices.ContainsFunc(r.Alternatives(), func(a rule.Alternative) bool { return a.HostKind == rule.AnyHost })
}

func (t *Table) policyOf(rt *Route) *certs.Policy {
	if rt.policy != nil {
		return rt.policy
	}
	return t.standard
}

func with(set []*certs.Policy, p *certs.Policy) []*certs.Policy {
	if slices.Contains(set, p) {
		return set
	}
	return append(set, p)
}

// joined is the policy of a host with all of set, the same as before for the same sets.
func (b *building) joined(host string, set, beside []*certs.Policy) *certs.Policy {
	byName := func(x, y *certs.Policy) int { return strings.Compare(x.Name(), y.Name()) }
	slices.SortFunc(set, byName)
	beside = slices.SortedFunc(slices.Values(beside), byName)
	var key strings.Builder
	for _, p := range set {
		_, _ = fmt.Fprintf(&key, "%p ", p)
	}
	key.WriteString("|")
	for _, p := range beside {
		_, _ = fmt.Fprintf(&key, "%p ", p)
	}
	if made := b.next.together[key.String()]; made != nil {
		return made
	}
	made := b.previous.together[key.String()]
	if made == nil {
		var err error
		if made, err = certs.Together(set, beside); err != nil {
			made = set[0]
			for _, p := range set {
				b.report(dynamic.KindTLSOptions, p.Name(), fmt.Sprintf("cannot be used for %s together with those of other routers: %v; connections are made by %s", host, err, made.Name()), "", dynamic.Warning)
			}
			return made // said again with the next table
		}
	}
	b.next.together[key.String()] = made
	return made
}

// PolicyNamed returns TLS options by their qualified name, for routers of other protocols; "" and default are those of
// all hosts without options of their own. An error tells why they cannot be used.
func (t *Table) PolicyNamed(name string) (*certs.Policy, error) {
	if name == "" {
		name = dynamic.DefaultTLS
	}
	o := t.options[name]
	switch {
	case o == nil && name == dynamic.DefaultTLS:
		return t.standard, nil
	case o == nil:
		return nil, &missingError{"set of TLS options", name, nearestName(name, t.options)}
	case o.policy == nil:
		return nil, fmt.Errorf("its TLS options %q are out of use: %s", name, strings.Join(o.errors, "; "))
	}
	return o.policy, nil
}

// PolicyFor tells how TLS is spoken with a host at an entry point. Its name is in lower
// case; "" is for clients that name none.
func (t *Table) PolicyFor(entryPoint, host string) *certs.Policy {
	routes := t.entryPoints[entryPoint]
	if routes == nil {
		return t.standard
	}
	return routes.policies.of(host)
}

func (ps *policies) of(host string) *certs.Policy {
	if p := ps.byHost[host]; p != nil {
		return p
	}
	if at := strings.IndexByte(host, '.'); at >= 0 {
		if p := ps.byHost["*"+host[at:]]; p != nil {
			return p
		}
	}
	return ps.any
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

// Broken are the files of options that could not be used.
func (t *Table) Broken() (files []string) {
	for _, o := range t.options {
		if o.policy == nil && o.config != nil {
			files = append(files, o.config.ClientAuth.CAFiles...)
			files = append(files, o.config.ClientAuth.CRLFiles...)
		}
	}
	slices.Sort(files)
	return files
}

// guard tells whether a request that came by TLS may go on to its route, and returns it
// as the route may see it. A connection that was made for another host, by other options,
// is not for this one (RFC 9110, section 15.5.20); and the route decides which clients it
// lets in.
func (t *Table) guard(w http.ResponseWriter, r *http.Request, entryPoint string, route *Route) (*http.Request, bool) {
	ps := &t.entryPoints[entryPoint].policies
	host := rule.CleanHost(r.Host)
	made := ps.of(host)
	if asked := strings.ToLower(strings.TrimSuffix(r.TLS.ServerName, ".")); asked != host && ps.of(asked) != made {
		misdirected(w, r, fmt.Sprintf("the connection was made for %q, with other TLS options", asked))
		return nil, false
	}
	policy := t.policyOf(route)
	if err := policy.Admit(r.TLS); err != nil {
		if made.Insists() && len(r.TLS.PeerCertificates) == 0 {
			misdirected(w, r, "the connection is older than the TLS options "+policy.Name()+", which ask for a certificate")
		} else {
			answer.Refuse(w, r, http.StatusForbidden, fmt.Sprintf("TLS options %s: %v", policy.Name(), err))
		}
		return nil, false
	}
	if !policy.Asks() && len(r.TLS.PeerCertificates) > 0 { // for another router; nobody has looked at it
		state := *r.TLS
		state.PeerCertificates, state.VerifiedChains = nil, nil
		seen := *r
		seen.TLS = &state
		r = &seen
	}
	return r, true
}

// misdirected has the client come back by another connection.
func misdirected(w http.ResponseWriter, r *http.Request, cause string) {
	if r.ProtoMajor == 1 {
		w.Header().Set("Connection", "close")
	}
	answer.Refuse(w, r, http.StatusMisdirectedRequest, cause)
}
