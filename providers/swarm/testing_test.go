package swarm

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/swarm"
	"github.com/sirupsen/logrus"

	"fairway/config/dynamic"
)

// manager answers like the engine of a manager.
type manager struct {
	mu       sync.Mutex
	services map[string]swarm.Service
	tasks    map[string]swarm.Task
	nodes    map[string]swarm.Node
	own      map[string]any // networks of the container that fairway is in
	streams  map[chan events.Message]bool
	refuses  string // answers nothing but this error
}

func newManager() *manager {
	return &manager{
		services: map[string]swarm.Service{}, tasks: map[string]swarm.Task{}, streams: map[chan events.Message]bool{},
		nodes: map[string]swarm.Node{"n1": {ID: "n1", Status: swarm.NodeStatus{State: swarm.NodeStateReady, Addr: "192.0.2.1"}}},
	}
}

// listen serves the manager at a unix socket and returns its endpoint.
func (m *manager) listen(tb testing.TB) string {
	tb.Helper()
	dir, err := os.MkdirTemp("", "swarm") // the names of sockets must be short
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = os.RemoveAll(dir) })
	socket := filepath.Join(dir, "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		tb.Fatal(err)
	}
	s := httptest.NewUnstartedServer(m)
	_ = s.Listener.Close()
	s.Listener = l
	s.Start()
	tb.Cleanup(func() { m.cut(); s.Close() })
	return "unix://" + socket
}

var version = regexp.MustCompile(`^/v1\.\d+`)

func (m *manager) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	defer m.mu.Unlock()
	w.Header().Set("Api-Version", "1.47")
	switch path := version.ReplaceAllString(r.URL.Path, ""); {
	case path == "/_ping":
	case m.refuses != "":
		w.WriteHeader(http.StatusServiceUnavailable)
		_ = json.NewEncoder(w).Encode(map[string]string{"message": m.refuses})
	case path == "/events":
		m.stream(w, r)
	case path == "/services":
		_ = json.NewEncoder(w).Encode(values(m.services))
	case path == "/tasks":
		all := slices.DeleteFunc(values(m.tasks), func(t swarm.Task) bool { return t.DesiredState != swarm.TaskStateRunning })
		if r.URL.Query().Get("filters") != `{"desired-state":{"running":true}}` {
			all = values(m.tasks)
		}
		_ = json.NewEncoder(w).Encode(all)
	case path == "/nodes":
		_ = json.NewEncoder(w).Encode(values(m.nodes))
	case strings.HasPrefix(path, "/containers/") && m.own != nil:
		_ = json.NewEncoder(w).Encode(map[string]any{"Id": "me", "NetworkSettings": map[string]any{"Networks": m.own}})
	default:
		http.NotFound(w, r)
	}
}

func values[T any](all map[string]T) []T {
	list := []T{}
	for _, id := range slices.Sorted(maps.Keys(all)) {
		list = append(list, all[id])
	}
	return list
}

// stream is called with the lock, which it gives back while it streams.
func (m *manager) stream(w http.ResponseWriter, r *http.Request) {
	ch := make(chan events.Message, 1000)
	m.streams[ch] = true
	m.mu.Unlock()
	defer m.mu.Lock()
	_ = http.NewResponseController(w).Flush()
	for {
		select {
		case <-r.Context().Done():
			return
		case message, open := <-ch:
			if !open {
				return
			}
			_ = json.NewEncoder(w).Encode(message)
			_ = http.NewResponseController(w).Flush()
		}
	}
}

// cut ends all streams of events.
func (m *manager) cut() {
	m.set(func() {
		for ch := range m.streams {
			close(ch)
			delete(m.streams, ch)
		}
	})
}

func (m *manager) set(change func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	change()
}

func (m *manager) tell(message events.Message) {
	m.set(func() {
		for ch := range m.streams {
			ch <- message
		}
	})
}

// pairs are labels, as key, value, key, value.
func pairs(list ...string) map[string]string {
	all := map[string]string{}
	for i := 0; i+1 < len(list); i += 2 {
		all[list[i]] = list[i+1]
	}
	return all
}

const port = "traefik.http.services.web.loadbalancer.server.port"

// service adds the service web with the port 80 and further labels.
func (m *manager) service(more ...string) {
	m.set(func() {
		s := swarm.Service{ID: "web"}
		s.Version.Index = m.services["web"].Version.Index + 1
		s.Spec.Name = "web"
		s.Spec.Labels = pairs(append([]string{port, "80"}, more...)...)
		s.Spec.TaskTemplate.ContainerSpec = &swarm.ContainerSpec{}
		s.Endpoint.Spec.Mode = swarm.ResolutionModeVIP
		s.Endpoint.VirtualIPs = []swarm.EndpointVirtualIP{{NetworkID: "id-ingress", Addr: "10.9.0.2/16"}, {NetworkID: "id-back", Addr: "10.1.0.2/16"}, {NetworkID: "id-front", Addr: "10.2.0.2/16"}}
		m.services["web"] = s
	})
}

// run adds tasks of the service web that run, in the networks back, front and that of the
// routing mesh.
func (m *manager) run(ids ...int) {
	m.set(func() {
		for _, id := range ids {
			t := swarm.Task{ID: fmt.Sprint("t", id), ServiceID: "web", NodeID: "n1", DesiredState: swarm.TaskStateRunning}
			t.Status.State = swarm.TaskStateRunning
			t.Status.ContainerStatus = &swarm.ContainerStatus{ContainerID: fmt.Sprint("c", id)}
			t.NetworksAttachments = []swarm.NetworkAttachment{
				attachment("ingress", fmt.Sprint("10.9.0.1", id)), attachment("back", fmt.Sprint("10.1.0.1", id)), attachment("front", fmt.Sprint("10.2.0.1", id)),
			}
			m.tasks[t.ID] = t
		}
	})
}

func attachment(network, address string) swarm.NetworkAttachment {
	a := swarm.NetworkAttachment{}
	a.Network.ID, a.Network.Spec.Name, a.Network.Spec.Ingress = "id-"+network, network, network == "ingress"
	a.Network.DriverState.Name = "overlay"
	if network == "host" {
		a.Network.DriverState.Name = "host"
		return a
	}
	a.Addresses = []string{address + "/16"}
	return a
}

// change changes a task.
func (m *manager) change(id int, change func(*swarm.Task)) {
	m.set(func() {
		t := m.tasks[fmt.Sprint("t", id)]
		change(&t)
		m.tasks[t.ID] = t
	})
}

// watcher has all that a provider publishes.
type watcher struct {
	tb        testing.TB
	provider  *provider
	published chan *dynamic.Configuration
	last      *dynamic.Configuration
}

// follow starts a provider.
func follow(tb testing.TB, m *manager, change func(*Config)) *watcher {
	tb.Helper()
	c := &Config{}
	c.SetDefaults()
	c.Endpoint = m.listen(tb)
	if change != nil {
		change(c)
	}
	log := logrus.New()
	log.SetOutput(io.Discard)
	made, err := c.New(log)
	if err != nil {
		tb.Fatal(err)
	}
	w := &watcher{tb: tb, provider: made.(*provider), published: make(chan *dynamic.Configuration, 10_000)}
	w.provider.own = ""
	if m.own != nil {
		w.provider.own = "me"
	}
	var running sync.WaitGroup
	running.Go(func() { _ = made.Run(tb.Context(), func(c *dynamic.Configuration) { w.published <- c }) })
	tb.Cleanup(running.Wait)
	return w
}

// until waits for a configuration that is as it should be.
func (w *watcher) until(what string, good func(*dynamic.Configuration) bool) {
	w.tb.Helper()
	giveUp := time.After(20 * time.Second)
	for w.last == nil || !good(w.last) {
		select {
		case w.last = <-w.published:
		case <-giveUp:
			w.tb.Fatalf("never published: %s; the last was %s", what, describe(w.last))
		}
	}
}

// servers waits until the servers of the service web are these.
func (w *watcher) servers(want ...string) {
	w.tb.Helper()
	w.until(fmt.Sprint("servers ", want), func(c *dynamic.Configuration) bool { return slices.Equal(serversOf(c), want) })
}

func serversOf(c *dynamic.Configuration) (list []string) {
	if s := c.HTTP.Services["web"]; s != nil {
		for _, server := range s.LoadBalancer.Servers {
			list = append(list, strings.TrimPrefix(server.URL, "http://"))
		}
	}
	return list
}

func describe(c *dynamic.Configuration) string {
	if c == nil {
		return "nothing"
	}
	return fmt.Sprint(serversOf(c), c.Problems)
}
