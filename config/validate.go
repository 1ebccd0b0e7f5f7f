package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sirupsen/logrus"

	"fairway/internal/decode"
	"fairway/internal/nearest"
)

// validate checks what no single option can tell. What follows from the faults
// that are known already is not reported once more.
func (c *Configuration) validate(known []decode.Fault) (faults []decode.Fault) {
	wrong := func(path, format string, args ...any) {
		if !concerned(known, path) {
			faults = append(faults, decode.Fault{Path: path, Kind: decode.BadValue, Reason: fmt.Sprintf(format, args...)})
		}
	}
	needs := func(path, name string) {
		switch e := c.EntryPoints[name]; {
		case e == nil && !concerned(known, "entryPoints."+name):
			wrong(path, "there is no entry point %q", name)
		case e != nil && e.Datagrams():
			wrong(path, "the entry point %q is for UDP", name)
		}
	}
	if c.ErrorPages != "" && !strings.Contains(c.ErrorPages, "@") {
		wrong("errorPages", "%q needs the provider of the middleware, as in %s@docker", c.ErrorPages, c.ErrorPages)
	}
	if name, known := c.Providers.Precedence.Unknown(); name != "" {
		hint := ""
		if near := nearest.Name(name, known); near != "" {
			hint = fmt.Sprintf(" (did you mean %q?)", near)
		}
		wrong("providers.precedence", "there is no provider %q%s", name, hint)
	}
	for _, name := range sortedKeys(c.EntryPoints) {
		e := c.EntryPoints[name]
		at := func(option, format string, args ...any) { wrong("entryPoints."+name+"."+option, format, args...) }
		if _, err := e.ListenAddress(); err != nil && (e.Address != "" || !concerned(known, "entryPoints."+name)) {
			at("address", "%v", err)
		}
		e.validate(at)
		if r := e.HTTP.Redirections; r != nil && r.EntryPoint != nil {
			if to := r.EntryPoint.To; !strings.HasPrefix(to, ":") {
				needs("entryPoints."+name+".http.redirections.entryPoint.to", to)
			}
		}
	}
	if c.scraped() {
		needs("metrics.prometheus.entryPoint", c.Metrics.Prometheus.EntryPoint)
	}
	if c.Ping != nil && !c.Ping.ManualRouting {
		needs("ping.entryPoint", c.Ping.EntryPoint)
	}
	if !slices.Contains([]string{"common", "json", "text"}, strings.ToLower(c.Log.Format)) {
		wrong("log.format", "%q is neither common nor json", c.Log.Format)
	}
	if _, err := logrus.ParseLevel(c.Log.Level); err != nil {
		wrong("log.level", "%q is none of TRACE, DEBUG, INFO, WARN, ERROR, FATAL and PANIC", c.Log.Level)
	}
	return faults
}

// concerned tells whether one of the faults is, or means, the option at path, one
// below it or one around it.
func concerned(faults []decode.Fault, path string) bool {
	around := func(a, b string) bool {
		return len(a) <= len(b) && strings.EqualFold(a, b[:len(a)]) && (len(a) == len(b) || b[len(a)] == '.')
	}
	return slices.ContainsFunc(faults, func(f decode.Fault) bool {
		return f.Path != "" && (around(path, f.Path) || around(f.Path, path)) || f.Nearest != "" && (around(path, f.Nearest) || around(f.Nearest, path))
	})
}
