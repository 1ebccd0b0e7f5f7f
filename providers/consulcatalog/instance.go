package consulcatalog

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/consul/api"

	"fairway/config/dynamic"
	"fairway/config/labels"
)

// instances are those of a service: the proxies of one of the mesh, else itself.
func (c *catalog) instances(ctx context.Context, name string) ([]*api.ServiceEntry, error) {
	ctx, cancel := c.asking(ctx, 0)
	defer cancel()
	if c.config.ConnectAware && c.meshed(c.tags[name]) {
		entries, _, err := c.client.Health().Connect(name, "", false, c.options(ctx, 0))
		return entries, err
	}
	entries, _, err := c.client.Health().Service(name, "", false, c.options(ctx, 0))
	// Proxies and gateways of the mesh are no services, though they have the tags of one.
	return slices.DeleteFunc(entries, func(e *api.ServiceEntry) bool { return e.Service.Kind != api.ServiceKindTypical }), err
}

// meshed tells by the tags of a service whether it is one of the mesh.
func (c *catalog) meshed(tags []string) bool {
	for _, tag := range tags {
		key, value, _ := strings.Cut(tag, "=")
		if strings.EqualFold(key, c.config.Prefix+".consulcatalog.connect") || strings.EqualFold(key, "fairway.consulcatalog.connect") {
			if is, err := strconv.ParseBool(value); err == nil {
				return is
			}
		}
	}
	return c.config.ConnectByDefault
}

// service makes workloads of the instances of a service. Those of which nothing new was heard
// are the same as before, which makes the next configuration cheap.
func (c *catalog) service(name string, entries []*api.ServiceEntry, before *service) *service {
	mesh := c.config.ConnectAware && c.meshed(c.tags[name])
	s := &service{entries: map[string]string{}, meshed: mesh}
	for _, e := range entries {
		if !slices.Contains(s.nodes, e.Node.Node) {
			s.nodes = append(s.nodes, e.Node.Node)
		}
		if mesh && !slices.Contains(s.proxies, e.Service.Service) {
			s.proxies = append(s.proxies, e.Service.Service)
		}
		status := e.Checks.AggregatedStatus()
		if !slices.Contains(c.config.StrictChecks, status) && !slices.Contains(c.config.StrictChecks, api.HealthAny) || !c.admits(e.Service.Tags) {
			continue
		}
		id := e.Node.Node + "/" + e.Service.ID
		text := fingerprint(e, status)
		s.entries[id] = text
		if before != nil && before.entries[id] == text {
			if i := slices.IndexFunc(before.workloads, func(w *labels.Workload) bool { return w.ID == id }); i >= 0 {
				s.workloads = append(s.workloads, before.workloads[i])
				continue
			}
		}
		s.workloads = append(s.workloads, c.workload(name, id, e, status))
	}
	return s
}

// fingerprint is all of an entry that a workload is made of.
func fingerprint(e *api.ServiceEntry, status string) string {
	text, _ := json.Marshal([]any{e.Node.Address, e.Service.Address, e.Service.Port, e.Service.Tags, e.Service.Weights, status})
	return string(text)
}

func (c *catalog) workload(name, id string, e *api.ServiceEntry, status string) *labels.Workload {
	w := &labels.Workload{
		ID: id, Source: fmt.Sprintf("service %s on %s", e.Service.ID, e.Node.Node), Name: name, Container: e.Service.ID, Thing: "instance",
		Created: time.Unix(int64(min(e.Service.CreateIndex, 1<<40)), 0), Address: e.Service.Address, Running: true, Ready: true,
	}
	if w.Address == "" {
		w.Address = e.Node.Address
	}
	if e.Service.Port > 0 {
		w.Ports = []labels.Port{{Number: e.Service.Port}}
	}
	weight := e.Service.Weights.Passing
	if status == api.HealthWarning {
		weight = e.Service.Weights.Warning
	}
	if weight != 1 && e.Service.Weights != (api.AgentWeights{}) {
		w.Weight = &weight
	}
	w.Labels, w.Problems = c.labels(e.Service.Tags)
	w.Control = labels.ReadControl(w.Labels)
	if w.Control.Canary {
		w.Name = name + "-" + hash(e.Service.Tags)
	}
	return w
}

// labels are the tags that are written as KEY=VALUE, below the prefix or below fairway.
func (c *catalog) labels(tags []string) (map[string]string, []dynamic.Problem) {
	all := map[string]string{}
	var problems []dynamic.Problem
	for _, tag := range tags {
		key, value, found := strings.Cut(tag, "=")
		root, rest, below := strings.Cut(key, ".")
		switch {
		case !below:
		case strings.EqualFold(root, "fairway") || strings.EqualFold(root, c.config.Prefix):
			if !found {
				problems = append(problems, dynamic.Problem{Severity: dynamic.Warning, Key: tag, Reason: "is not written as KEY=VALUE, and is not read"})
				continue
			}
			if !strings.EqualFold(root, "fairway") {
				key = "traefik." + rest
			}
			all[key] = value
		}
	}
	return all, problems
}

// hash tells the tags of canaries from those of others.
func hash(tags []string) string {
	h := fnv.New64a()
	for _, tag := range slices.Sorted(slices.Values(tags)) {
		_, _ = h.Write([]byte(tag + "\x00"))
	}
	return strconv.FormatUint(h.Sum64(), 36)
}
