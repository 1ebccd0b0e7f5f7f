package docker

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

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/network"
	"github.com/sirupsen/logrus"

	"fairway/config/dynamic"
)

// engine answers like a Docker engine with the containers it is told of.
type engine struct {
	mu         sync.Mutex
	containers map[string]*fake
	streams    map[chan events.Message]bool
	refuses    bool     // answers nothing but errors
	requests   []string // "GET /containers/json"
	onList     func()   // called once, after the answer to a list is fixed
	onInspect  func()   // called before each inspection is answered
	subscribed chan struct{}
}

// fake is one container.
type fake struct {
	name, state, health string
	labels              map[string]string
	networks            map[string]string // name -> address
	mode, stopSignal    string
	ports               []container.Port
	created             int64
}

func newEngine() *engine {
	return &engine{containers: map[string]*fake{}, streams: map[chan events.Message]bool{}, subscribed: make(chan struct{}, 64)}
}

// listen serves the engine at a unix socket and returns its endpoint.
func (e *engine) listen(tb testing.TB) string {
	tb.Helper()
	dir, err := os.MkdirTemp("", "engine") // the names of sockets must be short
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = os.RemoveAll(dir) })
	socket := filepath.Join(dir, "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		tb.Fatal(err)
	}
	s := httptest.NewUnstartedServer(e)
	_ = s.Listener.Close()
	s.Listener = l
	s.Start()
	tb.Cleanup(func() { e.cut(); s.Close() })
	return "unix://" + socket
}

var version = regexp.MustCompile(`^/v1\.\d+`)

func (e *engine) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := version.ReplaceAllString(r.URL.Path, "")
	e.mu.Lock()
	e.requests = append(e.requests, r.Method+" "+path)
	refuses := e.refuses
	e.mu.Unlock()
	w.Header().Set("Api-Version", "1.47")
	switch id, inspects := strings.CutPrefix(path, "/containers/"); {
	case refuses:
		http.Error(w, `{"message":"the engine is ill"}`, http.StatusInternalServerError)
	case path == "/_ping":
	case path == "/events":
		e.stream(w, r)
	case path == "/containers/json":
		e.list(w, r)
	case inspects:
		e.inspect(w, strings.TrimSuffix(id, "/json"))
	default:
		http.NotFound(w, r)
	}
}

func (e *engine) list(w http.ResponseWriter, r *http.Request) {
	wanted, err := filters.FromJSON(r.URL.Query().Get("filters"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	e.mu.Lock()
	all := []container.Summary{}
	for _, id := range slices.Sorted(maps.Keys(e.containers)) {
		f := e.containers[id]
		if wanted.Contains("id") && !wanted.ExactMatch("id", id) {
			continue
		}
		s := container.Summary{ID: id, Names: []string{"/other/alias", "/" + f.name}, Labels: f.labels, State: f.state, Created: f.created, Status: "Up 3 seconds", Ports: f.ports}
		if f.health != "" {
			s.Status += " (" + strings.Replace(f.health, "starting", "health: starting", 1) + ")"
		}
		s.HostConfig.NetworkMode = f.mode
		s.NetworkSettings = &container.NetworkSettingsSummary{Networks: f.endpoints()}
		all = append(all, s)
	}
	hook := e.onList
	e.onList = nil
	e.mu.Unlock()
	if hook != nil {
		hook()
	}
	_ = json.NewEncoder(w).Encode(all)
}

func (f *fake) endpoints() map[string]*network.EndpointSettings {
	all := map[string]*network.EndpointSettings{}
	for name, address := range f.networks {
		all[name] = &network.EndpointSettings{IPAddress: address}
		if strings.Contains(address, ":") {
			all[name] = &network.EndpointSettings{GlobalIPv6Address: address}
		}
	}
	return all
}

func (e *engine) inspect(w http.ResponseWriter, id string) {
	if e.onInspect != nil {
		e.onInspect()
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	f := e.containers[id]
	if f == nil {
		http.Error(w, `{"message":"no such container"}`, http.StatusNotFound)
		return
	}
	state := map[string]any{"Status": f.state, "Running": f.state == "running"}
	if f.health != "" {
		state["Health"] = map[string]any{"Status": f.health}
	}
	ports := map[string]any{}
	for _, p := range f.ports {
		ports[fmt.Sprintf("%d/tcp", p.PrivatePort)] = nil
	}
	_ = json.NewEncoder(w).Encode(map[string]any{
		"Id": id, "Name": "/" + f.name, "Created": time.Unix(f.created, 0).UTC().Format(time.RFC3339Nano), "State": state,
		"Config": map[string]any{"Labels": f.labels, "StopSignal": f.stopSignal}, "HostConfig": map[string]any{"NetworkMode": f.mode},
		"NetworkSettings": map[string]any{"Networks": f.endpoints(), "Ports": ports},
	})
}

func (e *engine) stream(w http.ResponseWriter, r *http.Request) {
	ch := make(chan events.Message, 1000)
	e.mu.Lock()
	e.streams[ch] = true
	e.mu.Unlock()
	_ = http.NewResponseController(w).Flush()
	e.subscribed <- struct{}{}
	for {
		select {
		case <-r.Context().Done():
			return
		case m, open := <-ch:
			if !open {
				return
			}
			_ = json.NewEncoder(w).Encode(m)
			_ = http.NewResponseController(w).Flush()
		}
	}
}

// cut ends all streams of events.
func (e *engine) cut() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for ch := range e.streams {
		close(ch)
		delete(e.streams, ch)
	}
}

func (e *engine) set(change func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	change()
}

// run adds a running container.
func (e *engine) run(id string, f fake) {
	if f.name == "" {
		f.name = id
	}
	if f.state == "" {
		f.state = "running"
	}
	if f.networks == nil {
		f.networks = map[string]string{"bridge": "10.0.0." + fmt.Sprint(len(id))}
	}
	if f.ports == nil {
		f.ports = []container.Port{{PrivatePort: 80, Type: "tcp"}}
	}
	e.set(func() { e.containers[id] = &f })
}

// tell sends an event; more are pairs of attributes.
func (e *engine) tell(action events.Action, id string, more ...string) {
	m := events.Message{Type: events.ContainerEventType, Action: action, Actor: events.Actor{ID: id, Attributes: map[string]string{}}}
	if action == events.ActionConnect || action == events.ActionDisconnect {
		m.Type, m.Actor.ID = events.NetworkEventType, "some-network"
		more = append(more, "container", id)
	}
	for i := 0; i+1 < len(more); i += 2 {
		m.Actor.Attributes[more[i]] = more[i+1]
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for ch := range e.streams {
		ch <- m
	}
}

// count is the number of requests that begin so.
func (e *engine) count(prefix string) (n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, r := range e.requests {
		if strings.HasPrefix(r, prefix) {
			n++
		}
	}
	return n
}

// watcher has all that a provider publishes.
type watcher struct {
	tb        testing.TB
	published chan *dynamic.Configuration
	last      *dynamic.Configuration
}

// follow starts a provider with these endpoints.
func follow(tb testing.TB, change func(*Config), endpoints ...string) *watcher {
	tb.Helper()
	c := &Config{}
	c.SetDefaults()
	c.Endpoint = endpoints
	if change != nil {
		change(c)
	}
	log := logrus.New()
	log.SetOutput(io.Discard)
	p, err := c.New(log)
	if err != nil {
		tb.Fatal(err)
	}
	for _, e := range p.(*provider).endpoints {
		e.host = "192.0.2.99" // asking for the host's names takes time
	}
	w := &watcher{tb: tb, published: make(chan *dynamic.Configuration, 10_000)}
	var running sync.WaitGroup
	running.Go(func() { _ = p.Run(tb.Context(), func(c *dynamic.Configuration) { w.published <- c }) })
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

// servers waits until the servers are these: "web=http://10.0.0.1:80", in order.
func (w *watcher) servers(want ...string) {
	w.tb.Helper()
	w.until(fmt.Sprint("servers ", want), func(c *dynamic.Configuration) bool { return slices.Equal(serversOf(c), want) })
}

func serversOf(c *dynamic.Configuration) (list []string) {
	for _, name := range slices.Sorted(maps.Keys(c.HTTP.Services)) {
		for _, s := range c.HTTP.Services[name].LoadBalancer.Servers {
			list = append(list, name+"="+s.URL)
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
