package consulcatalog

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/consul/api"
	"golang.org/x/sync/errgroup"

	"fairway/config/labels"
)

// catalog is what is known of the services. It belongs to the goroutine of Run.
//
// An agent lets one client have 200 connections, so there cannot be a long question for each
// service. Two are asked, for the list of services and for all checks; what their answers have
// in common with those before tells which services to ask about. When only the number of the
// list has changed, an instance has come or gone that has neither tags nor checks of its own:
// then all are asked about, no more often than every few seconds.
type catalog struct {
	*provider
	services map[string]*service
	mesh     *mesh // nil: there is none

	tags    map[string][]string // by service, those of all instances together
	checks  map[string]string   // by the ID of a check, what it says
	nodes   map[string][]string // names of services by node
	fronts  map[string][]string // names of services by that of their proxies
	all     bool                // all have to be asked about
	allLast time.Time
}

// service is one that is shown.
type service struct {
	entries   map[string]string // by instance, what was heard of it: one that is the same stays
	workloads []*labels.Workload
	nodes     []string
	meshed    bool     // its workloads are proxies of the mesh
	proxies   []string // names of services that are proxies in front of it
}

const (
	// together is how many services are asked about at the same time.
	together = 8
	// pace is the shortest time between two long questions, so that a catalog that never rests
	// is asked once in a while.
	pace = 200 * time.Millisecond
	// allPace is the shortest time between two looks at all services.
	allPace = 2 * time.Second
)

// options are those of a question; index 0 asks for what there is. ctx is that of asking.
func (p *provider) options(ctx context.Context, index uint64) *api.QueryOptions {
	o := &api.QueryOptions{
		RequireConsistent: p.config.RequireConsistent, AllowStale: p.config.Stale, UseCache: p.config.Cache, Namespace: p.namespace, Partition: p.config.Partition,
		WaitIndex: index, WaitTime: time.Duration(p.config.Endpoint.EndpointWaitTime), Token: p.token(),
	}
	return o.WithContext(ctx)
}

// asking bounds a question: an agent that has been stopped in the middle of something answers
// nothing, and its connection stands. Consul adds up to a sixteenth to the time of a long one.
func (p *provider) asking(ctx context.Context, index uint64) (context.Context, context.CancelFunc) {
	longest := p.patience
	if index > 0 {
		wait := time.Duration(p.config.Endpoint.EndpointWaitTime)
		longest += wait + wait/16
	}
	return context.WithTimeout(ctx, longest)
}

// beat asks the agent whether it is there, as long questions do not tell for minutes.
func (p *provider) beat(ctx context.Context) error {
	ctx, cancel := p.asking(ctx, 0)
	defer cancel()
	if _, err := p.client.Status().LeaderWithQueryOptions(p.options(ctx, 0)); err != nil {
		return fmt.Errorf("ask whether the agent is there: %w", err)
	}
	return nil
}

// next is the index to go on with. One that has become less is of another life of the
// servers; then what there is is asked for again.
func next(before, now uint64) uint64 {
	if now < before || now == 0 {
		return 0
	}
	return now
}

// heard is the answer to a long question.
type heard struct {
	tags   map[string][]string // of services; nil: it was about checks
	checks api.HealthChecks
	moved  bool // its number is another one
	err    error
}

// follow looks at everything, and then follows the changes until something fails. heard tells
// whether it got that far.
func (c *catalog) follow(ctx context.Context, publish func()) (known bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	tags, meta, err := c.listServices(ctx, 0)
	if err != nil {
		return false, fmt.Errorf("list services: %w", err)
	}
	checks, checksMeta, err := c.listChecks(ctx, 0)
	if err != nil {
		return false, fmt.Errorf("list checks: %w", err)
	}
	c.tags, c.checks, c.nodes = tags, saying(checks), map[string][]string{}
	if c.config.ConnectAware {
		if c.mesh, err = c.join(ctx); err != nil {
			return false, err
		}
	}
	if err := c.look(ctx, c.shown()); err != nil {
		return false, err
	}
	c.allLast = time.Now()
	publish()
	if !c.config.Watch {
		return true, c.poll(ctx, publish)
	}
	c.log.WithField("services", len(c.services)).Info("following the Consul catalog")
	answers := make(chan heard)
	go c.askServices(ctx, meta.LastIndex, answers)
	go c.askChecks(ctx, checksMeta.LastIndex, answers)
	return true, c.listen(ctx, answers, publish)
}

func (p *provider) listServices(ctx context.Context, index uint64) (map[string][]string, *api.QueryMeta, error) {
	ctx, cancel := p.asking(ctx, index)
	defer cancel()
	return p.client.Catalog().Services(p.options(ctx, index))
}

func (p *provider) listChecks(ctx context.Context, index uint64) (api.HealthChecks, *api.QueryMeta, error) {
	ctx, cancel := p.asking(ctx, index)
	defer cancel()
	return p.client.Health().State(api.HealthAny, p.options(ctx, index))
}

// poll looks at everything, time after time.
func (c *catalog) poll(ctx context.Context, publish func()) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Duration(c.config.RefreshInterval)):
		}
		tags, _, err := c.listServices(ctx, 0)
		if err != nil {
			return fmt.Errorf("list services: %w", err)
		}
		c.tags = tags
		if err := c.look(ctx, c.shown()); err != nil {
			return err
		}
		publish()
	}
}

func (c *catalog) askServices(ctx context.Context, index uint64, answers chan<- heard) {
	for ctx.Err() == nil {
		tags, meta, err := c.listServices(ctx, index)
		a := heard{err: err}
		if err == nil {
			a = heard{tags: tags, moved: meta.LastIndex != index}
			index = next(index, meta.LastIndex)
		}
		if !tell(ctx, answers, a) {
			return
		}
	}
}

func (c *catalog) askChecks(ctx context.Context, index uint64, answers chan<- heard) {
	for ctx.Err() == nil {
		checks, meta, err := c.listChecks(ctx, index)
		a := heard{checks: checks, err: err}
		if err == nil {
			index = next(index, meta.LastIndex)
		}
		if !tell(ctx, answers, a) {
			return
		}
	}
}

// tell hands over an answer, and rests. It ends the question when there is nobody to hear, or
// nothing to say.
func tell(ctx context.Context, answers chan<- heard, a heard) bool {
	select {
	case answers <- a:
	case <-ctx.Done():
		return false
	}
	if a.err != nil {
		return false
	}
	select {
	case <-time.After(pace):
		return true
	case <-ctx.Done():
		return false
	}
}

// listen asks about the services that answers say something new of.
func (c *catalog) listen(ctx context.Context, answers <-chan heard, publish func()) error {
	later := time.NewTimer(time.Hour)
	defer later.Stop()
	beat := time.NewTicker(c.every)
	defer beat.Stop()
	renewed := c.mesh.renewed()
	for {
		changed := map[string]bool{}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-renewed:
			publish()
			continue
		case <-beat.C:
			if err := c.beat(ctx); err != nil {
				return err
			}
			continue
		case <-later.C:
		case a := <-answers:
			if a.err != nil {
				return fmt.Errorf("wait for a change: %w", a.err)
			}
			changed = c.compare(a)
		}
		if c.all && time.Since(c.allLast) >= allPace {
			c.all, c.allLast = false, time.Now()
			changed = set(c.shown())
		} else if c.all {
			later.Reset(allPace)
		}
		if len(changed) == 0 {
			continue
		}
		if err := c.look(ctx, slices.Sorted(maps.Keys(changed))); err != nil {
			return err
		}
		publish()
	}
}

func set(names []string) map[string]bool {
	out := make(map[string]bool, len(names))
	for _, name := range names {
		out[name] = true
	}
	return out
}

// compare finds the services that an answer says something new of.
func (c *catalog) compare(a heard) map[string]bool {
	changed := map[string]bool{}
	if a.tags == nil {
		now := saying(a.checks)
		for _, check := range a.checks {
			if c.checks[checkID(check)] != now[checkID(check)] {
				c.note(changed, check.ServiceName, check.Node)
			}
		}
		for id := range c.checks {
			if _, there := now[id]; !there {
				parts := strings.Split(id, "\x00")
				c.note(changed, parts[1], parts[0])
			}
		}
		c.checks = now
		return changed
	}
	for name, tags := range a.tags {
		if before, had := c.tags[name]; !had || !slices.Equal(slices.Sorted(slices.Values(before)), slices.Sorted(slices.Values(tags))) {
			changed[name] = true
		}
	}
	for name := range c.tags {
		if _, there := a.tags[name]; !there {
			changed[name] = true
		}
	}
	c.tags = a.tags
	c.all = c.all || a.moved && len(changed) == 0
	for name := range maps.Clone(changed) {
		for _, behind := range c.fronts[name] {
			changed[behind] = true
		}
		if c.config.ConnectAware && c.services[name] == nil {
			c.all = true // it may be a proxy, of whichever service
		}
		if !c.shows(name) && c.services[name] == nil {
			delete(changed, name)
		}
	}
	return changed
}

// note adds the service that a check is about; one without is about a node.
func (c *catalog) note(changed map[string]bool, service, node string) {
	names := []string{service}
	if service == "" {
		names = c.nodes[node]
	}
	names = append(slices.Clip(names), c.fronts[service]...)
	for _, name := range names {
		if c.shows(name) || c.services[name] != nil {
			changed[name] = true
		}
	}
}

func checkID(c *api.HealthCheck) string { return c.Node + "\x00" + c.ServiceName + "\x00" + c.CheckID }

// saying is what checks say, by their IDs.
func saying(all api.HealthChecks) map[string]string {
	out := make(map[string]string, len(all))
	for _, c := range all {
		out[checkID(c)] = c.Status + "\x00" + c.ServiceID
	}
	return out
}

// shown are the names of the services that may be routed to.
func (c *catalog) shown() (names []string) {
	for name := range c.tags {
		if c.shows(name) {
			names = append(names, name)
		}
	}
	for name := range c.services { // those that are gone
		if _, there := c.tags[name]; !there {
			names = append(names, name)
		}
	}
	return names
}

// shows tells whether an instance of a service may be shown, by the tags of all of them.
func (c *catalog) shows(name string) bool {
	tags, there := c.tags[name]
	if !there || c.config.ExposedByDefault {
		return there
	}
	return slices.ContainsFunc(tags, func(tag string) bool {
		key, _, _ := strings.Cut(tag, "=")
		return strings.EqualFold(key, c.config.Prefix+".enable") || strings.EqualFold(key, "fairway.enable")
	})
}

// look asks about services, some at a time. What is known of the others stays.
func (c *catalog) look(ctx context.Context, names []string) error {
	found := make([]*service, len(names))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(together)
	for i, name := range names {
		before := c.services[name]
		group.Go(func() error {
			if !c.shows(name) {
				return nil
			}
			entries, err := c.instances(ctx, name)
			if err != nil {
				return fmt.Errorf("look at the service %q: %w", name, err)
			}
			found[i] = c.service(name, entries, before)
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for i, name := range names {
		if found[i] == nil {
			delete(c.services, name)
		} else {
			c.services[name] = found[i]
		}
	}
	c.nodes = map[string][]string{}
	c.fronts = map[string][]string{}
	for name, s := range c.services {
		for _, node := range s.nodes {
			c.nodes[node] = append(c.nodes[node], name)
		}
		for _, proxy := range s.proxies {
			c.fronts[proxy] = append(c.fronts[proxy], name)
		}
	}
	return nil
}
