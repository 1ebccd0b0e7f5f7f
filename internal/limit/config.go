package limit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/traefik/paerser/types"

	"fairway/internal/headername"
)

// Rate is a limit of how fast requests may come.
type Rate struct {
	// Average is the number of requests that a source may send in a period, on average.
	// 0, the default, sets no limit.
	Average int64 `json:"average,omitempty"`
	// Period is the time that average is about. Default: 1s.
	Period types.Duration `json:"period,omitempty"`
	// Burst is the number of requests that may come at once, with tokenBucket. Default: 1.
	Burst int64 `json:"burst,omitempty"`
	// Algorithm is tokenBucket, or slidingWindow: no period, whenever it begins, has more than
	// average requests. Default: tokenBucket.
	Algorithm string `json:"algorithm,omitempty"`
}

// The algorithms of a Rate.
const (
	TokenBucket   = "tokenBucket"
	SlidingWindow = "slidingWindow"
)

// SetDefaults fills in what is not zero by default.
func (c *Rate) SetDefaults() {
	c.Period, c.Burst, c.Algorithm = types.Duration(time.Second), 1, TokenBucket
}

// mostAverage keeps sums in bounds, here and in Redis.
const mostAverage = 1 << 50

// Rule is what it says; nil: there is no limit.
func (c *Rate) Rule() (*Rule, error) {
	period := time.Duration(c.Period)
	if period == 0 {
		period = time.Second
	}
	switch {
	case c.Average < 0:
		return nil, errors.New("average must not be negative")
	case c.Period < 0:
		return nil, errors.New("period must not be negative")
	case c.Burst < 0:
		return nil, errors.New("burst must not be negative")
	case c.Algorithm != "" && c.Algorithm != TokenBucket && c.Algorithm != SlidingWindow:
		return nil, fmt.Errorf("algorithm: %q is neither tokenBucket nor slidingWindow", c.Algorithm)
	case c.Algorithm == SlidingWindow && c.Average > mostAverage:
		return nil, fmt.Errorf("average: is more than %d", int64(mostAverage))
	case c.Algorithm == SlidingWindow && period < time.Millisecond:
		return nil, errors.New("period: a window of less than a millisecond cannot slide")
	case c.Average == 0:
		return nil, nil
	case c.Algorithm == SlidingWindow:
		return Sliding(c.Average, period), nil
	}
	return Bucket(c.Average, period, c.Burst), nil
}

// Quota is a limit of how many requests may come in an hour, day, week or month.
type Quota struct {
	// Amount is the number of requests that a source has in a period. Required.
	Amount int64 `json:"amount,omitempty"`
	// Per is the period: hour, day, week or month. Weeks begin on Monday. Required.
	Per string `json:"per,omitempty"`
	// Rolling has no period, whenever it begins, have more than amount requests; a month is 30
	// days then. What was used is there again after a period and up to a 32nd of it. Else periods
	// are those of the calendar. Default: false.
	Rolling bool `json:"rolling,omitempty"`
	// TimeZone is where the calendar is from, as Europe/Berlin. Default: UTC.
	TimeZone string `json:"timeZone,omitempty"`
}

// Rule is what it says.
func (c *Quota) Rule() (*Rule, error) {
	if c.Amount < 1 || c.Amount > mostAverage {
		return nil, errors.New("amount is required, and at least 1")
	}
	if c.Per == "" {
		return nil, errors.New("per is required: hour, day, week or month")
	}
	period, err := ParsePeriod(c.Per)
	if err != nil {
		return nil, fmt.Errorf("per: %w", err)
	}
	zone := time.UTC
	if c.TimeZone != "" {
		if zone, err = time.LoadLocation(c.TimeZone); err != nil {
			return nil, fmt.Errorf("timeZone: %w", err)
		}
	}
	if c.Rolling {
		return Sliding(c.Amount, period.Length()), nil
	}
	return Calendar(c.Amount, period, zone), nil
}

// Kept is what the instances of a middleware have in common.
type Kept struct {
	*Table
	Outages
	clients Clients
	files   files
}

// NewKept is for what env.Keep keeps.
func NewKept() *Kept { return &Kept{Table: NewTable(MostSources), Outages: Outages{start: time.Now()}} }

// Open returns the Redis of a middleware; nil: it has none. It does not dial.
func (k *Kept) Open(ctx context.Context, c *Redis, name string, log logrus.FieldLogger) (*Shared, error) {
	if c == nil {
		k.over() // of one that it has no longer
		return nil, nil
	}
	s, err := c.Open(ctx, &k.clients, &k.Outages, name, log)
	if err != nil {
		return nil, fmt.Errorf("redis: %w", err)
	}
	return s, nil
}

// Costs is what requests cost.
func Costs(cost int64, header string, r *Rule) error {
	switch {
	case cost < 0:
		return errors.New("cost must not be negative")
	case r != nil && cost > r.Most():
		return fmt.Errorf("cost: %d is more than there ever is at once, %d: nothing would pass", cost, r.Most())
	case header != "" && !headername.Valid(header):
		return fmt.Errorf("costHeader: %q is no name of a header", header)
	}
	return nil
}
