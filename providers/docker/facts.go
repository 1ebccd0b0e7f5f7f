package docker

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"

	"fairway/config/labels"
	"fairway/internal/dockerengine"
)

// facts are what matters of a container, whether it was listed or inspected.
type facts struct {
	id, name      string
	created       time.Time // to the second, as lists have it
	labels        map[string]string
	state, health string
	mode          string // of its network: "bridge", "host", "container:ID"
	networks      dockerengine.Networks
	ports         []labels.Port
}

func summarized(s *container.Summary) facts {
	f := facts{
		id: s.ID, name: nameOf(s.ID, s.Names), created: time.Unix(s.Created, 0),
		labels: s.Labels, state: s.State, health: healthIn(s.Status), mode: s.HostConfig.NetworkMode,
	}
	if s.NetworkSettings != nil {
		f.networks = addresses(s.NetworkSettings.Networks)
	}
	for _, p := range s.Ports {
		f.ports = append(f.ports, labels.Port{Number: int(p.PrivatePort), HostIP: p.IP, HostPort: int(p.PublicPort)})
	}
	sortPorts(f.ports)
	return f
}

func inspected(c *container.InspectResponse) facts {
	f := facts{id: c.ID, name: nameOf(c.ID, []string{c.Name}), health: container.NoHealthcheck}
	if created, err := time.Parse(time.RFC3339Nano, c.Created); err == nil {
		f.created = time.Unix(created.Unix(), 0)
	}
	if c.Config != nil {
		f.labels = c.Config.Labels
	}
	if c.State != nil {
		f.state = c.State.Status
		if c.State.Health != nil {
			f.health = c.State.Health.Status
		}
	}
	if c.HostConfig != nil {
		f.mode = string(c.HostConfig.NetworkMode)
	}
	if c.NetworkSettings == nil {
		return f
	}
	f.networks = addresses(c.NetworkSettings.Networks)
	for port, bindings := range c.NetworkSettings.Ports {
		if len(bindings) == 0 {
			f.ports = append(f.ports, labels.Port{Number: port.Int()})
		}
		for _, b := range bindings {
			public, _ := strconv.Atoi(b.HostPort)
			f.ports = append(f.ports, labels.Port{Number: port.Int(), HostIP: b.HostIP, HostPort: public})
		}
	}
	sortPorts(f.ports)
	return f
}

func sortPorts(ports []labels.Port) {
	slices.SortFunc(ports, func(a, b labels.Port) int {
		return cmp.Or(cmp.Compare(a.Number, b.Number), cmp.Compare(a.HostIP, b.HostIP), cmp.Compare(a.HostPort, b.HostPort))
	})
}

func addresses(networks map[string]*network.EndpointSettings) dockerengine.Networks {
	all := make(dockerengine.Networks, len(networks))
	for name, n := range networks {
		if n != nil {
			all[name] = dockerengine.Address{V4: n.IPAddress, V6: n.GlobalIPv6Address}
		}
	}
	return all
}

// nameOf is the container's own name. Links add further names, with more slashes.
func nameOf(id string, names []string) string {
	for _, n := range names {
		if n = strings.TrimPrefix(n, "/"); n != "" && !strings.Contains(n, "/") {
			return n
		}
	}
	return id[:min(12, len(id))]
}

// healthIn finds the state of health in the text that lists have, such as
// "Up 3 minutes (healthy)".
func healthIn(status string) string {
	switch {
	case strings.Contains(status, "(healthy)"):
		return container.Healthy
	case strings.Contains(status, "(unhealthy)"):
		return container.Unhealthy
	case strings.Contains(status, "(health: starting)"):
		return container.Starting
	}
	return container.NoHealthcheck
}
