package metrics

import "reflect"

// Sets are the counters of a gateway. Metrics may leave it in several ways, and each way
// has options of what is counted, and how. Those that want the same share a set; else each
// has its own, and every request is counted in each of them.
type Sets struct {
	// State is asked whenever metrics are taken from a set.
	State State

	all []*Metrics
}

// For finds or makes the set that counts as a configuration says.
func (s *Sets) For(c *Config) (*Metrics, error) {
	for _, m := range s.all {
		if reflect.DeepEqual(counted(c), counted(m.config)) {
			return m, nil
		}
	}
	m, err := c.New(s.State)
	if err == nil {
		s.all = append(s.all, m)
	}
	return m, err
}

// counted is a configuration without what has nothing to do with counting.
func counted(c *Config) Config {
	of := *c
	of.EntryPoint, of.ManualRouting = "", false
	if len(of.HeaderLabels) == 0 {
		of.HeaderLabels = nil
	}
	return of
}

// Counting finds or makes a set that counts by these, under whatever names and with
// whatever buckets.
func (s *Sets) Counting(entryPoints, routers, services bool) (*Metrics, error) {
	for _, m := range s.all {
		if c := m.config; c.AddEntryPointsLabels == entryPoints && c.AddRoutersLabels == routers && c.AddServicesLabels == services {
			return m, nil
		}
	}
	c := &Config{}
	c.SetDefaults()
	c.AddEntryPointsLabels, c.AddRoutersLabels, c.AddServicesLabels = entryPoints, routers, services
	c.NativeHistograms = false
	return s.For(c)
}

// All are the sets that there are.
func (s *Sets) All() []*Metrics { return s.all }
