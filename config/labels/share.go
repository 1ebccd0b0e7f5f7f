package labels

import (
	"slices"
	"strings"

	"fairway/config/dynamic"
)

// share is what one workload contributes: its own objects, before those of
// several workloads are put together.
type share struct {
	workload *Workload
	dynamic.HTTP
	tcp      dynamic.TCP
	udp      dynamic.UDP
	tls      *dynamic.TLS    // nil: nothing is said of it
	linked   map[string]bool // routers that were linked to the sole service
	problems []dynamic.Problem
}

// httpKeys is the shape of the routing labels.
type httpKeys struct {
	HTTP *dynamic.HTTP `json:"http"`
	TCP  *dynamic.TCP  `json:"tcp"`
	UDP  *dynamic.UDP  `json:"udp"`
	TLS  *dynamic.TLS  `json:"tls"`
}

// read decodes the routing labels of w. ok is false for a workload that takes no
// part: hidden, filtered away, or not running.
func (d *Decoder) read(w *Workload) (s *share, ok bool) {
	s = &share{workload: w, linked: map[string]bool{}}
	s.problems = append(slices.Clone(w.Control.Problems), w.Problems...)
	shown := d.options.ExposedByDefault
	if w.Control.Enable != nil {
		shown = *w.Control.Enable
	}
	if !d.constraint(w.Labels) {
		return nil, false
	}
	if !shown {
		// Whoever meant to show it and mistyped the label looks for the reason.
		return s, len(s.problems) > 0
	}
	if !w.Ready && !w.Control.AllowNonRunning && !(w.Running && d.options.AllowEmptyServices) {
		if w.Running && len(w.Control.labels) > 0 {
			s.problems = append(s.problems, dynamic.Problem{Severity: dynamic.Notice, Reason: "is not routed to: " + w.Why})
		}
		return s, len(s.problems) > 0
	}
	s.decode()
	d.streams(s)
	if s.onlyOtherProtocols() {
		return s, true
	}
	d.services(s)
	d.routers(s)
	return s, true
}

// decode fills the share with the objects that the labels declare. An object all
// of whose keys are wrong is there too, empty, so that it is seen.
func (s *share) decode() {
	found := s.workload.Control.labels
	var keys httpKeys
	faults := decodeFaults(found, &keys, dynamic.TraefikOption, "http", "tcp", "udp", "tls")
	if keys.HTTP != nil {
		s.HTTP = *keys.HTTP
	}
	if keys.TCP != nil {
		s.tcp = *keys.TCP
	}
	if keys.UDP != nil {
		s.udp = *keys.UDP
	}
	s.tls = keys.TLS
	s.Routers = orEmpty(s.Routers)
	s.Services = orEmpty(s.Services)
	s.Middlewares = orEmpty(s.Middlewares)
	s.ServersTransports = orEmpty(s.ServersTransports)
	s.Consumers, s.Plans = orEmpty(s.Consumers), orEmpty(s.Plans)
	whole := &dynamic.Configuration{HTTP: &s.HTTP, TCP: &s.tcp, UDP: &s.udp}
	for _, f := range faults {
		p := whole.Blame(f)
		inLabels(found, &p)
		s.problems = append(s.problems, p)
	}
}

// onlyOtherProtocols tells whether a workload speaks of TCP or UDP and says
// nothing of HTTP: it gets no HTTP router by default.
func (s *share) onlyOtherProtocols() bool {
	http, other := false, false
	for rest := range s.workload.Control.labels {
		section, _, _ := strings.Cut(strings.ToLower(rest), ".")
		http = http || section == "http"
		other = other || section == "tcp" || section == "udp"
	}
	return other && !http
}

func orEmpty[T any](m map[string]*T) map[string]*T {
	if m == nil {
		return map[string]*T{}
	}
	return m
}
