package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sirupsen/logrus"

	"fairway/internal/decode"
)

// Loaded is a configuration with the story of how it came about.
type Loaded struct {
	*Configuration
	File     string   // the file that was read; empty when none was
	Warnings []string // to be logged once, at start
	Implied  []string // entry points that nobody asked for
	Nothing  bool     // nothing at all was configured
}

// Load reads the configuration from a file, the environment and flags. They are
// laid over each other in this order and decoded once. Its errors name every
// option that is wrong.
func Load(args, environ []string) (*Loaded, error) {
	flags, file, err := readFlags(args)
	if err != nil {
		return nil, err
	}
	env := readEnviron(environ)
	if file == "" {
		file = env["configfile"]
	}
	delete(env, "configfile")
	l := &Loaded{Configuration: &Configuration{}, Nothing: len(flags) == 0 && len(env) == 0}
	tree, err := l.readFile(file)
	if err != nil {
		return nil, err
	}
	var faults []decode.Fault
	for _, keys := range []map[string]string{env, flags} {
		t, f := decode.Keys(keys)
		faults = append(faults, f...)
		tree = tree.Merge(t)
	}
	faults = append(faults, tree.Into(l.Configuration, traefikOption)...)
	if err := l.judge(faults); err != nil {
		return nil, err
	}
	l.Implied = l.complete()
	return l, l.validate()
}

// judge sorts the faults: options to come are warnings, the rest are errors.
func (l *Loaded) judge(faults []decode.Fault) error {
	var wrong []decode.Fault
	for _, f := range faults {
		if f.Kind == decode.NotYet {
			l.Warnings = append(l.Warnings, fmt.Sprintf("option %s %s; it is ignored", f.Path, f.Reason))
			continue
		}
		f.Path = "option " + f.Path
		if f.Line > 0 {
			f.Path = fmt.Sprintf("%s:%d: %s", l.File, f.Line, f.Path)
		}
		wrong = append(wrong, f)
	}
	return decode.Join(wrong)
}

// readFile reads the configuration file: the one named, else the first in the
// usual places, else none.
func (l *Loaded) readFile(name string) (decode.Tree, error) {
	l.File = name
	if name == "" {
		l.File = findFile()
	}
	if l.File == "" {
		return decode.Tree{}, nil
	}
	text, err := os.ReadFile(l.File)
	if err != nil {
		return decode.Tree{}, fmt.Errorf("read the configuration file: %w", err)
	}
	l.Nothing = false
	tree, err := decode.Document(text, filepath.Ext(l.File))
	if err != nil {
		return decode.Tree{}, fmt.Errorf("read the configuration file %s: %w", l.File, err)
	}
	return tree, nil
}

// findFile looks through the usual places, fairway's own before Traefik's.
func findFile() string {
	home, _ := os.UserHomeDir()
	settings := os.Getenv("XDG_CONFIG_HOME")
	if settings == "" && home != "" {
		settings = filepath.Join(home, ".config")
	}
	for _, product := range []string{"fairway", "traefik"} {
		for _, dir := range []string{"/etc/" + product, settings, "."} {
			for _, ext := range []string{".toml", ".yaml", ".yml"} {
				path := filepath.Join(dir, product+ext)
				if info, err := os.Stat(path); dir != "" && err == nil && info.Mode().IsRegular() {
					return path
				}
			}
		}
	}
	return ""
}

// readEnviron takes the options from FAIRWAY_... and TRAEFIK_... variables; the
// former win. Underscores separate: FAIRWAY_LOG_LEVEL is log.level.
func readEnviron(environ []string) map[string]string {
	keys := map[string]string{}
	for _, prefix := range []string{"TRAEFIK_", "FAIRWAY_"} {
		for _, variable := range environ {
			name, value, _ := strings.Cut(variable, "=")
			rest, ok := strings.CutPrefix(strings.ToUpper(name), prefix)
			if ok && !isServiceLink(rest, value) {
				keys[strings.ReplaceAll(strings.ToLower(rest), "_", ".")] = value
			}
		}
	}
	return keys
}

// isServiceLink recognises variables that Docker and Kubernetes set for a
// neighbour that is called "fairway" or "traefik".
func isServiceLink(name, value string) bool {
	return name == "NAME" || strings.HasPrefix(name, "ENV_") ||
		strings.HasPrefix(name, "SERVICE_") || name == "PORT" || strings.HasPrefix(name, "PORT_") && value != ""
}

// validate checks what no single option can tell.
func (c *Configuration) validate() error {
	var errs []error
	for _, name := range sortedKeys(c.EntryPoints) {
		e := c.EntryPoints[name]
		if _, err := e.ListenAddress(); err != nil {
			errs = append(errs, fmt.Errorf("option entryPoints.%s.address: %w", name, err))
		}
		if e.Engine != "" && e.Engine != "fairway" && e.Engine != "std" {
			errs = append(errs, fmt.Errorf("option entryPoints.%s.engine: %q is neither fairway nor std", name, e.Engine))
		}
		if r := e.HTTP.Redirections; r != nil && r.EntryPoint != nil {
			if to := r.EntryPoint.To; !strings.HasPrefix(to, ":") && c.EntryPoints[to] == nil {
				errs = append(errs, fmt.Errorf("option entryPoints.%s.http.redirections.entryPoint.to: there is no entry point %q", name, to))
			}
		}
	}
	if c.Ping != nil && !c.Ping.ManualRouting && c.EntryPoints[c.Ping.EntryPoint] == nil {
		errs = append(errs, fmt.Errorf("option ping.entryPoint: there is no entry point %q", c.Ping.EntryPoint))
	}
	if !slices.Contains([]string{"common", "json", "text"}, strings.ToLower(c.Log.Format)) {
		errs = append(errs, fmt.Errorf("option log.format: %q is neither common nor json", c.Log.Format))
	}
	if _, err := logrus.ParseLevel(c.Log.Level); err != nil {
		errs = append(errs, fmt.Errorf("option log.level: %q is none of TRACE, DEBUG, INFO, WARN, ERROR, FATAL and PANIC", c.Log.Level))
	}
	return errors.Join(errs...)
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
