package metrics

import "testing"

func TestSets_WhoWantsTheSameSharesASet(t *testing.T) {
	byDefault := &Config{}
	byDefault.SetDefaults()
	with := func(change func(*Config)) *Config {
		c := *byDefault
		change(&c)
		return &c
	}
	for name, tt := range map[string]struct {
		of    *Config
		share bool
	}{
		"equal":            {with(func(*Config) {}), true},
		"served elsewhere": {with(func(c *Config) { c.EntryPoint, c.ManualRouting = "web", true }), true},
		"no header labels": {with(func(c *Config) { c.HeaderLabels = map[string]string{} }), true},
		"other buckets":    {with(func(c *Config) { c.Buckets = []float64{1} }), false},
		"another prefix":   {with(func(c *Config) { c.Prefix = "traefik" }), false},
		"routers as well":  {with(func(c *Config) { c.AddRoutersLabels = true }), false},
		"header labels":    {with(func(c *Config) { c.HeaderLabels = map[string]string{"a": "X-A"} }), false},
	} {
		s := &Sets{}
		first, err := s.For(byDefault)
		if err != nil {
			t.Fatal(err)
		}
		second, err := s.For(tt.of)
		if err != nil {
			t.Fatal(err)
		}
		if (first == second) != tt.share || tt.share != (len(s.All()) == 1) {
			t.Errorf("%s: there are %d sets", name, len(s.All()))
		}
	}
}

func TestSets_CountingTakesAnyThatCounts(t *testing.T) {
	s := &Sets{}
	c := &Config{}
	c.SetDefaults()
	c.Prefix, c.Buckets = "traefik", []float64{1}
	m, err := s.For(c)
	if err != nil {
		t.Fatal(err)
	}
	if same, err := s.Counting(true, false, true); err != nil || same != m {
		t.Errorf("another set, %v", err)
	}
	if other, err := s.Counting(true, true, true); err != nil || other == m || other.routers == nil {
		t.Errorf("the same set, or without routers: %v", err)
	}
	wrong := *c
	wrong.Prefix = "wrong"
	if _, err := s.For(&wrong); err == nil || len(s.All()) != 2 {
		t.Errorf("got %v, %d sets", err, len(s.All()))
	}
}
