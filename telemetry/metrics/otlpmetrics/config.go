// Package otlpmetrics sends metrics to a collector of OpenTelemetry, as totals since the
// start: what a push that failed had, the next one has as well.
package otlpmetrics

import (
	"errors"
	"fmt"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/traefik/paerser/types"

	"fairway/telemetry/metrics"
	"fairway/telemetry/otlp"
)

// Config is metrics.otlp.
type Config struct {
	// HTTP sends by HTTP. Default: to http://localhost:4318/v1/metrics, if grpc is not
	// given.
	HTTP *otlp.HTTP `json:"http,omitempty" label:"allowEmpty" file:"allowEmpty"`
	// GRPC sends by gRPC.
	GRPC *otlp.GRPC `json:"grpc,omitempty" label:"allowEmpty" file:"allowEmpty"`
	// PushInterval is how often metrics are sent. Default: 10s.
	PushInterval types.Duration `json:"pushInterval,omitempty"`
	// ServiceName is what fairway calls itself. Default: fairway.
	ServiceName string `json:"serviceName,omitempty"`
	// ResourceAttributes are further attributes of fairway itself. host.name and
	// service.instance.id are the name of the machine if they are not given.
	ResourceAttributes map[string]string `json:"resourceAttributes,omitempty"`
	// Prefix of the names: fairway, or traefik for dashboards and rules that were made for
	// Traefik. Default: fairway.
	Prefix string `json:"prefix,omitempty"`
	// ExplicitBoundaries are those of the histograms of durations, in seconds. Default:
	// 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10.
	ExplicitBoundaries []float64 `json:"explicitBoundaries,omitempty"`
	// ExponentialHistograms has durations as exponential histograms in place of those
	// with boundaries: finer, and nothing to choose, for collectors that understand them.
	// Default: false.
	ExponentialHistograms bool `json:"exponentialHistograms,omitempty"`
	// AddEntryPointsLabels counts by entry point. Default: true.
	AddEntryPointsLabels bool `json:"addEntryPointsLabels"`
	// AddRoutersLabels counts by router. Default: false.
	AddRoutersLabels bool `json:"addRoutersLabels,omitempty"`
	// AddServicesLabels counts by service. Default: true.
	AddServicesLabels bool `json:"addServicesLabels"`
}

// SetDefaults implements the defaults documented at the fields.
func (c *Config) SetDefaults() {
	c.PushInterval, c.ServiceName, c.Prefix = types.Duration(10*time.Second), "fairway", "fairway"
	c.ExplicitBoundaries = []float64{.005, .01, .025, .05, .075, .1, .25, .5, .75, 1, 2.5, 5, 7.5, 10}
	c.AddEntryPointsLabels, c.AddServicesLabels = true, true
}

// New makes the pusher, with the set of counters that these options ask for. Errors name
// the option at fault.
func (c *Config) New(sets *metrics.Sets, log logrus.FieldLogger) (*metrics.Pusher, error) {
	switch {
	case c.PushInterval <= 0:
		return nil, fmt.Errorf("pushInterval: %s is not above zero", time.Duration(c.PushInterval))
	case len(c.ExplicitBoundaries) == 0 && !c.ExponentialHistograms:
		return nil, errors.New("explicitBoundaries: there are none")
	case !metrics.Rising(c.ExplicitBoundaries):
		return nil, errors.New("explicitBoundaries: they have to be numbers, each higher than the one before")
	}
	client, err := (&otlp.Collector{HTTP: c.HTTP, GRPC: c.GRPC}).Client("/v1/metrics")
	if err != nil {
		return nil, err
	}
	from, err := sets.For(c.set())
	if err != nil {
		return nil, err
	}
	to, err := newSender(client, otlp.Resource(c.ServiceName, c.ResourceAttributes))
	if err != nil {
		return nil, err
	}
	return metrics.NewPusher(from, to, time.Duration(c.PushInterval), log, "otlp"), nil
}

// set is what is to be counted.
func (c *Config) set() *metrics.Config {
	of := &metrics.Config{
		Prefix: c.Prefix, Buckets: c.ExplicitBoundaries,
		AddEntryPointsLabels: c.AddEntryPointsLabels, AddRoutersLabels: c.AddRoutersLabels, AddServicesLabels: c.AddServicesLabels,
	}
	if c.ExponentialHistograms {
		of.Buckets, of.NativeHistograms = nil, true
	}
	return of
}
