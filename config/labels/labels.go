package labels

import (
	"cmp"
	"slices"
	"text/template"

	"fairway/config/dynamic"
)

// Decoder turns workloads into configurations. It remembers what it made of each
// workload, so that one change among thousands costs one decoding. It is not
// safe for concurrent use.
type Decoder struct {
	options    Options
	constraint constraint
	rule       *template.Template
	known      map[*Workload]*share // nil for workloads that take no part
}

// New makes a Decoder. Its errors name the option that is wrong.
func New(o Options) (*Decoder, error) {
	c, err := parseConstraint(o.Constraints)
	if err != nil {
		return nil, err
	}
	if o.DefaultRule == "" {
		o.DefaultRule = DefaultRule
	}
	t, err := parseRule(o.DefaultRule)
	if err != nil {
		return nil, err
	}
	return &Decoder{options: o, constraint: c, rule: t, known: map[*Workload]*share{}}, nil
}

// Configuration makes the configuration of all workloads. Problems are inside.
func (d *Decoder) Configuration(workloads []*Workload) *dynamic.Configuration {
	known := make(map[*Workload]*share, len(workloads))
	shares := make([]*share, 0, len(workloads))
	for _, w := range workloads {
		s, seen := d.known[w]
		if !seen {
			var ok bool
			if s, ok = d.read(w); !ok {
				s = nil
			}
		}
		known[w] = s
		if s != nil {
			shares = append(shares, s)
		}
	}
	d.known = known
	slices.SortFunc(shares, func(a, b *share) int {
		return cmp.Or(a.workload.Created.Compare(b.workload.Created), cmp.Compare(a.workload.ID, b.workload.ID))
	})
	return merge(d.options.Provider, shares)
}
