package docker

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"fairway/config/dynamic"
	"fairway/internal/dockerengine"
	"fairway/internal/nearest"
	"fairway/internal/secret"
)

// prepare learns, from a full list, what choosing addresses needs: the networks
// that fairway itself is in, and the address of the engine's machine.
func (e *endpoint) prepare(ctx context.Context, all []facts) {
	if e.host == "" {
		e.host = dockerengine.HostAddress(ctx, e.address, e.local)
	}
	e.self = nil
	for _, f := range all {
		if e.own != "" && strings.HasPrefix(f.id, e.own) {
			e.self = slices.Sorted(maps.Keys(f.networks))
		}
	}
}

// checkNetwork notes when no container is in the network that the provider's
// option names: it is probably mistyped.
func (e *endpoint) checkNetwork(all []facts) {
	e.nowhere = nil
	wanted := e.config.Network
	if wanted == "" || len(all) == 0 {
		return
	}
	names := map[string]bool{}
	for _, f := range all {
		for name := range f.networks {
			names[name] = true
			if name == wanted || name == f.labels[composeProject]+"_"+wanted {
				return
			}
		}
	}
	e.nowhere = &dynamic.Problem{
		Severity: dynamic.Warning, Source: secret.URL(e.address), Key: "providers.docker.network",
		Reason: fmt.Sprintf("no container is in the network %q", wanted), Nearest: nearest.Name(wanted, slices.Sorted(maps.Keys(names))),
	}
}

// reach chooses the address for requests to a container: in the network that its
// label names, else in the one that the provider names, else in one that fairway
// itself is in, else in the first by name.
func (e *endpoint) reach(f facts, wanted string) (string, []dynamic.Problem) {
	if id := f.lender(); id != "" {
		return e.borrowed(id, wanted)
	}
	var problems []dynamic.Problem
	for i, want := range []string{wanted, e.config.Network} {
		if want == "" || want == "host" && f.mode == "host" {
			continue
		}
		found, warning := f.lookFor(want)
		if found != "" {
			return found, problems
		}
		if i == 0 {
			problems = append(problems, warning)
		}
	}
	if f.mode == "host" {
		return e.host, problems
	}
	return f.networks.Any(e.self), problems
}

// lender is the container whose network is used, or "".
func (f facts) lender() string {
	id, _ := strings.CutPrefix(f.mode, "container:")
	if id == f.mode {
		return ""
	}
	return id
}

// lend brings the addresses of containers up to date that use the network of
// another one, which may have started anew.
func (e *endpoint) lend() {
	for id, k := range e.containers {
		lender := k.facts.lender()
		if lender == "" || !k.workload.Ready {
			continue
		}
		w := *k.workload
		w.Address, w.Problems = e.borrowed(lender, w.Control.Network)
		if w.Address != k.workload.Address || !slices.Equal(w.Problems, k.workload.Problems) {
			e.containers[id] = known{facts: k.facts, workload: &w}
		}
	}
}

// borrowed is the address of a container that uses the network of another.
func (e *endpoint) borrowed(id, wanted string) (string, []dynamic.Problem) {
	for _, k := range e.containers {
		if (k.facts.id == id || k.facts.name == id) && k.facts.lender() == "" {
			return e.reach(k.facts, wanted)
		}
	}
	return "", []dynamic.Problem{{Severity: dynamic.Error, Reason: "it uses the network of another container, which is not known"}}
}

// lookFor finds the address in the network with the given name, also when Compose
// has put the name of the project in front of it; else it says what is wrong.
func (f facts) lookFor(name string) (string, dynamic.Problem) {
	found := f.networks.Named(name, f.labels[composeProject])
	names := slices.Sorted(maps.Keys(f.networks))
	return found, dynamic.Problem{
		Severity: dynamic.Warning, Nearest: nearest.Name(name, names),
		Reason: fmt.Sprintf("the label docker.network names the network %q, which the container is not in (it is in: %s); another one is used", name, strings.Join(names, ", ")),
	}
}
