package docker

import (
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/events"
	"github.com/google/go-cmp/cmp"
	"github.com/sirupsen/logrus"

	"fairway/config/dynamic"
	"fairway/internal/dockerengine"
)

func TestRun_FollowsTheLifeOfAContainer(t *testing.T) {
	e := newEngine()
	w := follow(t, nil, e.listen(t))
	w.until("an empty configuration", func(c *dynamic.Configuration) bool { return len(c.HTTP.Routers) == 0 })

	web := func() *fake { return e.containers["web"] }
	steps := []struct {
		name   string
		change func()
		action events.Action
		more   []string
		want   []string
	}{
		{name: "start", action: events.ActionStart, want: []string{"web=http://10.0.0.3:80"}},
		{name: "rename", change: func() { web().name = "shop" }, action: events.ActionRename, want: []string{"shop=http://10.0.0.3:80"}},
		{name: "unhealthy", change: func() { web().health = "unhealthy" }, action: "health_status: unhealthy"},
		{name: "healthy again", change: func() { web().health = "healthy" }, action: "health_status: healthy", want: []string{"shop=http://10.0.0.3:80"}},
		{name: "pause", change: func() { web().state = "paused" }, action: events.ActionPause},
		{name: "unpause", change: func() { web().state = "running" }, action: events.ActionUnPause, want: []string{"shop=http://10.0.0.3:80"}},
		{name: "connected to a network", change: func() { web().networks["a"] = "10.1.0.1" }, action: events.ActionConnect, want: []string{"shop=http://10.1.0.1:80"}},
		{name: "disconnected", change: func() { delete(web().networks, "a") }, action: events.ActionDisconnect, want: []string{"shop=http://10.0.0.3:80"}},
		{name: "told to stop, and still running", action: events.ActionKill, more: []string{"signal", "15"}},
		{name: "died", change: func() { web().state = "exited" }, action: events.ActionDie},
		{name: "started again", change: func() { web().state = "running" }, action: events.ActionStart, want: []string{"shop=http://10.0.0.3:80"}},
		{name: "died by itself", change: func() { web().state = "exited" }, action: events.ActionDie},
		{name: "restarted", change: func() { web().state = "running" }, action: events.ActionStart, want: []string{"shop=http://10.0.0.3:80"}},
		{name: "destroyed", change: func() { delete(e.containers, "web") }, action: events.ActionDestroy},
	}
	e.run("web", fake{})
	for _, s := range steps {
		if s.change != nil {
			e.set(s.change)
		}
		e.tell(s.action, "web", s.more...)
		w.tb.Log(s.name)
		w.servers(s.want...)
	}
	if got := e.count("GET /containers/json"); got > 3 {
		t.Errorf("the whole engine was listed %d times for changes of one container", got)
	}
}

func TestRun_SignalsThatDoNotStop(t *testing.T) {
	tests := map[string]struct {
		signal, stopSignal string
		leaves             bool
	}{
		"TERM":                                {"15", "", true},
		"KILL":                                {"9", "", true},
		"QUIT, as nginx":                      {"3", "SIGQUIT", true},
		"WINCH, as httpd":                     {"28", "SIGWINCH", true},
		"WINCH of a terminal":                 {"28", "", false},
		"HUP, to read files anew":             {"1", "", false},
		"USR1":                                {"10", "SIGTERM", false},
		"RTMIN+3, as systemd":                 {"37", "SIGRTMIN+3", true},
		"HUP that the image declares to stop": {"1", "SIGHUP", true},
		"USR2, declared without SIG":          {"12", "USR2", true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			e := newEngine()
			e.run("web", fake{stopSignal: tt.stopSignal})
			w := follow(t, nil, e.listen(t))
			w.servers("web=http://10.0.0.3:80")
			e.tell(events.ActionKill, "web", "signal", tt.signal)
			e.run("other", fake{})
			e.tell(events.ActionStart, "other") // comes behind it
			if tt.leaves {
				w.servers("other=http://10.0.0.5:80")
			} else {
				w.servers("other=http://10.0.0.5:80", "web=http://10.0.0.3:80")
			}
		})
	}
}

func TestRun_LosesNothingBetweenSubscribingAndListing(t *testing.T) {
	e := newEngine()
	e.onList = func() { // the answer does not have it
		e.run("late", fake{})
		e.tell(events.ActionStart, "late")
	}
	follow(t, nil, e.listen(t)).servers("late=http://10.0.0.4:80")
}

func TestRun_ABurstIsOneLook(t *testing.T) {
	e := newEngine()
	e.run("web", fake{})
	release, blocked := make(chan struct{}), make(chan struct{})
	var once sync.Once
	e.onInspect = func() { once.Do(func() { close(blocked) }); <-release }
	w := follow(t, nil, e.listen(t))
	w.servers("web=http://10.0.0.3:80")
	e.tell(events.ActionRename, "web")
	<-blocked
	for range 199 {
		e.tell(events.ActionRename, "web")
	}
	e.set(func() { e.containers["web"].name = "end" })
	e.tell(events.ActionRename, "web")
	close(release)
	w.servers("end=http://10.0.0.3:80")
	if inspections, lists := e.count("GET /containers/web/json"), e.count("GET /containers/json"); inspections > 100 || lists > 2 {
		t.Errorf("201 events of one container made %d inspections and %d lists", inspections, lists)
	}
}

func TestRun_KeepsTheLastGoodStateWhileTheEngineIsAway(t *testing.T) {
	e := newEngine()
	e.run("web", fake{})
	e.run("leaver", fake{})
	w := follow(t, nil, e.listen(t))
	w.servers("leaver=http://10.0.0.6:80", "web=http://10.0.0.3:80")
	e.tell(events.ActionKill, "leaver", "signal", "15")
	w.servers("web=http://10.0.0.3:80")
	e.set(func() { e.refuses = true })
	e.cut()
	w.until("a problem that says so", func(c *dynamic.Configuration) bool {
		return len(c.Problems) == 1 && strings.Contains(c.Problems[0].Reason, "the engine cannot be followed, its last known state stays in force")
	})
	w.servers("web=http://10.0.0.3:80")
	// Meanwhile: one is gone, one is new, one died and started again.
	e.set(func() { delete(e.containers, "web"); e.refuses = false })
	e.run("new", fake{})
	w.until("the state of now, without problems", func(c *dynamic.Configuration) bool {
		return cmp.Equal(serversOf(c), []string{"leaver=http://10.0.0.6:80", "new=http://10.0.0.3:80"}) && len(c.Problems) == 0
	})
	e.run("again", fake{})
	e.tell(events.ActionStart, "again")
	w.servers("again=http://10.0.0.5:80", "leaver=http://10.0.0.6:80", "new=http://10.0.0.3:80")
}

func TestRun_EngineThatIsAwayFromTheStart(t *testing.T) {
	e := newEngine()
	e.refuses = true
	e.run("web", fake{})
	w := follow(t, nil, e.listen(t))
	w.until("a problem", func(c *dynamic.Configuration) bool { return len(c.Problems) == 1 && len(c.HTTP.Routers) == 0 })
	e.set(func() { e.refuses = false })
	w.servers("web=http://10.0.0.3:80")
}

func TestRun_WithoutWatchListsOnce(t *testing.T) {
	e := newEngine()
	e.run("web", fake{})
	w := follow(t, func(c *Config) { c.Watch = false }, e.listen(t))
	w.servers("web=http://10.0.0.3:80")
}

func TestRun_SeveralEngines(t *testing.T) {
	one, two := newEngine(), newEngine()
	one.run("web", fake{})
	two.run("api", fake{})
	w := follow(t, nil, one.listen(t), two.listen(t))
	w.servers("api=http://10.0.0.3:80", "web=http://10.0.0.3:80")
	two.set(func() { two.refuses = true })
	two.cut()
	w.until("a problem of the second", func(c *dynamic.Configuration) bool { return len(c.Problems) == 1 && len(serversOf(c)) == 2 })
	one.run("more", fake{})
	one.tell(events.ActionStart, "more")
	w.servers("api=http://10.0.0.3:80", "more=http://10.0.0.4:80", "web=http://10.0.0.3:80")
}

// TestRun_OnlyReads allows what a read-only socket proxy lets through.
func TestRun_OnlyReads(t *testing.T) {
	e := newEngine()
	e.run("web", fake{})
	w := follow(t, nil, e.listen(t))
	w.servers("web=http://10.0.0.3:80")
	e.tell(events.ActionKill, "web", "signal", "28")
	e.set(func() { e.containers["web"].state = "exited" })
	e.tell(events.ActionDie, "web")
	w.servers()
	allowed := regexp.MustCompile(`^(HEAD /_ping|GET /(_ping|version|events|containers/json|containers/[a-z]+/json|networks.*))$`)
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, r := range e.requests {
		if !allowed.MatchString(r) {
			t.Errorf("sent %s", r)
		}
	}
}

func TestRun_OneOffAndLinkedContainers(t *testing.T) {
	e := newEngine()
	e.run("web", fake{name: "shop-web-1", labels: map[string]string{composeProject: "shop", composeService: "web"}})
	e.run("task", fake{name: "shop-web-run-1", labels: map[string]string{composeProject: "shop", composeService: "web", composeOneOff: "True"}})
	follow(t, nil, e.listen(t)).servers("web-shop=http://10.0.0.3:80")
}

func TestReach(t *testing.T) {
	two := dockerengine.Networks{"back": {V4: "10.1.0.1"}, "front": {V4: "10.2.0.1"}}
	tests := map[string]struct {
		facts   facts
		label   string // docker.network
		option  string // providers.docker.network
		self    []string
		want    string
		problem string
		nearest string
	}{
		"the only one":                    {facts: facts{networks: dockerengine.Networks{"n": {V4: "10.0.0.1"}}}, want: "10.0.0.1"},
		"the first by name":               {facts: facts{networks: two}, want: "10.1.0.1"},
		"the label":                       {facts: facts{networks: two}, label: "front", option: "back", want: "10.2.0.1"},
		"the option":                      {facts: facts{networks: two}, option: "front", want: "10.2.0.1"},
		"one that fairway is in":          {facts: facts{networks: two}, self: []string{"else", "front"}, want: "10.2.0.1"},
		"the label before fairway's own":  {facts: facts{networks: two}, label: "back", self: []string{"front"}, want: "10.1.0.1"},
		"a name without the project":      {facts: facts{networks: dockerengine.Networks{"a": {V4: "10.0.0.1"}, "shop_front": {V4: "10.2.0.1"}}, labels: map[string]string{composeProject: "shop"}}, label: "front", want: "10.2.0.1"},
		"a name that is wrong":            {facts: facts{networks: two}, label: "frnot", want: "10.1.0.1", problem: `the label docker.network names the network "frnot", which the container is not in (it is in: back, front); another one is used`, nearest: "front"},
		"a wrong label, the option right": {facts: facts{networks: two}, label: "frnot", option: "front", want: "10.2.0.1", problem: `names the network "frnot"`, nearest: "front"},
		"both wrong":                      {facts: facts{networks: two}, label: "x", option: "x", want: "10.1.0.1", problem: `names the network "x"`},
		"IPv6 alone":                      {facts: facts{networks: dockerengine.Networks{"n": {V6: "fd00::1"}}}, want: "fd00::1"},
		"IPv4 first":                      {facts: facts{networks: dockerengine.Networks{"n": {V4: "10.0.0.1", V6: "fd00::1"}}}, want: "10.0.0.1"},
		"one without address":             {facts: facts{networks: dockerengine.Networks{"a": {}, "b": {V4: "10.0.0.1"}}}, want: "10.0.0.1"},
		"none":                            {facts: facts{mode: "none"}},
		"the host's":                      {facts: facts{mode: "host", networks: dockerengine.Networks{"host": {}}}, want: "192.0.2.99"},
		"the host's by name":              {facts: facts{mode: "host", networks: dockerengine.Networks{"host": {}}}, label: "host", option: "front", want: "192.0.2.99"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			e := &endpoint{config: &Config{Network: tt.option}, self: tt.self, host: "192.0.2.99"}
			got, problems := e.reach(tt.facts, tt.label)
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if tt.problem == "" && len(problems) > 0 {
				t.Errorf("got problems %v", problems)
			}
			if tt.problem != "" && (len(problems) != 1 || !strings.Contains(problems[0].Reason, tt.problem) || problems[0].Nearest != tt.nearest) {
				t.Errorf("got problems %+v", problems)
			}
		})
	}
}

func TestRun_NetworkOfAnotherContainer(t *testing.T) {
	e := newEngine()
	e.run("vpn", fake{ports: []container.Port{}})
	labelled := map[string]string{"traefik.http.services.app.loadbalancer.server.port": "8080"}
	e.run("a-app", fake{mode: "container:vpn", networks: map[string]string{}, labels: labelled})
	w := follow(t, nil, e.listen(t))
	w.servers("app=http://10.0.0.3:8080")
	e.set(func() { e.containers["vpn"].networks = map[string]string{"bridge": "10.0.0.77"} })
	e.tell(events.ActionConnect, "vpn")
	w.servers("app=http://10.0.0.77:8080")
	e.set(func() { delete(e.containers, "vpn") })
	e.tell(events.ActionDestroy, "vpn")
	w.until("a problem", func(c *dynamic.Configuration) bool {
		return len(serversOf(c)) == 0 && strings.Contains(fmt.Sprint(c.Problems), "it uses the network of another container, which is not known")
	})
}

func TestNew_BasicAuthentication(t *testing.T) {
	e := newEngine()
	e.run("web", fake{})
	logins := make(chan string, 100)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		logins <- user + ":" + password
		e.ServeHTTP(w, r)
	}))
	t.Cleanup(func() { e.cut(); s.Close() })
	w := follow(t, func(c *Config) { c.Username, c.Password = "me", "secret" }, s.URL)
	w.servers("web=http://10.0.0.3:80")
	if got := <-logins; got != "me:secret" {
		t.Errorf("got %s", got)
	}
}

func TestNew_TLS(t *testing.T) {
	e := newEngine()
	e.run("web", fake{})
	s := httptest.NewUnstartedServer(e)
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // refusals are part of it
	s.StartTLS()
	t.Cleanup(func() { e.cut(); s.Close() })
	ca := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}))
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, []byte(ca), 0o600); err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		address string
		tls     *dockerengine.TLS
	}{
		"authority as text":       {"tcp://" + u.Host, &dockerengine.TLS{CA: ca}},
		"authority as file":       {"tcp://" + u.Host, &dockerengine.TLS{CA: file}},
		"https":                   {s.URL, &dockerengine.TLS{CA: ca}},
		"not verified, on demand": {"tcp://" + u.Host, &dockerengine.TLS{InsecureSkipVerify: true}},
	} {
		t.Run(name, func(t *testing.T) {
			follow(t, func(c *Config) { c.TLS = tt.tls }, tt.address).servers("web=http://10.0.0.3:80")
		})
	}
	w := follow(t, nil, s.URL) // nobody said whom to trust
	w.until("a problem", func(c *dynamic.Configuration) bool {
		return len(c.Problems) == 1 && strings.Contains(c.Problems[0].Reason, "certificate")
	})
}

func TestNew_NamesTheOptionThatIsWrong(t *testing.T) {
	tests := map[string]struct {
		change func(*Config)
		want   string
	}{
		"no endpoint":     {func(c *Config) { c.Endpoint = nil }, "endpoint: none is given"},
		"another scheme":  {func(c *Config) { c.Endpoint = []string{"ftp://x"} }, "endpoint ftp://x: use unix://, tcp://, http://, https:// or ssh://"},
		"no address":      {func(c *Config) { c.Endpoint = []string{"::"} }, "endpoint ::: "},
		"no authority":    {func(c *Config) { c.Endpoint, c.TLS = []string{"tcp://x:1"}, &dockerengine.TLS{CA: "/nowhere"} }, "endpoint tcp://x:1: tls: ca: open /nowhere"},
		"no certificates": {func(c *Config) { c.Endpoint, c.TLS = []string{"tcp://x:1"}, &dockerengine.TLS{CA: "-----BEGIN x"} }, "endpoint tcp://x:1: tls: ca: there is no certificate in it"},
		"half a pair":     {func(c *Config) { c.Endpoint, c.TLS = []string{"tcp://x:1"}, &dockerengine.TLS{Cert: "/nowhere"} }, "endpoint tcp://x:1: tls: cert: open /nowhere"},
		"rule template":   {func(c *Config) { c.DefaultRule = "{{" }, "defaultRule: "},
		"constraints":     {func(c *Config) { c.Constraints = "Label(" }, `constraints "Label(": offset 6: `},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := &Config{}
			c.SetDefaults()
			tt.change(c)
			_, err := c.New(logrus.New())
			if err == nil || !strings.HasPrefix(err.Error(), tt.want) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

func TestRun_PanicEndsTheProviderOnly(t *testing.T) {
	e := newEngine()
	c := &Config{}
	c.SetDefaults()
	c.Endpoint = []string{e.listen(t)}
	p, err := c.New(logrus.New())
	if err != nil {
		t.Fatal(err)
	}
	err = p.Run(t.Context(), func(*dynamic.Configuration) { panic("ouch") })
	if err == nil || err.Error() != "panic: ouch" {
		t.Errorf("got %v", err)
	}
}

// The gateway's own container has labels as well: for the dashboard, and middlewares
// that others use. Its health check has not passed when it starts, and it is told to
// stop while requests under way are still served.
func TestUnderstand_TheGatewayItselfIsAlwaysThere(t *testing.T) {
	for name, f := range map[string]facts{
		"starting":  {id: "self1", state: container.StateRunning, health: container.Starting},
		"unhealthy": {id: "self1", state: container.StateRunning, health: container.Unhealthy},
		"leaving":   {id: "self1", state: container.StateRunning},
	} {
		e := &endpoint{own: "self", config: &Config{}, leaving: map[string]time.Time{}}
		if name == "leaving" {
			e.leaving["self1"], e.leaving["other"] = time.Now(), time.Now()
		}
		if w := e.understand(f, known{}).workload; !w.Self || !w.Ready || !w.Running || w.Why != "" {
			t.Errorf("%s: got %+v", name, w)
		}
		f.id = "other"
		if w := e.understand(f, known{}).workload; w.Ready || w.Self {
			t.Errorf("%s, another container: got %+v", name, w)
		}
	}
}
