package accesslog

import (
	"fmt"
	"strings"
	"time"

	"fairway/internal/statuses"
	"fairway/telemetry"
)

// filters is Filters, ready for use. The zero value chooses nothing.
type filters struct {
	statuses *statuses.Set // nil: no matter
	retried  bool
	longer   time.Duration // 0: no matter
}

// parse accepts nil, which is no filter.
func (f *Filters) parse() (filters, error) {
	if f == nil {
		return filters{}, nil
	}
	parsed := filters{retried: f.RetryAttempts, longer: time.Duration(f.MinDuration)}
	if parsed.longer < 0 {
		return filters{}, fmt.Errorf("minDuration: %s is below zero", parsed.longer)
	}
	if len(f.StatusCodes) > 0 {
		var err error
		if parsed.statuses, err = statuses.Parse(f.StatusCodes); err != nil {
			return filters{}, fmt.Errorf("statusCodes: %w", err)
		}
	}
	return parsed, nil
}

func (f *filters) any() bool { return f.statuses != nil || f.retried || f.longer > 0 }

func (f *filters) take(e *telemetry.Exchange) bool {
	return f.statuses != nil && f.statuses.Has(e.Status) ||
		f.retried && e.Record != nil && e.Record.Attempts > 1 ||
		f.longer > 0 && e.Duration > f.longer
}

// choice tells which exchanges are written.
type choice struct {
	internals bool
	filters   filters
	share     float64        // of those that no filter takes
	random    func() float64 // in [0, 1)
}

func (c *choice) take(e *telemetry.Exchange) bool {
	if !c.internals && e.Record != nil && internal(e.Record.Service) {
		return false
	}
	return c.share >= 1 || c.filters.take(e) || c.share > 0 && c.random() < c.share
}

// internal tells whether a service is one of the gateway's own. The one that does nothing
// stands behind routers whose middlewares answer, as by a redirection: the operator's.
func internal(service string) bool {
	return strings.HasSuffix(service, "@internal") && service != "noop@internal"
}
