package server

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"fairway/dashboard"
	"fairway/router"
	tcprouter "fairway/router/tcp"
	udprouter "fairway/router/udp"
	"fairway/telemetry/live"
)

// tailSize is how many of the last requests the dashboard can show.
const tailSize = 500

// newLive makes what the dashboard shows of what passes, or nil.
func (s *Server) newLive() *live.Live {
	switch c := s.config.API; {
	case c == nil:
		return nil
	case c.LiveRequests:
		return live.New(tailSize)
	}
	return live.New(0)
}

// api is the handler of the API, and of the dashboard if that is turned on.
func (s *Server) api(o Options, providers []string) http.Handler {
	return dashboard.New(dashboard.Source{
		Version: o.Version, Started: time.Now(), Install: o.Config.Configuration, Providers: providers,
		Table: func() *router.Table { return s.router.Table() }, Since: s.history.since, Problems: s.problems,
		Certificates: func() []dashboard.Certificate { return s.https.list() },
		Live:         s.live, Changes: s.changes.All, Take: s.take,
		TCP: func() *tcprouter.Table { return s.others.Load().tables().tcp }, UDP: func() *udprouter.Table { return s.others.Load().tables().udp },
		Origin:         s.origin,
		ProviderStates: s.providerStates, Done: s.ending,
	})
}

// take sets a request straight as its entry point would. Nothing is sent.
func (s *Server) take(name string, r *http.Request) (*http.Request, error) {
	i := slices.IndexFunc(s.entryPoints, func(e *entryPoint) bool { return e.name == name })
	if i < 0 {
		return nil, fmt.Errorf("the entry point %q is not open", name)
	}
	taken, _, err := s.entryPoints[i].outer.take(r)
	return taken, err
}

func (s *Server) providerStates() []dashboard.ProviderState {
	list := []dashboard.ProviderState{}
	for name, state := range s.watch.States() {
		if name == "internal" {
			continue
		}
		p := dashboard.ProviderState{Name: name, Up: state.Down == "", Error: state.Down, Updates: state.Updates}
		if !state.Updated.IsZero() {
			p.Updated = &state.Updated
		}
		list = append(list, p)
	}
	slices.SortFunc(list, func(a, b dashboard.ProviderState) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// keepLive forgets what a table does not have any more.
func (s *Server) keepLive(t *router.Table) {
	if s.live != nil {
		s.live.Keep(func(name string) bool { return t.Routes()[name] != nil }, func(name string) bool { return t.Services()[name] != nil })
	}
}
