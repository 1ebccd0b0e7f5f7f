// Package otlplogs sends what is logged to a collector of OpenTelemetry: sender.go what
// others have collected, hook.go what fairway tells about itself.
package otlplogs

import (
	"fairway/telemetry/otlp"
)

// Config is accessLog.otlp and log.otlp.
type Config struct {
	// ServiceName is what fairway calls itself. Default: fairway.
	ServiceName string `json:"serviceName,omitempty"`
	// ResourceAttributes are further attributes of fairway itself. host.name and
	// service.instance.id are the name of the machine if they are not given.
	ResourceAttributes map[string]string `json:"resourceAttributes,omitempty"`
	// HTTP sends by HTTP. Default: to http://localhost:4318/v1/logs, if grpc is not given.
	HTTP *otlp.HTTP `json:"http,omitempty" label:"allowEmpty" file:"allowEmpty"`
	// GRPC sends by gRPC.
	GRPC *otlp.GRPC `json:"grpc,omitempty" label:"allowEmpty" file:"allowEmpty"`
}

// SetDefaults implements the defaults documented at the fields.
func (c *Config) SetDefaults() { c.ServiceName = "fairway" }
