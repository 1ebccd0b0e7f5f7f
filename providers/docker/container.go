package docker

import (
	"net"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"

	"fairway/config/dynamic"
	"fairway/config/labels"
)

// Labels that Compose puts on its containers.
const (
	composeProject = "com.docker.compose.project"
	composeService = "com.docker.compose.service"
	composeOneOff  = "com.docker.compose.oneoff"
)

// understand makes the workload of a container. One that has not changed keeps
// its old workload, and so everything that was made of it.
func (e *endpoint) understand(f facts, old known) known {
	since, leaving := e.leaving[f.id]
	if leaving && time.Since(since) > leavingLast {
		delete(e.leaving, f.id)
		leaving = false
	}
	control := labels.ReadControl(f.labels)
	self := e.own != "" && strings.HasPrefix(f.id, e.own)
	why, reached, problems := unready(f, leaving, self), "", []dynamic.Problem(nil)
	if why == "" {
		reached, problems = e.reach(f, control.Network)
	}
	if w := old.workload; w != nil && w.Why == why && w.Address == reached && slices.Equal(w.Problems, problems) && reflect.DeepEqual(old.facts, f) {
		return old
	}
	w := &labels.Workload{
		ID: f.id, Container: f.name, Group: f.labels[composeProject], Source: "container " + f.name, Name: f.name,
		Created: f.created, Labels: f.labels, Control: control, Ports: e.ports(f),
		Self:    self,
		Address: reached, Problems: problems, Why: why, Ready: why == "",
	}
	if service, project := f.labels[composeService], f.labels[composeProject]; service != "" && project != "" {
		w.Name = service + "_" + project
	}
	w.Running = self || !leaving && (f.state == container.StateRunning || f.state == container.StatePaused)
	return known{facts: f, workload: w}
}

const whyLeaving = "it was told to stop"

// unready says why a container cannot take requests, or "".
func unready(f facts, leaving, self bool) string {
	switch {
	case self: // it runs, whatever the engine has noticed so far
	case f.state != container.StateRunning:
		return "it is " + f.state
	case leaving:
		return whyLeaving
	case strings.EqualFold(f.labels[composeOneOff], "true"):
		return "it is a one-off container of compose run"
	case f.health == container.Unhealthy:
		return "its health check fails"
	case f.health == container.Starting:
		return "its health check has not succeeded yet"
	}
	return ""
}

// ports lists what a container exposes. A port that is bound to all addresses of
// an engine on another machine is reached by that machine's address.
func (e *endpoint) ports(f facts) []labels.Port {
	ports := make([]labels.Port, len(f.ports))
	for i, p := range f.ports {
		if ip := net.ParseIP(p.HostIP); ip != nil && ip.IsUnspecified() && !e.local {
			p.HostIP = e.host
		}
		ports[i] = p
	}
	return ports
}
