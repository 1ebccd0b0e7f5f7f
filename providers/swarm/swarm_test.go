package swarm

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/swarm"
	"github.com/google/go-cmp/cmp"
	"github.com/sirupsen/logrus"
	"github.com/traefik/paerser/types"

	"fairway/config/dynamic"
	"fairway/config/labels"
	"fairway/internal/dockerengine"
)

func TestRun_EachRunningTaskIsAServer(t *testing.T) {
	m := newManager()
	m.service("traefik.http.routers.shop.rule", "Host(`shop.test`)")
	m.run(1, 2, 3, 4, 5)
	m.change(3, func(t *swarm.Task) { t.Status.State = swarm.TaskStateStarting })
	m.change(4, func(t *swarm.Task) { t.DesiredState = swarm.TaskStateShutdown })
	m.change(5, func(t *swarm.Task) { t.NodeID = "n2" })
	m.nodes["n2"] = swarm.Node{ID: "n2", Status: swarm.NodeStatus{State: swarm.NodeStateDown}}
	w := follow(t, m, nil)
	w.servers("10.1.0.11:80", "10.1.0.12:80")
	want := &dynamic.Router{Rule: "Host(`shop.test`)", Service: "web"}
	if diff := cmp.Diff(want, w.last.HTTP.Routers["shop"]); diff != "" || len(w.last.Problems) > 0 {
		t.Errorf("%s, problems %v", diff, w.last.Problems)
	}
	if source, _ := w.last.Origin(dynamic.KindRouter, "shop"); source != "service web" {
		t.Errorf("the router is of %q", source)
	}
}

func TestRun_FollowsScaling(t *testing.T) {
	m := newManager()
	m.service()
	m.run(1)
	w := follow(t, m, nil)
	w.servers("10.1.0.11:80")
	update := events.Message{Type: events.ServiceEventType, Action: events.ActionUpdate, Actor: events.Actor{ID: "web"}}
	m.run(2, 3, 4)
	m.tell(update)
	w.servers("10.1.0.11:80", "10.1.0.12:80", "10.1.0.13:80", "10.1.0.14:80")
	for _, id := range []int{2, 4} { // told to stop, and running still
		m.change(id, func(t *swarm.Task) { t.DesiredState = swarm.TaskStateRemove })
	}
	m.tell(update)
	w.servers("10.1.0.11:80", "10.1.0.13:80")
}

// TestRun_FindsWhatNoEventTellsOf has tasks on another machine: the manager tells nothing of
// them, so only looking finds them.
func TestRun_FindsWhatNoEventTellsOf(t *testing.T) {
	m := newManager()
	m.service()
	m.run(1)
	w := follow(t, m, func(c *Config) { c.RefreshSeconds = types.Duration(shortestPause) })
	w.servers("10.1.0.11:80")
	m.run(2)
	w.servers("10.1.0.11:80", "10.1.0.12:80")
	m.set(func() { delete(m.tasks, "t1") })
	w.servers("10.1.0.12:80")
	m.set(func() { delete(m.services, "web"); delete(m.tasks, "t2") })
	w.until("no router", func(c *dynamic.Configuration) bool { return len(c.HTTP.Routers) == 0 })
}

func TestRun_AContainerToldToStopTakesItsTaskOut(t *testing.T) {
	m := newManager()
	m.service()
	m.run(1, 2)
	w := follow(t, m, nil)
	w.servers("10.1.0.11:80", "10.1.0.12:80")
	m.tell(events.Message{Type: events.ContainerEventType, Action: events.ActionKill, Actor: events.Actor{ID: "c1", Attributes: map[string]string{"com.docker.swarm.task.id": "t1", "signal": "15"}}})
	w.servers("10.1.0.12:80")
}

func TestConcerns(t *testing.T) {
	tests := map[string]struct {
		kind   events.Type
		action events.Action
		more   map[string]string
		want   bool
	}{
		"a service":                    {events.ServiceEventType, events.ActionRemove, nil, true},
		"a node":                       {events.NodeEventType, events.ActionUpdate, nil, true},
		"a task starts":                {events.ContainerEventType, events.ActionStart, pairs("com.docker.swarm.task.id", "t"), true},
		"a task dies":                  {events.ContainerEventType, events.ActionDie, pairs("com.docker.swarm.task.id", "t"), true},
		"a task is ill":                {events.ContainerEventType, events.ActionHealthStatusUnhealthy, pairs("com.docker.swarm.task.id", "t"), true},
		"a task is asked how it is":    {events.ContainerEventType, "exec_start: wget", pairs("com.docker.swarm.task.id", "t"), false},
		"a task reads its files again": {events.ContainerEventType, events.ActionKill, pairs("com.docker.swarm.task.id", "t", "signal", "1"), false},
		"a container of no service":    {events.ContainerEventType, events.ActionDie, nil, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p := &provider{leaving: nil}
			if got := p.concerns(events.Message{Type: tt.kind, Action: tt.action, Actor: events.Actor{Attributes: tt.more}}); got != tt.want {
				t.Errorf("got %t", got)
			}
		})
	}
}

func TestRun_Networks(t *testing.T) {
	in := func(names ...string) map[string]any {
		all := map[string]any{}
		for _, name := range names {
			all[name] = map[string]any{}
		}
		return all
	}
	tests := map[string]struct {
		labels  []string
		option  string
		own     map[string]any
		want    string
		problem string
	}{
		"the first by name":                      {want: "10.1.0.11:80"},
		"one that fairway is in":                 {own: in("front", "other"), want: "10.2.0.11:80"},
		"that of the option":                     {option: "front", own: in("back", "front"), want: "10.2.0.11:80"},
		"that of the label":                      {labels: []string{"traefik.swarm.network", "front"}, option: "back", want: "10.2.0.11:80"},
		"that of the older label":                {labels: []string{"traefik.docker.network", "front"}, want: "10.2.0.11:80"},
		"that of the newer one, of both":         {labels: []string{"traefik.docker.network", "back", "traefik.swarm.network", "front"}, want: "10.2.0.11:80"},
		"a label with a mistake":                 {labels: []string{"traefik.swarm.network", "frnt"}, want: "10.1.0.11:80", problem: "(they are in: back, front); another one is used"},
		"an option with a mistake":               {option: "frnt", want: "10.1.0.11:80", problem: `no task is in the network "frnt" (did you mean "front"?)`},
		"the routing mesh is none":               {labels: []string{"traefik.swarm.network", "ingress"}, want: "10.1.0.11:80", problem: `"ingress", which no task`},
		"none that fairway is in":                {own: in("other"), want: "10.1.0.11:80", problem: "will hardly arrive: fairway is in other, the tasks are in back, front"},
		"the virtual IP":                         {labels: []string{"traefik.swarm.lbswarm", "true"}, want: "10.1.0.2:80"},
		"the virtual IP, by the older label":     {labels: []string{"traefik.docker.lbswarm", "true"}, want: "10.1.0.2:80"},
		"the virtual IP in a network":            {labels: []string{"traefik.swarm.lbswarm", "true", "traefik.swarm.network", "front"}, want: "10.2.0.2:80"},
		"the newer label says no":                {labels: []string{"traefik.docker.lbswarm", "true", "traefik.swarm.lbswarm", "false"}, want: "10.1.0.11:80"},
		"the virtual IP where fairway is not in": {labels: []string{"traefik.swarm.lbswarm", "true"}, own: in("other"), want: "10.1.0.2:80", problem: "will hardly arrive"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			m := newManager()
			m.own = tt.own
			m.service(tt.labels...)
			m.run(1)
			w := follow(t, m, func(c *Config) { c.Network = tt.option })
			w.servers(tt.want)
			said := fmt.Sprint(w.last.Problems)
			if len(w.last.Problems) > 1 || !strings.Contains(said, tt.problem) || (tt.problem == "") != (len(w.last.Problems) == 0) {
				t.Errorf("got %s", said)
			}
		})
	}
}

func TestRun_ANetworkOfTheStack(t *testing.T) {
	m := newManager()
	m.service(stackLabel, "shop", "traefik.swarm.network", "inner")
	m.run(1)
	m.change(1, func(t *swarm.Task) {
		t.NetworksAttachments = append(t.NetworksAttachments, attachment("shop_inner", "10.3.0.1"))
	})
	w := follow(t, m, nil)
	w.servers("10.3.0.1:80")
}

func TestRun_WithoutVirtualIPTheTasksAreReached(t *testing.T) {
	m := newManager()
	m.service("traefik.swarm.lbswarm", "true")
	m.set(func() {
		s := m.services["web"]
		s.Endpoint = swarm.Endpoint{Spec: swarm.EndpointSpec{Mode: swarm.ResolutionModeDNSRR}}
		m.services["web"] = s
	})
	m.run(1, 2)
	w := follow(t, m, nil)
	w.servers("10.1.0.11:80", "10.1.0.12:80")
	if len(w.last.Problems) != 1 || !strings.Contains(w.last.Problems[0].String(), "service web: the label swarm.lbswarm asks for the virtual IP, which a service with endpoint mode dnsrr does not have") {
		t.Errorf("got %v", w.last.Problems)
	}
}

func TestRun_PortsInModeHost(t *testing.T) {
	published := swarm.PortConfig{TargetPort: 80, PublishedPort: 8081, PublishMode: swarm.PortConfigPublishModeHost}
	tests := map[string]struct {
		networks []swarm.NetworkAttachment
		config   func(*Config)
		want     string
	}{
		"a service in no network":     {nil, nil, "192.0.2.1:8081"},
		"one in a network":            {[]swarm.NetworkAttachment{attachment("back", "10.1.0.1")}, nil, "10.1.0.1:80"},
		"one in a network, on demand": {[]swarm.NetworkAttachment{attachment("back", "10.1.0.1")}, func(c *Config) { c.UseBindPortIP = true }, "192.0.2.1:8081"},
		"one in that of the node":     {[]swarm.NetworkAttachment{attachment("host", "")}, nil, "192.0.2.1:80"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			m := newManager()
			m.service()
			m.run(1)
			m.change(1, func(t *swarm.Task) {
				t.NetworksAttachments = tt.networks
				t.Status.PortStatus.Ports = []swarm.PortConfig{published, published} // as engines tell it
			})
			w := follow(t, m, tt.config)
			w.servers(tt.want)
			if len(w.last.Problems) > 0 {
				t.Errorf("got %v", w.last.Problems)
			}
		})
	}
}

func TestRun_ThePortIsTheOneThatIsPublished(t *testing.T) {
	m := newManager()
	m.service()
	m.set(func() {
		s := m.services["web"]
		delete(s.Spec.Labels, port)
		s.Endpoint.Ports = []swarm.PortConfig{{TargetPort: 9000, PublishedPort: 80, PublishMode: swarm.PortConfigPublishModeIngress}}
		m.services["web"] = s
	})
	m.run(1)
	follow(t, m, nil).servers("10.1.0.11:9000")
}

func TestRun_WithoutAPort(t *testing.T) {
	m := newManager()
	m.service("traefik.http.routers.shop.rule", "Host(`shop.test`)")
	m.set(func() { delete(m.services["web"].Spec.Labels, port) })
	m.run(1, 2)
	w := follow(t, m, nil)
	w.until("a problem", func(c *dynamic.Configuration) bool { return len(c.Problems) > 0 })
	want := "service web: service web: no port is known: the Swarm service exposes none; say which with the label http.services.web.loadbalancer.server.port"
	if len(w.last.Problems) != 1 || w.last.Problems[0].String() != want {
		t.Errorf("got %v", w.last.Problems)
	}
}

func TestRun_ServicesWithoutRunningTasks(t *testing.T) {
	m := newManager()
	m.service()
	w := follow(t, m, nil)
	w.until("that it is not routed to", func(c *dynamic.Configuration) bool {
		return len(c.HTTP.Routers) == 0 && len(c.Problems) == 1 && strings.Contains(c.Problems[0].String(), "service web: is not routed to: none of its tasks runs")
	})
	w = follow(t, m, func(c *Config) { c.AllowEmptyServices = true })
	w.until("a router without servers", func(c *dynamic.Configuration) bool { return len(c.HTTP.Routers) == 1 && len(serversOf(c)) == 0 })
	m.set(func() {
		s := m.services["web"]
		s.Spec.Mode.ReplicatedJob = &swarm.ReplicatedJob{}
		m.services["web"] = s
	})
	m.tell(events.Message{Type: events.ServiceEventType})
	w.until("nothing of a job", func(c *dynamic.Configuration) bool { return len(c.HTTP.Routers) == 0 && len(c.Problems) == 0 })
}

func TestRun_LabelsOfTheContainersAreNotRead(t *testing.T) {
	m := newManager()
	m.service()
	m.set(func() {
		m.services["web"].Spec.TaskTemplate.ContainerSpec.Labels = pairs("traefik.http.routers.shop.rule", "Host(`shop.test`)", port, "80", "other", "x")
	})
	m.run(1, 2)
	w := follow(t, m, nil)
	w.until("a problem", func(c *dynamic.Configuration) bool { return len(c.Problems) > 0 })
	if len(w.last.Problems) != 1 || w.last.Problems[0].Key != "traefik.http.routers.shop.rule" || !strings.Contains(w.last.Problems[0].Reason, "deploy.labels") {
		t.Errorf("got %v", w.last.Problems)
	}
}

func TestRun_FairwayItselfIsNotRoutedTo(t *testing.T) {
	m := newManager()
	m.own = map[string]any{"back": map[string]any{}}
	m.service()
	m.set(func() { clear(m.services["web"].Spec.Labels) })
	m.run(1, 2)
	m.change(2, func(t *swarm.Task) { t.Status.ContainerStatus.ContainerID = "me-and-more" })
	w := follow(t, m, nil)
	w.until("a word", func(*dynamic.Configuration) bool { return true })
	if len(w.last.HTTP.Routers)+len(w.last.HTTP.Services)+len(w.last.Problems) > 0 {
		t.Errorf("got %s", describe(w.last))
	}
}

func TestRun_TheLastStateStaysWhileTheManagerIsGone(t *testing.T) {
	m := newManager()
	m.service()
	m.run(1)
	w := follow(t, m, nil)
	w.servers("10.1.0.11:80")
	m.set(func() {
		m.refuses = "This node is not a swarm manager. Worker nodes can't be used to view or modify cluster state."
	})
	m.cut()
	w.until("a problem", func(c *dynamic.Configuration) bool {
		return len(c.Problems) == 1 && c.Problems[0].Blind && strings.Contains(c.Problems[0].Reason, "the engine is no manager of a swarm; providers.swarm.endpoint has to be one")
	})
	if got := serversOf(w.last); !slices.Equal(got, []string{"10.1.0.11:80"}) {
		t.Errorf("got %v", got)
	}
	m.run(2)
	m.set(func() { m.refuses = "" })
	w.until("both servers, and no problem", func(c *dynamic.Configuration) bool { return len(serversOf(c)) == 2 && len(c.Problems) == 0 })
}

func TestLook_WhatIsAsBeforeIsTheSame(t *testing.T) {
	m := newManager()
	m.service()
	m.run(1, 2)
	c := &Config{}
	c.SetDefaults()
	c.Endpoint = m.listen(t)
	made, err := c.New(logrus.New())
	if err != nil {
		t.Fatal(err)
	}
	p := made.(*provider)
	p.own, p.workloads = "", map[string]*labels.Workload{}
	ignore := func(*dynamic.Configuration) {}
	looked := func() bool {
		changed, err := p.look(t.Context(), ignore)
		if err != nil {
			t.Fatal(err)
		}
		return changed
	}
	if !looked() {
		t.Error("the first look found nothing new")
	}
	before := p.workloads["t1"]
	if looked() || p.workloads["t1"] != before {
		t.Error("nothing has changed, and the look found something new")
	}
	m.service("traefik.http.routers.shop.rule", "Host(`shop.test`)") // another version
	if !looked() || p.workloads["t1"] == before {
		t.Error("new labels were not seen")
	}
}

func TestNew_Mistakes(t *testing.T) {
	tests := map[string]struct {
		change func(*Config)
		want   string
	}{
		"no such scheme":  {func(c *Config) { c.Endpoint = "ftp://x" }, "endpoint ftp://x: use unix://"},
		"no authority":    {func(c *Config) { c.Endpoint = "https://u:secret@x"; c.TLS.CA = "/nowhere" }, "endpoint https://u:xxxxx@x: tls: ca: open /nowhere"},
		"no refreshing":   {func(c *Config) { c.RefreshSeconds = 0 }, "refreshSeconds: is no time"},
		"no constraint":   {func(c *Config) { c.Constraints = "Label(" }, "constraints \"Label(\": offset 6"},
		"no default rule": {func(c *Config) { c.DefaultRule = "{{" }, "defaultRule: "},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := &Config{}
			c.SetDefaults()
			c.TLS = &dockerengine.TLS{}
			tt.change(c)
			if _, err := c.New(logrus.New()); err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "secret") {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

func FuzzUnderstand(f *testing.F) {
	m := newManager()
	m.service("traefik.swarm.lbswarm", "true", "traefik.swarm.network", "front")
	m.run(1, 2)
	text := func(v any) string { b, _ := json.Marshal(v); return string(b) }
	f.Add(text(values(m.services)), text(values(m.tasks)), text(values(m.nodes)))
	f.Add(`[{"ID":"web"}]`, `[{"ServiceID":"web","DesiredState":"running","Status":{"State":"running"},"NetworksAttachments":[{"Addresses":["x","::1/64","1.2.3.4"]}]}]`, `[{}]`)
	f.Add(`[{"Spec":{"TaskTemplate":{"ContainerSpec":{"Labels":{"traefik.x":""}}}}}]`, `null`, `[{"Status":{"Addr":"0.0.0.0"},"ManagerStatus":{"Addr":"x"}}]`)
	f.Fuzz(func(t *testing.T, services, tasks, nodes string) {
		s := &seen{tasks: map[string][]swarm.Task{}, nodes: map[string]swarm.Node{}, self: []string{"back"}}
		var list []swarm.Task
		var machines []swarm.Node
		if json.Unmarshal([]byte(services), &s.services) != nil || json.Unmarshal([]byte(tasks), &list) != nil || json.Unmarshal([]byte(nodes), &machines) != nil {
			return
		}
		for _, task := range list {
			s.tasks[task.ServiceID] = append(s.tasks[task.ServiceID], task)
		}
		for _, n := range machines {
			s.nodes[n.ID] = n
		}
		decoder, err := labels.New(labels.Options{Provider: name, ExposedByDefault: true, AllowEmptyServices: true})
		if err != nil {
			t.Fatal(err)
		}
		p := &provider{config: &Config{Network: "front"}, own: "c1", decoder: decoder}
		p.checkNetwork(s)
		decoder.Configuration(p.understand(s))
	})
}
