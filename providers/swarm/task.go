package swarm

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/docker/docker/api/types/swarm"

	"fairway/config/dynamic"
	"fairway/config/labels"
	"fairway/internal/dockerengine"
	"fairway/internal/nearest"
)

const (
	stackLabel  = "com.docker.stack.namespace"
	hostNetwork = "host"
	leavingLast = 10 * time.Minute // a task that has not ended by then is in service again
)

// reading is what the labels of a service say, as long as the service is the same.
type reading struct {
	version  uint64
	control  labels.Control
	problems []dynamic.Problem
}

// understand makes the workloads of all services. One that has not changed is the same as
// before, and so is everything that was made of it.
func (p *provider) understand(s *seen) (all []*labels.Workload) {
	s.own = p.ownService(s)
	readings, leaving := make(map[string]reading, len(s.services)), map[string]time.Time{}
	for i := range s.services {
		service := &s.services[i]
		r := p.read(service)
		readings[service.ID] = r
		var ready []swarm.Task
		for _, t := range s.tasks[service.ID] {
			since, leaves := p.leaving[t.ID]
			if leaves && time.Since(since) < leavingLast {
				leaving[t.ID] = since
				continue
			}
			if serves(t, s.nodes) {
				ready = append(ready, t)
			}
		}
		for _, w := range p.service(s, service, r, ready) {
			if before := p.workloads[w.ID]; before != nil && reflect.DeepEqual(before, w) {
				w = before
			}
			all = append(all, w)
		}
	}
	p.readings, p.leaving = readings, leaving
	return all
}

// serves tells whether a task takes requests.
func serves(t swarm.Task, nodes map[string]swarm.Node) bool {
	return t.DesiredState == swarm.TaskStateRunning && t.Status.State == swarm.TaskStateRunning &&
		nodes[t.NodeID].Status.State != swarm.NodeStateDown
}

// ownService is the service that fairway is a task of.
func (p *provider) ownService(s *seen) string {
	for id, tasks := range s.tasks {
		for _, t := range tasks {
			if c := t.Status.ContainerStatus; p.own != "" && c != nil && strings.HasPrefix(c.ContainerID, p.own) {
				return id
			}
		}
	}
	return ""
}

func (p *provider) read(service *swarm.Service) reading {
	if r, known := p.readings[service.ID]; known && r.version == service.Version.Index {
		return r
	}
	r := reading{version: service.Version.Index, control: labels.ReadControl(service.Spec.Labels)}
	container := service.Spec.TaskTemplate.ContainerSpec
	if container == nil {
		return r
	}
	for _, key := range slices.Sorted(maps.Keys(container.Labels)) {
		root, _, _ := strings.Cut(strings.ToLower(key), ".")
		if _, same := service.Spec.Labels[key]; !same && (root == "traefik" || root == "fairway") {
			r.problems = append(r.problems, dynamic.Problem{
				Severity: dynamic.Warning, Key: key,
				Reason: "is not read: it is a label of the containers, and those of the service count; in a stack they are below deploy.labels",
			})
		}
	}
	return r
}

// service makes the workloads of a service: one for each task, or one for its virtual IP, or
// one that is not ready when there is nothing to reach.
func (p *provider) service(s *seen, service *swarm.Service, r reading, ready []swarm.Task) []*labels.Workload {
	if len(ready) == 0 {
		w := workload(s, service, r, service.ID)
		w.Ready, w.Why = false, "none of its tasks runs"
		w.Running = service.Spec.Mode.ReplicatedJob == nil && service.Spec.Mode.GlobalJob == nil // of a job nothing is expected
		return []*labels.Workload{w}
	}
	if r.control.LBSwarm {
		if service.Endpoint.Spec.Mode != swarm.ResolutionModeDNSRR {
			return []*labels.Workload{p.virtual(s, service, r, ready)}
		}
		r.problems = append(slices.Clip(r.problems), dynamic.Problem{
			Severity: dynamic.Warning,
			Reason:   "the label swarm.lbswarm asks for the virtual IP, which a service with endpoint mode dnsrr does not have; requests go to its tasks",
		})
	}
	var all []*labels.Workload
	for _, t := range ready {
		w := workload(s, service, r, t.ID)
		w.Ports = ports(service, t, s.nodes)
		p.reach(w, networksOf(t, s.nodes), s.self)
		all = append(all, w)
	}
	return all
}

func workload(s *seen, service *swarm.Service, r reading, id string) *labels.Workload {
	return &labels.Workload{
		ID: id, Source: "service " + service.Spec.Name, Name: service.Spec.Name, Container: service.Spec.Name,
		Group: service.Spec.Labels[stackLabel], Created: service.CreatedAt, Labels: service.Spec.Labels, Control: r.control,
		Thing: "Swarm service", Running: true, Ready: true, Problems: r.problems, Self: service.ID == s.own,
	}
}

// virtual makes the workload of a service that is reached by its virtual IP.
func (p *provider) virtual(s *seen, service *swarm.Service, r reading, ready []swarm.Task) *labels.Workload {
	names := map[string]string{} // of networks, by ID; that of the routing mesh is none
	for _, t := range ready {
		for _, a := range t.NetworksAttachments {
			if !a.Network.Spec.Ingress {
				names[a.Network.ID] = a.Network.Spec.Name
			}
		}
	}
	networks := dockerengine.Networks{}
	for _, ip := range service.Endpoint.VirtualIPs {
		if name, known := names[ip.NetworkID]; known {
			networks[name] = addressOf(ip.Addr)
		}
	}
	w := workload(s, service, r, service.ID)
	for _, port := range service.Endpoint.Ports {
		w.Ports = append(w.Ports, labels.Port{Number: int(port.TargetPort)})
	}
	w.Ports = sorted(w.Ports)
	p.reach(w, networks, s.self)
	return w
}

// networksOf are the addresses of a task. In the network of its node it has that of the node.
func networksOf(t swarm.Task, nodes map[string]swarm.Node) dockerengine.Networks {
	networks := dockerengine.Networks{}
	for _, a := range t.NetworksAttachments {
		switch {
		case a.Network.Spec.Ingress:
		case a.Network.DriverState.Name == hostNetwork:
			networks[hostNetwork] = dockerengine.Address{V4: address(nodes[t.NodeID])}
		default:
			networks[a.Network.Spec.Name] = addressOf(a.Addresses...)
		}
	}
	return networks
}

// addressOf reads addresses as the engine has them, with the length of the network.
func addressOf(all ...string) (found dockerengine.Address) {
	for _, text := range all {
		switch prefix, err := netip.ParsePrefix(text); {
		case err != nil:
		case prefix.Addr().Unmap().Is4():
			found.V4 = prefix.Addr().Unmap().String()
		default:
			found.V6 = prefix.Addr().String()
		}
	}
	return found
}

// ports are those that a service publishes; those in mode host with their place at the node.
func ports(service *swarm.Service, t swarm.Task, nodes map[string]swarm.Node) (all []labels.Port) {
	for _, p := range t.Status.PortStatus.Ports {
		if p.PublishMode == swarm.PortConfigPublishModeHost {
			all = append(all, labels.Port{Number: int(p.TargetPort), HostIP: address(nodes[t.NodeID]), HostPort: int(p.PublishedPort)})
		}
	}
	for _, p := range service.Endpoint.Ports {
		if p.PublishMode != swarm.PortConfigPublishModeHost {
			all = append(all, labels.Port{Number: int(p.TargetPort)})
		}
	}
	return sorted(all)
}

// sorted leaves out what is there twice, as engines tell some ports.
func sorted(ports []labels.Port) []labels.Port {
	slices.SortFunc(ports, func(a, b labels.Port) int {
		return cmp.Or(cmp.Compare(a.Number, b.Number), cmp.Compare(a.HostIP, b.HostIP), cmp.Compare(a.HostPort, b.HostPort))
	})
	return slices.Compact(ports)
}

// reach chooses the address for requests: in the network that the label names, else in the
// one that the provider names, else in one that fairway itself is in, else in the first by
// name.
func (p *provider) reach(w *labels.Workload, networks dockerengine.Networks, self []string) {
	names := slices.Sorted(maps.Keys(networks))
	if want := w.Control.Network; want != "" {
		if w.Address = networks.Named(want, w.Group); w.Address == "" {
			w.Problems = append(slices.Clip(w.Problems), dynamic.Problem{
				Severity: dynamic.Warning, Nearest: nearest.Name(want, names),
				Reason: fmt.Sprintf("the label swarm.network names the network %q, which no task of the service is in (they are in: %s); another one is used", want, strings.Join(names, ", ")),
			})
		}
	}
	if w.Address == "" && p.config.Network != "" {
		w.Address = networks.Named(p.config.Network, w.Group)
	}
	if w.Address == "" {
		w.Address = networks.Any(self)
	}
	p.strange(w, networks, self)
}

// strange tells when requests will hardly arrive: the address is in a network that fairway,
// which knows its own, is not in.
func (p *provider) strange(w *labels.Workload, networks dockerengine.Networks, self []string) {
	within := func(name string) bool { return networks[name].String() == w.Address }
	if w.Address == "" || w.Self || p.config.UseBindPortIP || len(self) == 0 || within(hostNetwork) || slices.ContainsFunc(self, within) {
		return
	}
	w.Problems = append(slices.Clip(w.Problems), dynamic.Problem{
		Severity: dynamic.Warning,
		Reason: fmt.Sprintf("requests to the service will hardly arrive: fairway is in %s, the tasks are in %s; name a network of both by the label swarm.network, or put fairway into one of theirs",
			strings.Join(self, ", "), strings.Join(slices.Sorted(maps.Keys(networks)), ", ")),
	})
}
