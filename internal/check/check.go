// Package check looks for mistakes in configurations without running them: it
// reads them as the providers would, builds the table, opens no socket, and
// returns the problems.
package check

import (
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/sirupsen/logrus"

	"fairway/config"
	"fairway/config/dynamic"
	"fairway/internal/decode"
	"fairway/providers/file"
	"fairway/proxy"
	"fairway/router"
)

// Configuration looks at a file or directory of routes, or at an install
// configuration together with the routes that its file provider names.
func Configuration(path string) ([]dynamic.Problem, error) {
	if isInstall(path) {
		return install(path)
	}
	cfg, err := file.Load(path)
	if err != nil {
		return nil, err
	}
	return problems(cfg, "file", nil), nil
}

// isInstall tells an install configuration by the options that only it has.
func isInstall(path string) bool {
	text, err := os.ReadFile(path)
	if err != nil {
		return false
	}
	tree, err := decode.Document(text, filepath.Ext(path))
	if err != nil {
		return false
	}
	var shape struct {
		EntryPoints map[string]string
		Providers   map[string]string
	}
	tree.Into(&shape, nil)
	return shape.EntryPoints != nil || shape.Providers != nil
}

func install(path string) ([]dynamic.Problem, error) {
	loaded, err := config.Load([]string{"--configFile=" + path}, nil)
	if err != nil {
		return []dynamic.Problem{{Severity: dynamic.Error, Source: path, Reason: err.Error()}}, nil
	}
	var found []dynamic.Problem
	for _, w := range loaded.Warnings {
		found = append(found, dynamic.Problem{Severity: dynamic.Warning, Source: path, Reason: w})
	}
	log := silent()
	if c := loaded.Providers.Docker; c != nil {
		if _, err := c.New(log); err != nil {
			found = append(found, dynamic.Problem{Severity: dynamic.Error, Source: path, Key: "providers.docker", Reason: err.Error()})
		}
	}
	c := loaded.Providers.File
	if c == nil {
		return found, nil
	}
	if _, err := c.New(log); err != nil {
		return append(found, dynamic.Problem{Severity: dynamic.Error, Source: path, Key: "providers.file", Reason: err.Error()}), nil
	}
	cfg, err := file.Load(c.Filename + c.Directory)
	if err != nil {
		return append(found, dynamic.Problem{Severity: dynamic.Error, Source: path, Key: "providers.file", Reason: err.Error()}), nil
	}
	return append(found, problems(cfg, "file", slices.Collect(maps.Keys(loaded.EntryPoints)))...), nil
}

// problems builds the table of a configuration and returns what is wrong with it.
// Without entry points, those that routers name are taken to be there. So are
// objects of other providers.
func problems(cfg *dynamic.Configuration, provider string, entryPoints []string) []dynamic.Problem {
	cfg = cfg.Qualified(provider)
	assumeOthers(cfg.HTTP, provider)
	if entryPoints == nil {
		entryPoints = namedEntryPoints(cfg.HTTP)
	}
	env := router.Env{Log: silent(), Forwarder: proxy.NewStandard()}
	for _, name := range entryPoints {
		env.EntryPoints = append(env.EntryPoints, router.EntryPoint{Name: name, Default: name != config.InternalEntryPoint})
	}
	table := router.Build(cfg, nil, env)
	defer table.Retire()
	return table.Problems()
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
	for _, r := range h.Routers {
		assumeMiddlewares(r.Middlewares)
		if name := dynamic.Qualify(r.Service, provider); dynamic.ProviderOf(name) != provider {
			h.Services[name] = standInService()
		}
	}
	for _, m := range slices.Collect(maps.Values(h.Middlewares)) {
		if m.Chain != nil {
			assumeMiddlewares(m.Chain.Middlewares)
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
