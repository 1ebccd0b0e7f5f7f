package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sirupsen/logrus"

	"fairway/internal/decode"
)

// validate checks what no single option can tell. What follows from the faults
// that are known already is not reported once more.
func (c *Configuration) validate(known []decode.Fault) (faults []decode.Fault) {
	wrong := func(path, format string, args ...any) {
		if !concerned(known, path) {
			faults = append(faults, decode.Fault{Path: path, Kind: decode.BadValue, Reason: fmt.Sprintf(format, args...)})
		}
	}
	missing := func(name string) bool {
		return c.EntryPoints[name] == nil && !concerned(known, "entryPoints."+name)
	}
	for _, name := range sortedKeys(c.EntryPoints) {
		path, e := "entryPoints."+name+".", c.EntryPoints[name]
		if _, err := e.ListenAddress(); err != nil && (e.Address != "" || !concerned(known, "entryPoints."+name)) {
			wrong(path+"address", "%v", err)
		}
		if e.Engine != "" && e.Engine != "fairway" && e.Engine != "std" {
			wrong(path+"engine", "%q is neither fairway nor std", e.Engine)
		}
		if r := e.HTTP.Redirections; r != nil && r.EntryPoint != nil {
			if to := r.EntryPoint.To; !strings.HasPrefix(to, ":") && missing(to) {
				wrong(path+"http.redirections.entryPoint.to", "there is no entry point %q", to)
			}
		}
	}
	if c.Ping != nil && !c.Ping.ManualRouting && missing(c.Ping.EntryPoint) {
		wrong("ping.entryPoint", "there is no entry point %q", c.Ping.EntryPoint)
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

// ListenAddress is the address in the form that net.Listen takes.
func (e *EntryPoint) ListenAddress() (string, error) {
	address, protocol, _ := strings.Cut(e.Address, "/")
	switch strings.ToLower(protocol) {
	case "", "tcp":
	case "udp":
		return "", errors.New("UDP entry points are an option of Traefik's that fairway does not have yet")
	default:
		return "", fmt.Errorf("%q is neither tcp nor udp", protocol)
	}
	if !strings.Contains(address, ":") {
		return "", fmt.Errorf("%q is not of the form [host]:port", e.Address)
	}
	return address, nil
}
