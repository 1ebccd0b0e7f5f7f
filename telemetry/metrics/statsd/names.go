package statsd

import (
	"strings"

	dto "github.com/prometheus/client_model/go"
)

// names are those that the series of a metric have with StatsD.
type names struct {
	base  string
	label string // whose value comes behind: one of few
	least bool   // the smallest of several counts; else their sum does
}

// rename is Traefik's name of a metric, where it has it. Others have dots in their own.
func rename(metric string) names {
	for suffix, short := range map[string]string{
		"_requests_total": ".request.total", "_requests_tls_total": ".request.tls.total", "_request_duration_seconds": ".request.duration",
	} {
		if object, found := strings.CutSuffix(metric, suffix); found {
			return names{base: object + short}
		}
	}
	switch metric {
	case "config_reloads_total":
		return names{base: "config.reload.total"}
	case "config_last_reload_success":
		return names{base: "config.reload.lastSuccessTimestamp"}
	case "config_last_reload_duration_seconds":
		return names{base: "config.reload.lastDurationSeconds"}
	case "tls_certs_not_after":
		return names{base: "tls.certs.notAfterTimestamp", least: true}
	}
	n := names{base: strings.ReplaceAll(metric, "_", ".")}
	switch metric {
	case "config_problems":
		n.label = "severity"
	case "config_objects", "telemetry_lost_total":
		n.label = "kind"
	case "metrics_failed_pushes_total":
		n.label = "to"
	case "circuit_breaker_state":
		n.label = "state"
	case "limit_decisions_total":
		n.label = "decision"
	case "provider_last_update_seconds":
		n.label = "provider"
	}
	return n
}

// Name is what StatsD knows a metric of fairway as, behind the prefix, for its manual.
func Name(metric string) string {
	n := rename(metric)
	switch {
	case n.label != "":
		return n.base + "." + strings.ToUpper(n.label)
	case strings.HasSuffix(metric, "_request_duration_seconds"):
		return n.base + ".count, .sum"
	}
	return n.base
}

// of is the name of one series.
func (n names) of(m *dto.Metric) string {
	for _, label := range m.GetLabel() {
		if n.label != "" && label.GetName() == n.label {
			return n.base + "." + label.GetValue()
		}
	}
	return n.base
}
