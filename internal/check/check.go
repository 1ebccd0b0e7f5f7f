// Package check looks for mistakes in configurations without running them: it
// reads them as the providers would, builds the table, opens no socket, and
// returns the problems.
package check

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sirupsen/logrus"

	"fairway/config"
	"fairway/config/dynamic"
	"fairway/internal/decode"
	"fairway/providers/file"
	"fairway/proxy"
	"fairway/router"
)

// Configuration looks at a file or directory of routes, at an install
// configuration together with the routes that its file provider names, or at the
// labels in a compose file: the content tells which of them it is.
func Configuration(path string) ([]dynamic.Problem, error) {
	switch {
	case isCompose(path):
		return Compose(path)
	case isInstall(path):
		return install(path)
	}
	cfg, err := file.Load(path)
	if err != nil {
		return nil, err
	}
	return problems(cfg, "file", nil, nil), nil
}

// isInstall tells an install configuration by the options that only it has. One
// with routes in it may be a file of routes with too much in it, but for the two
// options that no file of routes ever has by mistake.
func isInstall(path string) bool {
	text, err := os.ReadFile(path)
	if err != nil {
		return false
	}
	tree, err := decode.Document(text, filepath.Ext(path))
	if err != nil {
		return false
	}
	surely, maybe, routes := false, false, false
	for _, name := range tree.Names() {
		switch strings.ToLower(name) {
		case "entrypoints", "providers":
			surely = true
		case "http", "tcp", "udp", "tls":
			routes = true
		default:
			maybe = maybe || config.RootOption(name)
		}
	}
	return surely || maybe && !routes
}

func install(path string) ([]dynamic.Problem, error) {
	loaded, err := config.Load([]string{"--configFile=" + path}, nil)
	found := mistakes(loaded, err, path)
	if loaded == nil {
		return found, nil
	}
	wrong := func(key string, err error) {
		found = append(found, dynamic.Problem{Severity: dynamic.Error, Source: path, Key: key, Reason: err.Error()})
	}
	log := silent()
	if c := loaded.Providers.Docker; c != nil {
		if _, err := c.New(log); err != nil {
			wrong("providers.docker", err)
		}
	}
	if c := loaded.Providers.HTTP; c != nil {
		if _, err := c.New(log); err != nil {
			wrong("providers.http", err)
		}
	}
	if c := loaded.Providers.Swarm; c != nil {
		if _, err := c.New(log); err != nil {
			wrong("providers.swarm", err)
		}
	}
	c := loaded.Providers.File
	if c == nil {
		return found, nil
	}
	if _, err := c.New(log); err != nil {
		wrong("providers.file", err)
		return found, nil
	}
	cfg, err := file.Load(c.Filename + c.Directory)
	if err != nil {
		wrong("providers.file", err)
		return found, nil
	}
	points, datagrams := asOpened(loaded.EntryPoints), []string{}
	for name, e := range loaded.EntryPoints {
		if e.Datagrams() {
			datagrams = append(datagrams, name)
		}
	}
	if len(found) > 0 {
		points, datagrams = nil, nil // some may be missing for a mistake that is reported
	}
	return append(found, problems(cfg, "file", points, datagrams)...), nil
}

// mistakes makes problems of what config.Load returned, one for each option.
func mistakes(loaded *config.Loaded, err error, source string) (found []dynamic.Problem) {
	if loaded != nil {
		for _, w := range loaded.Warnings {
			found = append(found, dynamic.Problem{Severity: dynamic.Warning, Source: source, Reason: w})
		}
	}
	for _, err := range apart(err) {
		p := dynamic.Problem{Severity: dynamic.Error, Source: source, Reason: err.Error()}
		if f, ok := errors.AsType[decode.Fault](err); ok {
			p.Key, p.Line, p.Reason, p.Nearest = f.Path, f.Line, f.Reason, f.Nearest
			if f.Line == 0 {
				p.Key = f.Source
			}
		}
		if syntax, ok := errors.AsType[*decode.SyntaxError](err); ok {
			p.Line, p.Reason = syntax.Line, syntax.Msg
		}
		found = append(found, p)
	}
	return found
}

// apart takes joined errors apart.
func apart(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	if err == nil {
		return nil
	}
	return []error{err}
}

// Table builds the table of what Configuration looks at, to ask it questions, and tells the
// entry points: those of an install configuration, else those that routers name beside the
// usual two. The table has to be retired.
func Table(path string) (*router.Table, map[string]*config.EntryPoint, error) {
	switch {
	case isCompose(path):
		workloads, _, _, err := readCompose(path)
		if err != nil {
			return nil, nil, err
		}
		cfg, err := labelled(workloads)
		if err != nil {
			return nil, nil, err
		}
		return build(cfg, "docker", nil), named(cfg.HTTP), nil
	case isInstall(path):
		return installed(path)
	}
	cfg, err := file.Load(path)
	if err != nil {
		return nil, nil, err
	}
	return build(cfg, "file", nil), named(cfg.HTTP), nil
}

// installed is the table of the routes that an install configuration names.
func installed(path string) (*router.Table, map[string]*config.EntryPoint, error) {
	loaded, err := config.Load([]string{"--configFile=" + path}, nil)
	if err != nil {
		return nil, nil, err
	}
	c := loaded.Providers.File
	if c == nil {
		return nil, nil, fmt.Errorf("%s names no file or directory with routes (providers.file)", path)
	}
	cfg, err := file.Load(c.Filename + c.Directory)
	if err != nil {
		return nil, nil, err
	}
	return build(cfg, "file", asOpened(loaded.EntryPoints)), loaded.EntryPoints, nil
}

// asOpened are entry points as the server gives them to the router.
func asOpened(all map[string]*config.EntryPoint) (points []router.EntryPoint) {
	chosen := false
	for _, e := range all {
		chosen = chosen || e.AsDefault && !e.Datagrams()
	}
	for name, e := range all {
		if !e.Datagrams() {
			points = append(points, router.EntryPoint{
				Name: name, Middlewares: e.HTTP.Middlewares, TLS: e.HTTP.TLS,
				Default: e.AsDefault || !chosen && name != config.InternalEntryPoint,
			})
		}
	}
	return points
}

// named are the entry points that routers name, and the usual two, whose addresses are not
// known.
func named(h *dynamic.HTTP) map[string]*config.EntryPoint {
	all := map[string]*config.EntryPoint{}
	for _, name := range namedEntryPoints(h) {
		all[name] = &config.EntryPoint{}
	}
	return all
}

// problems are what is wrong with a configuration.
func problems(cfg *dynamic.Configuration, provider string, points []router.EntryPoint, datagrams []string) []dynamic.Problem {
	table := build(cfg, provider, points)
	defer table.Retire()
	return append(table.Problems(), otherProblems(cfg, provider, points, datagrams, table)...)
}

func pointOf(name string) router.EntryPoint {
	return router.EntryPoint{Name: name, Default: name != config.InternalEntryPoint}
}

// build builds the table of a configuration. Without entry points, those that routers name
// are taken to be there. So are objects of other providers.
func build(cfg *dynamic.Configuration, provider string, points []router.EntryPoint) *router.Table {
	cfg = cfg.Qualified(provider)
	assumeOthers(cfg.HTTP, provider)
	if points == nil {
		for _, name := range namedEntryPoints(cfg.HTTP) {
			points = append(points, pointOf(name))
		}
	}
	for _, p := range points {
		for _, name := range p.Middlewares {
			if cfg.HTTP.Middlewares[name] == nil && dynamic.ProviderOf(name) != provider {
				cfg.HTTP.Middlewares[name] = standInMiddleware()
			}
		}
	}
	return router.Build(cfg, nil, router.Env{Log: silent(), Forwarder: proxy.NewStandard(), EntryPoints: points})
}

func namedEntryPoints(h *dynamic.HTTP) []string {
	names := map[string]bool{"web": true, "websecure": true}
	for _, r := range h.Routers {
		for _, name := range r.EntryPoints {
			names[name] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// assumeOthers stands in for the services and middlewares of other providers.
func assumeOthers(h *dynamic.HTTP, provider string) {
	assumeMiddlewares := func(names []string) {
		for _, name := range names {
			name = dynamic.Qualify(name, provider)
			if dynamic.ProviderOf(name) != provider && h.Middlewares[name] == nil {
				h.Middlewares[name] = standInMiddleware()
			}
		}
	}
	for _, svc := range slices.Collect(maps.Values(h.Services)) {
		assumeMiddlewares(svc.Middlewares)
		for _, part := range svc.Parts() {
			assumeService(h, dynamic.Qualify(part, provider), provider)
		}
		if svc.LoadBalancer == nil || svc.LoadBalancer.ServersTransport == "" {
			continue
		}
		if name := dynamic.Qualify(svc.LoadBalancer.ServersTransport, provider); dynamic.ProviderOf(name) != provider {
			h.ServersTransports[name] = &proxy.ServersTransport{}
		}
	}
	for _, r := range h.Routers {
		assumeMiddlewares(r.Middlewares)
		assumeService(h, dynamic.Qualify(r.Service, provider), provider)
	}
	for _, m := range slices.Collect(maps.Values(h.Middlewares)) {
		if m.Chain != nil {
			assumeMiddlewares(m.Chain.Middlewares)
		}
	}
}

// assumeService stands in for a service of another provider, or the parts of one that others have.
func assumeService(h *dynamic.HTTP, name, provider string) {
	parts := dynamic.Joined(name)
	if parts == nil {
		parts = []string{name}
	}
	for _, part := range parts {
		if dynamic.ProviderOf(part) != provider && h.Services[part] == nil {
			h.Services[part] = standInService()
		}
	}
}

func silent() *logrus.Logger {
	log := logrus.New()
	log.SetOutput(io.Discard)
	return log
}

func notCompose(path string, err error) error {
	return fmt.Errorf("%s is not a compose file: %w", path, err)
}
