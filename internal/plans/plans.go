// Package plans has what consumers can book: how fast their requests may come, and how many of
// them in a time. The middleware plan applies them.
package plans

import (
	"errors"
	"fmt"
	"sync/atomic"

	"fairway/internal/limit"
)

// Config is a plan, which consumers name by their option plan. A limit that it does not have is
// none.
type Config struct {
	// RateLimit is how fast requests may come.
	RateLimit *limit.Rate `json:"rateLimit,omitempty"`
	// Quota is how many requests may come in an hour, day, week or month.
	Quota *limit.Quota `json:"quota,omitempty"`
}

// Plan is one that can be applied. It never changes.
type Plan struct {
	Name        string      // as it is written
	Rate, Quota *limit.Rule // nil: there is none
}

// Plan is what the configuration says.
func (c *Config) Plan(name string) (p *Plan, err error) {
	p = &Plan{Name: name}
	if c.RateLimit == nil && c.Quota == nil {
		return nil, errors.New("it has neither rateLimit nor quota")
	}
	if c.RateLimit != nil {
		if p.Rate, err = c.RateLimit.Rule(); err != nil {
			return nil, fmt.Errorf("rateLimit: %w", err)
		}
	}
	if c.Quota != nil {
		if p.Quota, err = c.Quota.Rule(); err != nil {
			return nil, fmt.Errorf("quota: %w", err)
		}
	}
	return p, nil
}

// Set are the plans of a configuration, by qualified names. It never changes; nil has none.
type Set struct{ all map[string]*Plan }

// NewSet makes one. tell is called for what is wrong with a plan, which is then none.
func NewSet(all map[string]*Config, tell func(name string, err error)) *Set {
	s := &Set{all: map[string]*Plan{}}
	for name, c := range all {
		p, err := c.Plan(name)
		if err != nil {
			tell(name, err)
			continue
		}
		s.all[name] = p
	}
	return s
}

// Named is the plan of a qualified name, or nil.
func (s *Set) Named(name string) *Plan {
	if s == nil {
		return nil
	}
	return s.all[name]
}

// Live is the Set in force.
type Live struct{ now atomic.Pointer[Set] }

// Now returns it. It may be nil.
func (l *Live) Now() *Set {
	if l == nil {
		return nil
	}
	return l.now.Load()
}

// Store puts another one in force.
func (l *Live) Store(s *Set) { l.now.Store(s) }

// Each calls visit for every plan.
func (s *Set) Each(visit func(*Plan)) {
	if s != nil {
		for _, p := range s.all {
			visit(p)
		}
	}
}
