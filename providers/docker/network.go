package docker

import (
	"context"
	"fmt"
	"maps"
	"net"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"

	"fairway/config/dynamic"
	"fairway/internal/nearest"
)

// prepare learns, from a full list, what choosing addresses needs: the networks
// that fairway itself is in, and the address of the engine's machine.
func (e *endpoint) prepare(ctx context.Context, all []container.Summary) {
	if e.host == "" {
		e.host = hostAddress(ctx, e.address, e.local)
	}
	id := ownID()
	e.self = nil
	for _, s := range all {
		if id != "" && strings.HasPrefix(s.ID, id) && s.NetworkSettings != nil {
			e.self = slices.Sorted(maps.Keys(s.NetworkSettings.Networks))
		}
	}
}

var mountedContainer = regexp.MustCompile(`/containers/([0-9a-f]{64})/`)

// ownID is the ID of the container that fairway runs in, or its beginning: Docker
// mounts files from a folder with that name, and uses it as the host name.
func ownID() string {
	if mounts, err := os.ReadFile("/proc/self/mountinfo"); err == nil {
		if m := mountedContainer.FindSubmatch(mounts); m != nil {
			return string(m[1])
		}
	}
	host, err := os.Hostname()
	if err != nil || !regexp.MustCompile(`^[0-9a-f]{12}$`).MatchString(host) {
		return ""
	}
	return host
}

// hostAddress is the address under which the engine's machine is reached, for
// containers in its network.
func hostAddress(ctx context.Context, address string, local bool) string {
	if u, err := url.Parse(address); err == nil && !local {
		return u.Hostname()
	}
	for _, name := range []string{"host.docker.internal", "host.containers.internal"} {
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		found, err := net.DefaultResolver.LookupHost(ctx, name)
		cancel()
		if err == nil && len(found) > 0 {
			return found[0]
		}
	}
	return "127.0.0.1"
}

// reach chooses the address for requests to a container: in the network that its
// label names, else in the one that the provider names, else in one that fairway
// itself is in, else in the first by name.
func (e *endpoint) reach(s container.Summary, wanted string) (string, []dynamic.Problem) {
	if s.NetworkSettings == nil {
		return "", nil
	}
	mode := s.HostConfig.NetworkMode
	networks := s.NetworkSettings.Networks
	if id, ok := strings.CutPrefix(mode, "container:"); ok {
		return e.borrowed(id, wanted)
	}
	var problems []dynamic.Problem
	for _, want := range []struct{ name, from string }{{wanted, "the label docker.network"}, {e.config.Network, "the option providers.docker.network"}} {
		if want.name == "" {
			continue
		}
		found, warning := lookFor(want.name, want.from, s, networks)
		if warning != nil && want.name == wanted {
			problems = append(problems, *warning)
		}
		if found != "" {
			return addressIn(networks[found]), problems
		}
	}
	if mode == "host" {
		return e.host, problems
	}
	for _, name := range append(slices.Clone(e.self), slices.Sorted(maps.Keys(networks))...) {
		if address := addressIn(networks[name]); address != "" {
			return address, problems
		}
	}
	return "", problems
}

// borrowed is the address of a container that uses the network of another.
func (e *endpoint) borrowed(id, wanted string) (string, []dynamic.Problem) {
	for _, k := range e.containers {
		if (k.summary.ID == id || name(k.summary) == id) && !strings.HasPrefix(k.summary.HostConfig.NetworkMode, "container:") {
			return e.reach(k.summary, wanted)
		}
	}
	return "", []dynamic.Problem{{Severity: dynamic.Error, Reason: "it uses the network of another container, which is not known"}}
}

// lookFor finds the network with the given name, also when Compose has put the
// name of the project in front of it.
func lookFor(name, from string, s container.Summary, networks map[string]*network.EndpointSettings) (string, *dynamic.Problem) {
	if addressIn(networks[name]) != "" {
		return name, nil
	}
	if project := s.Labels[composeProject]; project != "" && addressIn(networks[project+"_"+name]) != "" {
		return project + "_" + name, nil
	}
	names := slices.Sorted(maps.Keys(networks))
	return "", &dynamic.Problem{Severity: dynamic.Warning, Nearest: nearest.Name(name, names),
		Reason: fmt.Sprintf("%s names the network %q, which the container is not in (it is in: %s); another one is used", from, name, strings.Join(names, ", "))}
}

// addressIn prefers the IPv4 address. It accepts nil.
func addressIn(n *network.EndpointSettings) string {
	switch {
	case n == nil:
		return ""
	case n.IPAddress != "":
		return n.IPAddress
	}
	return n.GlobalIPv6Address
}
