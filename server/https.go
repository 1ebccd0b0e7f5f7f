package server

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"fairway/config"
	"fairway/config/dynamic"
	"fairway/dashboard"
	"fairway/internal/nearest"
	"fairway/router"
	tcprouter "fairway/router/tcp"
	"fairway/tls/acme"
	"fairway/tls/certs"
)

// https is all that answers by TLS: the certificates of the operator, and those that
// resolvers get.
type https struct {
	certs     *certs.Certificates
	resolvers map[string]*acme.Resolver
	names     []string // of the resolvers, sorted

	mistakes []dynamic.Problem // in the install configuration
	mu       sync.Mutex
	stores   []dynamic.Problem // in what the configuration in force says of stores
}

// blame notes a mistake about a resolver.
func (h *https) blame(resolver, reason string, severity dynamic.Severity) {
	h.mistakes = append(h.mistakes, dynamic.Problem{Severity: severity, Provider: "acme", Kind: "resolver", Name: resolver, Reason: reason})
}

// newHTTPS makes the resolvers of the install configuration. changed is called when
// something about certificates is new.
func newHTTPS(install *config.Configuration, log logrus.FieldLogger, changed func()) (*https, error) {
	c := acmeConfigs(install.CertificatesResolvers)
	h := &https{resolvers: map[string]*acme.Resolver{}, names: []string{}}
	var sources []certs.Source
	for name := range c {
		h.names = append(h.names, name)
	}
	slices.Sort(h.names)
	own, err := h.ownCertificate(c)
	if own == nil {
		return nil, err
	}
	if err != nil {
		log.WithError(err).Warn("the self-signed default certificate is another one after each start")
	}
	for _, name := range h.names {
		r, err := c[name].New(acme.Env{
			Name: name, Log: log.WithField("resolver", name), Changed: changed,
			Covered: func(host string) bool { return h.certs.Covers(host) },
		})
		if err != nil {
			// It costs the resolver, and nothing else.
			h.blame(name, "option certificatesResolvers."+name+".acme."+err.Error(), dynamic.Error)
		}
		if challenge := c[name].HTTPChallenge; challenge != nil && install.EntryPoints[challenge.EntryPoint] == nil {
			h.blame(name, fmt.Sprintf("httpChallenge: there is no entry point %q; challenges are answered at all of them", challenge.EntryPoint), dynamic.Warning)
		}
		if r != nil {
			h.resolvers[name] = r
			sources = append(sources, r)
		}
	}
	h.certs = certs.NewCertificates(log, own, sources...)
	return h, nil
}

// ownCertificate is the default certificate that fairway signs itself. It is kept where
// resolvers keep theirs, if there are any.
func (h *https) ownCertificate(c map[string]*acme.Config) (*tls.Certificate, error) {
	if len(h.names) == 0 {
		return certs.NewDefault()
	}
	return certs.KeptDefault(filepath.Join(strings.TrimSuffix(c[h.names[0]].Storage, ".json"), "default.pem"))
}

// acmeConfigs are those of the resolvers.
func acmeConfigs(c map[string]*config.CertificatesResolver) map[string]*acme.Config {
	all := map[string]*acme.Config{}
	for name, r := range c {
		if r.ACME != nil {
			all[name] = r.ACME
		}
	}
	return all
}

// run works until ctx ends.
func (h *https) run(ctx context.Context) {
	var running sync.WaitGroup
	running.Go(func() { h.certs.Run(ctx) })
	for _, r := range h.resolvers {
		running.Go(func() { r.Run(ctx) })
	}
	running.Wait()
}

// serveChallenge answers an authority that looks whether a name is ours (RFC 8555,
// section 8.3). It stands in front of everything: no redirection, and no router, may
// keep a certificate from being renewed.
func (h *https) serveChallenge(w http.ResponseWriter, r *http.Request) bool {
	if h == nil || len(h.names) == 0 || !strings.HasPrefix(r.URL.Path, "/.well-known/acme-challenge/") {
		return false
	}
	for _, resolver := range h.resolvers {
		if resolver.ServeChallenge(w, r) {
			return true
		}
	}
	return false
}

// config is for the connections of entry points.
func (h *https) config(entryPoint string, table func() *router.Table) *tls.Config {
	return h.certs.Config(func(host string) *certs.Policy { return table().PolicyFor(entryPoint, host) })
}

// set takes over the certificates of a configuration, before its routes are served.
func (h *https) set(t *dynamic.TLS) {
	if t == nil {
		t = &dynamic.TLS{}
	}
	store := t.Stores[dynamic.DefaultTLS]
	h.certs.Set(t.Certificates, store)
	h.certs.Generated(h.generated(store))
	found := h.lookAtStores(t)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.stores = found
}

// lookAtStores finds what is said of stores and has no effect.
func (h *https) lookAtStores(t *dynamic.TLS) (list []dynamic.Problem) {
	say := func(name, reason, near string) {
		list = append(list, dynamic.Problem{Severity: dynamic.Warning, Kind: dynamic.KindTLSStore, Name: name, Reason: reason, Nearest: near})
	}
	for name, store := range t.Stores {
		switch g := store.DefaultGeneratedCert; {
		case name != dynamic.DefaultTLS:
			say(name, "is not used: there is one store, default", "")
		case g == nil:
		case !slices.Contains(h.names, g.Resolver):
			say(name, fmt.Sprintf("there is no certificate resolver %q (install option certificatesResolvers)", g.Resolver), nearest.Name(g.Resolver, h.names))
		case g.Domain == nil || g.Domain.Main == "":
			say(name, "defaultGeneratedCert.domain.main is missing: nothing is ordered", "")
		}
	}
	for _, c := range t.Certificates {
		for _, name := range c.Stores {
			if name != dynamic.DefaultTLS {
				say(name, "a certificate names it, and is used all the same: there is one store, default", "")
			}
		}
	}
	return list
}

// generated is where the default certificate comes from, if a resolver is to get it.
func (h *https) generated(store *certs.Store) func() *tls.Certificate {
	if store == nil || store.DefaultGeneratedCert == nil || store.DefaultGeneratedCert.Domain == nil {
		return nil
	}
	g := store.DefaultGeneratedCert
	r := h.resolvers[g.Resolver]
	if r == nil {
		return nil
	}
	return func() *tls.Certificate { return r.Certificate(strings.ToLower(g.Domain.Main)) }
}

// want tells the resolvers what the routes of a table need. again is called when files
// have come that were missing.
func (h *https) want(table *router.Table, others []acmeWish, t *dynamic.TLS, again func()) {
	h.certs.Policies(table.Policies())
	h.certs.Await(table.Broken(), again)
	wanted := make(map[string][]acme.Wanted, len(h.names))
	for _, rt := range table.Routes() {
		if rt.TLS == nil || rt.TLS.CertResolver == "" || rt.Status == router.Disabled {
			continue
		}
		list := wanted[rt.TLS.CertResolver]
		for _, d := range rt.TLS.Domains {
			list = append(list, acme.Wanted{Names: domain(d), By: rt.Name})
		}
		if len(rt.TLS.Domains) == 0 {
			for _, host := range rt.Rule.Hosts() {
				list = append(list, acme.Wanted{Names: []string{host}, By: rt.Name})
			}
		}
		wanted[rt.TLS.CertResolver] = list
	}
	for _, w := range others {
		wanted[w.resolver] = append(wanted[w.resolver], w.wanted)
	}
	if t != nil && t.Stores[dynamic.DefaultTLS] != nil {
		if g := t.Stores[dynamic.DefaultTLS].DefaultGeneratedCert; g != nil && g.Domain != nil {
			wanted[g.Resolver] = append(wanted[g.Resolver], acme.Wanted{Names: domain(*g.Domain), By: "tls.stores.default"})
		}
	}
	for _, name := range h.names {
		list := wanted[name]
		slices.SortFunc(list, func(a, b acme.Wanted) int {
			return strings.Compare(strings.Join(a.Names, " ")+" "+a.By, strings.Join(b.Names, " ")+" "+b.By)
		})
		if r := h.resolvers[name]; r != nil {
			r.Want(list)
		}
	}
}

// acmeWish is a certificate that a resolver is to get.
type acmeWish struct {
	resolver string
	wanted   acme.Wanted
}

// wishes are those of routers of TCP.
func wishes(t *tcprouter.Table) (list []acmeWish) {
	for _, rt := range t.Routes() {
		c := rt.Config.TLS
		if c == nil || c.CertResolver == "" || c.Passthrough || rt.Status == tcprouter.Disabled {
			continue
		}
		for _, d := range c.Domains {
			list = append(list, acmeWish{c.CertResolver, acme.Wanted{Names: domain(d), By: rt.Name}})
		}
		if len(c.Domains) > 0 {
			continue
		}
		for _, host := range rt.Rule.Hosts() {
			list = append(list, acmeWish{c.CertResolver, acme.Wanted{Names: []string{host}, By: rt.Name}})
		}
	}
	return list
}

// domain are the names of one certificate, the main one first.
func domain(d certs.Domain) (names []string) {
	for _, name := range append([]string{d.Main}, d.SANs...) {
		if name = strings.ToLower(strings.TrimSuffix(strings.TrimSpace(name), ".")); name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

const (
	dayLong  = 24 * time.Hour
	warnFrom = 14 * dayLong // before a certificate of the operator's runs out
)

// problems are those of certificates, as they are now.
func (h *https) problems(now time.Time) (list []dynamic.Problem) {
	for _, c := range h.certs.List() {
		if p, bad := problemOf(c, now); bad {
			list = append(list, p)
		}
	}
	list = append(list, h.mistakes...)
	h.mu.Lock()
	list = append(list, h.stores...)
	h.mu.Unlock()
	for name, r := range h.resolvers {
		if warning := r.Warning(); warning != "" {
			list = append(list, dynamic.Problem{Severity: dynamic.Warning, Provider: "acme", Kind: "resolver", Name: name, Reason: warning})
		}
		for _, s := range r.Status() {
			if s.Error == "" || !s.Wanted {
				continue
			}
			p := dynamic.Problem{Severity: dynamic.Warning, Provider: "acme", Kind: "certificate", Name: strings.Join(s.Names, " "), Source: "resolver " + name}
			switch {
			case s.NotAfter.IsZero():
				p.Severity, p.Reason = dynamic.Error, "cannot be got: "+s.Error
			case now.After(s.NotAfter):
				p.Severity, p.Reason = dynamic.Error, "has run out on "+day(s.NotAfter)+", and cannot be renewed: "+s.Error
			default:
				p.Reason = "cannot be renewed, and runs out on " + day(s.NotAfter) + ": " + s.Error
			}
			list = append(list, p)
		}
	}
	return list
}

func problemOf(c certs.Info, now time.Time) (dynamic.Problem, bool) {
	p := dynamic.Problem{Severity: dynamic.Error, Kind: "certificate", Name: strings.Join(c.Names, " "), Source: c.File}
	switch {
	case c.Error != "" && len(c.Names) == 0:
		p.Reason = "cannot be used: " + c.Error
	case c.Error != "":
		p.Severity, p.Reason = dynamic.Warning, "has changed and cannot be used, the last good one is: "+c.Error
	case c.Staple != "":
		p.Reason = "demands to be shown with an answer of its issuer (OCSP), which cannot be had: " + c.Staple
	case now.After(c.NotAfter):
		p.Reason = "has run out on " + day(c.NotAfter)
	case now.Before(c.NotBefore):
		p.Reason = "is not valid before " + day(c.NotBefore)
	case now.After(c.NotAfter.Add(-warnFrom)) && c.NotAfter.Sub(c.NotBefore) > 2*warnFrom:
		p.Severity, p.Reason = dynamic.Warning, "runs out on "+day(c.NotAfter)
	default:
		return p, false
	}
	return p, true
}

func day(t time.Time) string { return t.UTC().Format("2006-01-02") }

// list is what is shown of all certificates.
func (h *https) list() (list []dashboard.Certificate) {
	for _, c := range h.certs.List() {
		list = append(list, dashboard.Certificate{
			Names: c.Names, File: c.File, Default: c.Default, Issuer: c.Issuer, Serial: c.Serial,
			NotBefore: when(c.NotBefore), NotAfter: when(c.NotAfter), Error: c.Error,
		})
	}
	for _, name := range h.names {
		if h.resolvers[name] == nil {
			continue
		}
		for _, s := range h.resolvers[name].Status() {
			list = append(list, dashboard.Certificate{
				Names: s.Names, Resolver: name, Routers: s.By, Issuer: s.Issuer, Serial: s.Serial,
				NotBefore: when(s.NotBefore), NotAfter: when(s.NotAfter), RenewAt: when(s.RenewAt), NextTry: when(s.NextTry),
				Failures: s.Failures, Error: s.Error, Since: when(s.Since), Ordering: s.Ordering,
			})
		}
	}
	return list
}

// leafs are the certificates themselves.
func (h *https) leafs() (all []*x509.Certificate) {
	for _, c := range h.certs.List() {
		if c.Leaf != nil {
			all = append(all, c.Leaf)
		}
	}
	for _, r := range h.resolvers {
		for _, s := range r.Status() {
			if s.Leaf != nil {
				all = append(all, s.Leaf)
			}
		}
	}
	return all
}

// when is nil for no time.
func when(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
