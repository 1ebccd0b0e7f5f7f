package circuitbreaker

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"fairway/internal/predicate"
)

type number = func(*sums) float64

// parse reads an expression, and finds out what has to be counted for it.
func parse(expression string) (condition func(*sums) bool, c *counted, err error) {
	c = &counted{}
	condition, err = predicate.Parse(expression, []predicate.Function[*sums]{
		{Name: "NetworkErrorRatio", Number: func([]float64) (number, error) {
			return func(s *sums) float64 { return s.ratio(network, total) }, nil
		}},
		{Name: "LatencyAtQuantileMS", Takes: []string{"quantile"}, Number: c.latencyAtQuantile},
		{Name: "ResponseCodeRatio", Takes: []string{"from", "to", "dividedByFrom", "dividedByTo"}, Number: c.responseCodeRatio},
		{Name: "RequestThreshold", Number: func([]float64) (number, error) {
			return func(s *sums) float64 { return float64(s.of[total]) }, nil
		}},
	})
	return condition, c, err
}

func (c *counted) latencyAtQuantile(args []float64) (number, error) {
	q := args[0]
	if q <= 0 || q > 100 {
		return nil, errors.New("quantile is a percentage above 0, and not above 100")
	}
	c.latency = true
	return func(s *sums) float64 { return quantile(s.of[c.histogram():], q) }, nil
}

func (c *counted) responseCodeRatio(args []float64) (number, error) {
	of, err := c.count(args[0], args[1])
	if err != nil {
		return nil, err
	}
	by, err := c.count(args[2], args[3])
	if err != nil {
		return nil, err
	}
	return func(s *sums) float64 { return s.ratio(of, by) }, nil
}

// count returns the counter of the statuses from from up to, but without, to.
func (c *counted) count(from, to float64) (counter int, err error) {
	const most = 1000
	if from != math.Trunc(from) || to != math.Trunc(to) || from > most || to > most {
		return 0, fmt.Errorf("a status is a whole number, and not above %d", most)
	}
	if from >= to {
		return 0, fmt.Errorf("no status is from %v up to %v", from, to)
	}
	r := statuses{int(from), int(to)}
	at := slices.Index(c.ranges, r)
	if at < 0 {
		at = len(c.ranges)
		c.ranges = append(c.ranges, r)
	}
	return byStatus + at, nil
}
