package dashboard

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"fairway/config"
	"fairway/config/dynamic"
	"fairway/router"
	"fairway/router/rule"
)

// Explained is what would become of a request, and why.
type Explained struct {
	Method     string `json:"method"`
	URL        string `json:"url"`
	EntryPoint string `json:"entryPoint"`
	TLS        bool   `json:"tls"`
	// Refused says why the entry point itself would refuse the request; empty: it would not.
	Refused string       `json:"refused,omitempty"`
	Winner  *Considered  `json:"winner,omitempty"` // gets it
	Lost    []Considered `json:"lost"`             // match as well
	Near    []Considered `json:"near"`             // nearly match
}

// Considered is a router beside a request.
type Considered struct {
	Router   string           `json:"router"`
	Rule     string           `json:"rule"`
	Priority int              `json:"priority"`
	Why      string           `json:"why,omitempty"`
	Match    rule.Explanation `json:"match"`
	Source   string           `json:"source,omitempty"`
	// Of the one that gets the request: what it passes, and who answers.
	Middlewares []Step `json:"middlewares,omitempty"`
	Service     *Pool  `json:"service,omitempty"`
	// Servers are all that may answer, those of the parts of the service included.
	Servers []Server `json:"servers,omitempty"`
}

// Question is a request to be explained.
type Question struct {
	Method, URL, EntryPoint, Client string
	Headers                         []string // "Name: value"
}

// Request makes the request that is asked about. It is sent nowhere.
func (q Question) Request() (*http.Request, error) {
	u, err := url.Parse(q.URL)
	switch {
	case err != nil:
		return nil, fmt.Errorf("url: %w", err)
	case u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return nil, errors.New("url: it has to begin with http:// or https:// and a host")
	}
	if u.Path == "" {
		u.Path = "/"
	}
	r := &http.Request{
		Method: strings.ToUpper(q.Method), URL: &url.URL{Path: u.Path, RawPath: u.RawPath, RawQuery: u.RawQuery}, Host: u.Host, Header: http.Header{},
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, RemoteAddr: "127.0.0.1:1", Body: http.NoBody, RequestURI: u.RequestURI(),
	}
	if r.Method == "" {
		r.Method = http.MethodGet
	}
	if u.Scheme == "https" {
		r.TLS = &tls.ConnectionState{ServerName: u.Hostname()}
	}
	if q.Client != "" {
		addr, err := netip.ParseAddr(q.Client)
		if err != nil {
			return nil, fmt.Errorf("client: %q is no address", q.Client)
		}
		r.RemoteAddr = netip.AddrPortFrom(addr, 1).String()
	}
	for _, h := range q.Headers {
		name, value, found := strings.Cut(h, ":")
		if !found {
			return nil, fmt.Errorf("header: %q is not written as Name: value", h)
		}
		if name = http.CanonicalHeaderKey(strings.TrimSpace(name)); name == "Host" {
			r.Host = strings.TrimSpace(value)
			continue
		}
		r.Header.Add(name, strings.TrimSpace(value))
	}
	return r, nil
}

// EntryPointFor is the entry point that a request leads to by the port of its URL. Where none
// has that port, as behind one that is published under another number, it is one where a
// router takes the request, else one that speaks TLS as the URL does.
func EntryPointFor(u string, all map[string]*config.EntryPoint, t *router.Table, r *http.Request) (best string) {
	parsed, err := url.Parse(u)
	if err != nil {
		return ""
	}
	port := parsed.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[parsed.Scheme]
	}
	most := -1
	for _, name := range sorted(all) {
		address, _, _ := strings.Cut(all[name].Address, "/")
		if _, its, _ := net.SplitHostPort(address); its == port && !all[name].Datagrams() {
			return name
		}
		fits := 0
		switch {
		case all[name].Datagrams():
			continue
		case name == config.InternalEntryPoint: // the dashboard there takes every request
		case t.Lookup(name, r) != nil:
			fits = 3
		case speaksTLS(name, all[name], t) == (parsed.Scheme == "https"):
			fits = 2
		default:
			fits = 1
		}
		if fits > most {
			best, most = name, fits
		}
	}
	return best
}

// speaksTLS tells whether an entry point is there for TLS: by its options, by the routers that
// listen there, or by its name where none do.
func speaksTLS(name string, e *config.EntryPoint, t *router.Table) bool {
	if e.HTTP != nil && e.HTTP.TLS != nil || strings.Contains(name, "secure") {
		return true
	}
	for _, rt := range t.Routes() {
		if rt.TLS != nil && slices.Contains(rt.EntryPoints, name) {
			return true
		}
	}
	return false
}

// Explain answers a question by a table.
func Explain(t *router.Table, entryPoint string, r *http.Request, q Question) Explained {
	e := t.Explain(entryPoint, r)
	view := Explained{Method: r.Method, URL: q.URL, EntryPoint: entryPoint, TLS: e.TLS, Lost: []Considered{}, Near: []Considered{}}
	if e.Winner != nil {
		c := considered(t, *e.Winner)
		c.follow(t, e.Winner.Route)
		view.Winner = &c
	}
	for _, c := range e.Lost {
		view.Lost = append(view.Lost, considered(t, c))
	}
	for _, c := range e.Near {
		view.Near = append(view.Near, considered(t, c))
	}
	return view
}

func considered(t *router.Table, c router.Candidate) Considered {
	return Considered{
		Router: c.Name, Rule: c.Rule.String(), Priority: c.Priority, Why: c.Why, Match: c.Match,
		Source: t.Source(dynamic.KindRouter, c.Name),
	}
}

// follow goes the way of a request that a route gets.
func (c *Considered) follow(t *router.Table, rt *router.Route) {
	w := &way{table: t}
	c.Middlewares = w.middlewares(rt.Middlewares, dynamic.ProviderOf(rt.Name), "", 0)
	c.Service = new((&way{table: t}).pool(rt.Service, 0))
	c.Servers = c.Service.answering(nil)
}

// explain answers /api/explain?url=...&method=...&header=...&entryPoint=...&client=...
func (a *api) explain(r *http.Request) (any, error) {
	values := r.URL.Query()
	q := Question{Method: values.Get("method"), URL: values.Get("url"), EntryPoint: values.Get("entryPoint"), Client: values.Get("client"), Headers: values["header"]}
	asked, err := q.Request()
	if err != nil {
		return nil, badRequest(err.Error())
	}
	if q.EntryPoint == "" {
		q.EntryPoint = EntryPointFor(q.URL, a.Install.EntryPoints, a.Table(), asked)
	}
	if a.Install.EntryPoints[q.EntryPoint] == nil {
		return nil, badRequest(fmt.Sprintf("entryPoint: there is no %q, only %s", q.EntryPoint, strings.Join(sorted(a.Install.EntryPoints), ", ")))
	}
	refused := ""
	if a.Take != nil {
		taken, err := a.Take(q.EntryPoint, asked)
		if err != nil {
			refused = err.Error()
		} else {
			asked = taken
		}
	}
	view := Explain(a.Table(), q.EntryPoint, asked, q)
	if view.Refused = refused; refused != "" {
		view.Winner = nil
	}
	return view, nil
}
