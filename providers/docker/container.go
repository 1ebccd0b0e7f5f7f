package docker

import (
	"net"
	"reflect"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"

	"fairway/config/labels"
)

// Labels that Compose puts on its containers.
const (
	composeProject = "com.docker.compose.project"
	composeService = "com.docker.compose.service"
	composeOneOff  = "com.docker.compose.oneoff"
)

// understand makes the workload of a listed container. A container that has not
// changed keeps its workload, and so everything that was made of it.
func (e *endpoint) understand(s container.Summary) known {
	since, leaving := e.leaving[s.ID]
	if leaving && time.Since(since) > leavingLast {
		delete(e.leaving, s.ID)
		leaving = false
	}
	// "Up 3 minutes" grows older without changing anything.
	_, health, _ := strings.Cut(s.Status, "(")
	s.Status = health
	old, ok := e.containers[s.ID]
	if ok && leaving == (old.workload.Why == whyLeaving) && reflect.DeepEqual(old.summary, s) {
		return old
	}
	w := &labels.Workload{
		ID: s.ID, Container: name(s), Group: s.Labels[composeProject],
		Created: time.Unix(s.Created, 0), Labels: s.Labels, Control: labels.ReadControl(s.Labels), Ports: e.ports(s),
	}
	w.Source = "container " + w.Container
	w.Name = w.Container
	if service, project := s.Labels[composeService], s.Labels[composeProject]; service != "" && project != "" {
		w.Name = service + "_" + project
	}
	w.Running = s.State == container.StateRunning || s.State == container.StatePaused
	w.Why = unready(s, leaving)
	w.Ready = w.Why == ""
	if w.Ready {
		w.Address, w.Problems = e.reach(s, w.Control.Network)
	}
	return known{summary: s, workload: w}
}

const whyLeaving = "it was told to stop"

// unready says why a container cannot take requests, or "".
func unready(s container.Summary, leaving bool) string {
	switch {
	case s.State != container.StateRunning:
		return "it is " + s.State
	case leaving:
		return whyLeaving
	case strings.EqualFold(s.Labels[composeOneOff], "true"):
		return "it is a one-off container of compose run"
	case strings.HasPrefix(s.Status, "unhealthy"):
		return "its health check fails"
	case strings.HasPrefix(s.Status, "health: starting"):
		return "its health check has not succeeded yet"
	}
	return ""
}

// name is the container's own name. Links add further names, with more slashes.
func name(s container.Summary) string {
	for _, n := range s.Names {
		if n = strings.TrimPrefix(n, "/"); !strings.Contains(n, "/") {
			return n
		}
	}
	return s.ID[:min(12, len(s.ID))]
}

// ports lists what a container exposes. A port that is bound to all addresses of
// an engine on another machine is reached by that machine's address.
func (e *endpoint) ports(s container.Summary) []labels.Port {
	ports := make([]labels.Port, 0, len(s.Ports))
	for _, p := range s.Ports {
		port := labels.Port{Number: int(p.PrivatePort), HostIP: p.IP, HostPort: int(p.PublicPort)}
		if ip := net.ParseIP(p.IP); ip != nil && ip.IsUnspecified() && !e.local {
			port.HostIP = e.host
		}
		ports = append(ports, port)
	}
	return ports
}
