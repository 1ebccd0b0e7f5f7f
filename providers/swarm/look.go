package swarm

import (
	"context"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/swarm"
	"golang.org/x/sync/errgroup"

	"fairway/config/dynamic"
	"fairway/config/labels"
	"fairway/internal/nearest"
	"fairway/internal/secret"
	"fairway/providers"
)

// seen is what a manager told at one moment.
type seen struct {
	services []swarm.Service
	tasks    map[string][]swarm.Task // that are to run, by ID of the service
	nodes    map[string]swarm.Node
	self     []string // names of the networks that fairway itself is in
	own      string   // the service that fairway is a task of
}

// look asks for everything, and publishes it if something is different.
func (p *provider) look(ctx context.Context, publish providers.Publish) (changed bool, err error) {
	s, err := p.ask(ctx)
	if err != nil {
		return false, err
	}
	all := p.understand(s)
	nowhere := p.checkNetwork(s)
	changed = p.last == nil || len(all) != len(p.workloads)
	known := make(map[string]*labels.Workload, len(all))
	for _, w := range all {
		known[w.ID] = w
		changed = changed || p.workloads[w.ID] != w
	}
	p.workloads = known
	if !changed && !p.down && slices.Equal(nowhere, p.nowhere) {
		return false, nil
	}
	p.down, p.nowhere = false, nowhere
	cfg := p.decoder.Configuration(all)
	cfg.Problems = append(slices.Clip(cfg.Problems), nowhere...)
	p.last = cfg
	publish(cfg)
	return changed, nil
}

// ask makes the requests of one look: three, and one about fairway's own container.
func (p *provider) ask(ctx context.Context) (*seen, error) {
	s := &seen{tasks: map[string][]swarm.Task{}, nodes: map[string]swarm.Node{}}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		s.services, err = p.client.ServiceList(ctx, swarm.ServiceListOptions{})
		return wrap("list services", err)
	})
	group.Go(func() error {
		all, err := p.client.TaskList(ctx, swarm.TaskListOptions{Filters: filters.NewArgs(filters.Arg("desired-state", "running"))})
		for _, t := range all {
			s.tasks[t.ServiceID] = append(s.tasks[t.ServiceID], t)
		}
		return wrap("list tasks", err)
	})
	group.Go(func() error {
		all, err := p.client.NodeList(ctx, swarm.NodeListOptions{})
		for _, n := range all {
			s.nodes[n.ID] = n
		}
		return wrap("list nodes", err)
	})
	group.Go(func() error {
		if p.own == "" {
			return nil
		}
		// Not to be found: the manager is another machine's. Then nothing is preferred.
		if c, err := p.client.ContainerInspect(ctx, p.own); err == nil && c.NetworkSettings != nil {
			s.self = slices.Sorted(maps.Keys(c.NetworkSettings.Networks))
		}
		return nil
	})
	return s, group.Wait()
}

func wrap(doing string, err error) error {
	if err == nil {
		return nil
	}
	if strings.Contains(err.Error(), "not a swarm manager") {
		return fmt.Errorf("%s: the engine is no manager of a swarm; providers.swarm.endpoint has to be one: %w", doing, err)
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// address is where the ports of a node are.
func address(n swarm.Node) string {
	if ip := net.ParseIP(n.Status.Addr); ip != nil && !ip.IsUnspecified() {
		return n.Status.Addr
	}
	if n.ManagerStatus != nil {
		if host, _, err := net.SplitHostPort(n.ManagerStatus.Addr); err == nil {
			return host
		}
	}
	return n.Description.Hostname
}

// checkNetwork tells when no task is in the network that the provider's option names: it is
// probably mistyped.
func (p *provider) checkNetwork(s *seen) []dynamic.Problem {
	wanted := p.config.Network
	if wanted == "" || len(s.tasks) == 0 {
		return nil
	}
	names := map[string]bool{}
	for _, service := range s.services {
		stack := service.Spec.Labels[stackLabel]
		for _, t := range s.tasks[service.ID] {
			for _, a := range t.NetworksAttachments {
				name := a.Network.Spec.Name
				names[name] = true
				if name == wanted || name == stack+"_"+wanted {
					return nil
				}
			}
		}
	}
	return []dynamic.Problem{{
		Severity: dynamic.Warning, Source: secret.URL(p.config.Endpoint), Key: "providers.swarm.network",
		Reason: fmt.Sprintf("no task is in the network %q", wanted), Nearest: nearest.Name(wanted, slices.Sorted(maps.Keys(names))),
	}}
}
