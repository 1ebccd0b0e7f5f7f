package router

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"fairway/internal/nearest"
	"fairway/router/rule"
)

// Explanation tells what would become of a request, and why.
type Explanation struct {
	EntryPoint string
	TLS        bool
	// Winner is the route that the request would take; nil: none.
	Winner *Candidate
	// Lost are those that match as well, in their order.
	Lost []Candidate
	// Near are some of those that nearly match, the nearest first, and those that would
	// match elsewhere, or if they were in use.
	Near []Candidate
}

// Candidate is a route beside a request.
type Candidate struct {
	*Route
	Match rule.Explanation
	// Why it does not get the request, or what is wrong though it does, in words.
	Why string
}

// mostNear is how many routes are shown that nearly match.
const mostNear = 10

// Explain tells what would become of a request that comes in at an entry point. It sends
// nothing anywhere.
func (t *Table) Explain(entryPoint string, r *http.Request) Explanation {
	e := Explanation{EntryPoint: entryPoint, TLS: r.TLS != nil}
	winner := t.Lookup(entryPoint, r)
	q := rule.NewRequest(r)
	like := t.hostLike(q.Host)
	var matching, near []Candidate
	for _, rt := range t.routes {
		c, found := t.candidate(rt, winner, entryPoint, like, &q)
		switch {
		case !found:
		case rt == winner:
			e.Winner = &c
		case c.Match.Matched && rt.listens(entryPoint, e.TLS) && rt.Status != Disabled:
			matching = append(matching, c)
		default:
			near = append(near, c)
		}
	}
	slices.SortFunc(matching, func(a, b Candidate) int {
		return cmp.Or(cmp.Compare(b.Priority, a.Priority), strings.Compare(a.Name, b.Name))
	})
	slices.SortFunc(near, func(a, b Candidate) int {
		return cmp.Or(cmp.Compare(len(a.Match.Failed()), len(b.Match.Failed())), cmp.Compare(b.Priority, a.Priority), strings.Compare(a.Name, b.Name))
	})
	e.Lost, e.Near = matching, near[:min(len(near), mostNear)]
	return e
}

// candidate looks at one route. Those that have nothing to do with the request are not
// found.
func (t *Table) candidate(rt, winner *Route, entryPoint, like string, q *rule.Request) (c Candidate, found bool) {
	c.Route = rt
	if rt.Rule == nil {
		return c, false // the problem of its rule is shown with the problems
	}
	if rt != winner && !rt.concerns(q) && (like == "" || !slices.Contains(rt.Rule.Hosts(), like)) {
		return c, false
	}
	c.Match = rt.Rule.Explain(q)
	c.Why = rt.why(c.Match, winner, entryPoint, q.HTTP.TLS != nil)
	return c, true
}

// hostLike is the host that was probably meant, where no rule has the one asked for.
func (t *Table) hostLike(host string) string {
	var all []string
	for _, rt := range t.routes {
		if rt.Rule == nil {
			continue
		}
		for _, name := range rt.Rule.Hosts() {
			if name == host {
				return ""
			}
			all = append(all, name)
		}
	}
	return nearest.Name(host, all)
}

// concerns tells whether a request is for a host of the route, or for any host and a path
// of its.
func (rt *Route) concerns(q *rule.Request) bool {
	for _, a := range rt.Rule.Alternatives() {
		if a.AdmitsHost(q.Host) && (a.HostKind != rule.AnyHost || a.AdmitsPath(q.Path)) {
			return true
		}
	}
	return rt.Rule.Match(q)
}

// listens tells whether a route is looked up at an entry point, by TLS or not.
func (rt *Route) listens(entryPoint string, secure bool) bool {
	return slices.Contains(rt.EntryPoints, entryPoint) && (rt.TLS != nil) == secure
}

// why tells why a route does not get a request.
func (rt *Route) why(match rule.Explanation, winner *Route, entryPoint string, secure bool) string {
	switch {
	case rt == winner && rt.closed:
		return "gets the request and answers 503, for it is out of use: " + strings.Join(rt.Errors, "; ")
	case rt == winner:
		return ""
	case !match.Matched:
		return "does not match: " + strings.Join(match.Failed(), ", ")
	case rt.Status == Disabled && len(rt.Errors) > 0:
		return "matches, and is out of use: " + rt.Errors[0]
	case !slices.Contains(rt.EntryPoints, entryPoint):
		return "matches, but listens at " + strings.Join(rt.EntryPoints, ", ")
	case rt.TLS == nil && secure:
		return "matches, but only requests without TLS: it has no tls option"
	case rt.TLS != nil && !secure:
		return "matches, but only requests by TLS: it has a tls option"
	case winner == nil:
		return "matches, and is out of use"
	case rt.Priority < winner.Priority:
		return fmt.Sprintf("matches, but has a lower priority: %d, not %d", rt.Priority, winner.Priority)
	}
	return "matches with the same priority, but comes behind: by its provider, or its name"
}
