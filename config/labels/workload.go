// Package labels turns the labels of workloads (containers, tasks, catalog
// services) into a configuration. It is written once, for every provider that
// knows labels: the grammar, the defaults, the merging of replicas, and what is
// said to the operator when a label is wrong.
//
// A wrong label costs only what it is about. Every other object of the workload,
// and every other workload, stays.
package labels

import (
	"cmp"
	"time"

	"fairway/config/dynamic"
)

// Workload is something with labels that may answer requests. It is not changed
// once handed over: a changed workload is a new value.
type Workload struct {
	ID        string    // stable identity
	Source    string    // how problems name it: `container "web-1"`
	Name      string    // default name of its service, before normalisation
	Container string    // its own name, for default rules
	Group     string    // compose project or the like; "" for none
	Created   time.Time // of two with one name, the older owns it
	Labels    map[string]string
	Control   Control // as read by ReadControl

	Thing  string // what problems call it; empty: container
	Weight *int   // of its server, where it is not said by a label; nil: not known

	Self bool // fairway itself: it is not routed to unless it says so

	Address string // where it can be reached; "" when it cannot
	Ports   []Port
	Running bool
	Ready   bool   // running, and healthy if it tells
	Why     string // when not ready: why not

	Problems []dynamic.Problem // found by the provider
}

// thing is what problems call it.
func (w *Workload) thing() string { return cmp.Or(w.Thing, "container") }

// Port is one port of a workload.
type Port struct {
	Number   int
	HostIP   string // of its binding on the host, when it has one
	HostPort int
}

// Options of the providers that know labels.
type Options struct {
	Provider           string // name after the @
	ExposedByDefault   bool
	DefaultRule        string // text/template
	Constraints        string
	AllowEmptyServices bool
	UseBindPortIP      bool
}
