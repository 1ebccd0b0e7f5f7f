package metrics

import (
	"regexp"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

// Metric is one of those that fairway has, for its manual.
type Metric struct {
	Name   string // in the manual without the prefix
	Help   string
	Labels []string
}

// All lists the metrics of fairway's own, by name. Those of Go and of the process come
// beside them.
func All() []Metric {
	c := &Config{}
	c.SetDefaults()
	c.AddRoutersLabels = true
	m, err := c.New(State{})
	if err != nil {
		panic(err) // the defaults are our own
	}
	var all []Metric
	for _, collector := range m.collectors {
		descs := make(chan *prometheus.Desc, 64)
		collector.Describe(descs)
		close(descs)
		for d := range descs {
			if parts := described.FindStringSubmatch(d.String()); parts != nil {
				labels := strings.FieldsFunc(parts[3], func(r rune) bool { return r == ',' })
				all = append(all, Metric{Name: strings.TrimPrefix(parts[1], c.Prefix+"_"), Help: parts[2], Labels: labels})
			}
		}
	}
	for _, f := range m.families() {
		for _, metric := range f.describe() {
			metric.Name = strings.TrimPrefix(metric.Name, c.Prefix+"_")
			all = append(all, metric)
		}
	}
	slices.SortFunc(all, func(a, b Metric) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// described reads the text of a description, the only way to see what is in one.
var described = regexp.MustCompile(`fqName: "([^"]+)", help: "([^"]*)",.* constLabels: \{\}, variableLabels: \{([^}]*)\}`)
