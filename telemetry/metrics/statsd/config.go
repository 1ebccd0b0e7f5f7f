// Package statsd sends metrics to StatsD by UDP: what was counted since the last time, and
// how things are.
//
// StatsD knows no labels. As in Traefik, the requests of all entry points, of all routers and
// of all services are one metric each, and names are Traefik's where it has the metric.
// lines.go makes the lines, sender.go the packets.
package statsd

import (
	"fmt"
	"net"
	"regexp"
	"strings"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/traefik/paerser/types"

	"fairway/telemetry/metrics"
)

// Config is metrics.statsD.
type Config struct {
	// Address of StatsD: host and port. Default: localhost:8125.
	Address string `json:"address,omitempty"`
	// PushInterval is how often metrics are sent. Default: 10s.
	PushInterval types.Duration `json:"pushInterval,omitempty"`
	// Prefix of the names, in front of a dot. Write traefik for dashboards that were made
	// for Traefik. Default: fairway.
	Prefix string `json:"prefix,omitempty"`
	// AddEntryPointsLabels counts requests at entry points. Default: true.
	AddEntryPointsLabels bool `json:"addEntryPointsLabels"`
	// AddRoutersLabels counts requests that routers took. Default: false.
	AddRoutersLabels bool `json:"addRoutersLabels,omitempty"`
	// AddServicesLabels counts requests that went to services. Default: true.
	AddServicesLabels bool `json:"addServicesLabels"`
}

// SetDefaults implements the defaults documented at the fields.
func (c *Config) SetDefaults() {
	c.Address, c.PushInterval, c.Prefix = "localhost:8125", types.Duration(10*time.Second), "fairway"
	c.AddEntryPointsLabels, c.AddServicesLabels = true, true
}

// plain is what names may consist of: nothing that StatsD has a meaning for.
var plain = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,200}$`)

// New makes the pusher, with a set of counters that these options ask for. Errors name the
// option at fault.
func (c *Config) New(sets *metrics.Sets, log logrus.FieldLogger) (*metrics.Pusher, error) {
	host, port, err := net.SplitHostPort(c.Address)
	if err != nil {
		return nil, fmt.Errorf("address: %w", err)
	}
	if n, err := net.LookupPort("udp", port); err != nil || n == 0 {
		return nil, fmt.Errorf("address: %q is no port", port)
	}
	if host == "" {
		host = "localhost"
	}
	prefix := strings.TrimSuffix(c.Prefix, ".")
	switch {
	case !plain.MatchString(prefix):
		return nil, fmt.Errorf("prefix: %q has to be of letters, digits and . _ -, 200 at most", c.Prefix)
	case c.PushInterval <= 0:
		return nil, fmt.Errorf("pushInterval: %s is not above zero", time.Duration(c.PushInterval))
	}
	from, err := sets.Counting(c.AddEntryPointsLabels, c.AddRoutersLabels, c.AddServicesLabels)
	if err != nil {
		return nil, err
	}
	to := &sender{address: net.JoinHostPort(host, port), lines: lines{prefix: prefix + "."}}
	return metrics.NewPusher(from, to, time.Duration(c.PushInterval), log, "statsD"), nil
}
