package labels

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"fairway/config/dynamic"
)

var update = flag.Bool("update", false, "rewrite the results in testdata/*.txtar")

// TestExamples derives the configuration of the containers in each golden file.
func TestExamples(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no examples in testdata: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			ar, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			configuration, problems := result(t, ar)
			for range 5 { // whatever order maps are walked in
				if c, p := result(t, ar); c != configuration || p != problems {
					t.Fatalf("two runs differ:\n%s", cmp.Diff(configuration+problems, c+p))
				}
			}
			checkResult(t, ar, "configuration", configuration)
			checkResult(t, ar, "problems", problems)
			if *update {
				if err := os.WriteFile(file, txtar.Format(ar), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func checkResult(t *testing.T, ar *txtar.Archive, name, got string) {
	t.Helper()
	at := slices.IndexFunc(ar.Files, func(f txtar.File) bool { return f.Name == name })
	if at < 0 {
		ar.Files, at = append(ar.Files, txtar.File{Name: name}), len(ar.Files)
	}
	if diff := cmp.Diff(string(ar.Files[at].Data), got); diff != "" && !*update {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
	ar.Files[at].Data = []byte(got)
}

// many makes n containers as a large Compose installation has them.
func many(n int) []*Workload {
	all := make([]*Workload, n)
	for i := range all {
		name := fmt.Sprintf("app-%d", i)
		all[i] = workload(name, map[string]string{
			"traefik.enable":                                                   "true",
			"traefik.http.routers." + name + ".rule":                           "Host(`" + name + ".example.com`)",
			"traefik.http.routers." + name + ".middlewares":                    name + "-strip",
			"traefik.http.middlewares." + name + "-strip.stripprefix.prefixes": "/x",
			"traefik.http.services." + name + ".loadbalancer.server.port":      "8080",
		})
	}
	return all
}

func TestConfiguration_DecodesOnlyTheWorkloadThatChanged(t *testing.T) {
	all := many(10_000)
	d := newDecoder(t)
	before := d.Configuration(all)
	all = slices.Clone(all)
	all[5000] = workload("app-5000", map[string]string{"traefik.http.routers.app-5000.rule": "Host(`new.example.com`)"})
	after := d.Configuration(all)
	if got := changedObjects(before.HTTP.Routers, after.HTTP.Routers); !cmp.Equal(got, []string{"app-5000"}) {
		t.Errorf("routers that are new: %v", got)
	}
	if got := changedObjects(before.HTTP.Services, after.HTTP.Services); !cmp.Equal(got, []string{"app-5000"}) {
		t.Errorf("services that are new: %v", got)
	}
	if got := changedObjects(before.HTTP.Middlewares, after.HTTP.Middlewares); len(got) > 0 {
		t.Errorf("middlewares that are new: %v", got)
	}
}

// changedObjects returns the names whose objects are not the same pointers.
func changedObjects[T any](before, after map[string]*T) (names []string) {
	for name, v := range after {
		if before[name] != v {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func TestConfiguration_ForgetsWorkloadsThatAreGone(t *testing.T) {
	d := newDecoder(t)
	all := many(10)
	d.Configuration(all)
	if c := d.Configuration(all[:3]); len(c.HTTP.Routers) != 3 || len(d.known) != 3 {
		t.Errorf("got %d routers, %d remembered, want 3", len(c.HTTP.Routers), len(d.known))
	}
	if c := d.Configuration(nil); len(c.HTTP.Routers)+len(c.HTTP.Services)+len(c.HTTP.Middlewares) != 0 {
		t.Error("something is left of no workloads")
	}
}

// TestConfiguration_IsNeverChangedAfterwards scales a service up and looks at
// what was published before.
func TestConfiguration_IsNeverChangedAfterwards(t *testing.T) {
	labels := map[string]string{"traefik.http.routers.web.rule": "Host(`a`)", "traefik.http.services.web.loadbalancer.server.port": "80"}
	one, two, three := workload("web-1", labels), workload("web-2", labels), workload("web-3", labels)
	two.Address, three.Address = "10.0.0.2", "10.0.0.3"
	d := newDecoder(t)
	first := d.Configuration([]*Workload{one})
	second := d.Configuration([]*Workload{one, two})
	before := printed(t, first) + printed(t, second)
	d.Configuration([]*Workload{one, two, three})
	if diff := cmp.Diff(before, printed(t, first)+printed(t, second)); diff != "" {
		t.Errorf("an older configuration changed:\n%s", diff)
	}
	if got := len(second.HTTP.Services["web"].LoadBalancer.Servers); got != 2 {
		t.Errorf("got %d servers, want 2", got)
	}
}

func TestConfiguration_ProblemOfAnothersObjectDisablesNothing(t *testing.T) {
	older := workload("older", map[string]string{"traefik.http.routers.shared.rule": "Host(`a`)"})
	younger := workload("younger", map[string]string{"traefik.http.routers.shared.bogus": "x"})
	younger.Created = older.Created.Add(1)
	c := newDecoder(t).Configuration([]*Workload{younger, older})
	if got := c.HTTP.Routers["shared"].Rule; got != "Host(`a`)" {
		t.Errorf("got rule %s, want the older one", got)
	}
	for _, p := range c.Problems {
		if p.Disables {
			t.Errorf("disables: %s", p)
		}
	}
}

func BenchmarkConfiguration_OneChangeAmong10000(b *testing.B) {
	all := many(10_000)
	variants := [2]*Workload{workload("app-1", all[1].Labels), workload("app-1", map[string]string{"traefik.http.routers.app-1.rule": "Host(`b`)"})}
	d := newDecoder(b)
	d.Configuration(all)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		all[1] = variants[i%2]
		i++
		if c := d.Configuration(all); len(c.HTTP.Routers) != len(all) {
			b.Fatal("routers are missing")
		}
	}
}

func FuzzLabels(f *testing.F) {
	for _, seed := range []string{
		"traefik.enable=true\ntraefik.http.routers.a.rule=Host(`a`)",
		"fairway.http.routers.a.tls=true\nTRAEFIK.http.routers.a.tls.domains[0].main=x",
		"traefik.http.routers.a.tls.domains[0=x\ntraefik.http.routers.a]=b",
		"traefik.http.middlewares.m.headers.customrequestheaders.X-A.b=c",
		"traefik.http.services.s.loadbalancer.server.weight=99999999999999999999",
		"traefik.http..x=1\ntraefik.=\ntraefik=\n.=\n=",
		"traefik.http.services.s.loadbalancer.servers[0].url=http://x",
		"traefik.http.routers.bystander.bogus=1\ntraefik.http.services.bystander.loadbalancer.server.port=1",
		"traefik.http.middlewares.bystander.nosuch.x=1",
		"traefik.http=true\ntraefik.http.routers=true\ntraefik.http.routers.x=true",
		"traefik.http.routers.a@file.rule=x\ntraefik.docker.network.x=1",
		"traefik.http.routers.a.middlewares[1]=x\ntraefik.http.routers.a.middlewares[0]=y",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		labels := map[string]string{}
		for line := range strings.Lines(text) {
			key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
			labels[key] = value
		}
		bystander := workload("bystander", map[string]string{
			"traefik.http.routers.bystander.rule":                         "Host(`b`)",
			"traefik.http.routers.bystander.middlewares":                  "bystander",
			"traefik.http.middlewares.bystander.stripprefix.prefixes":     "/b",
			"traefik.http.services.bystander.loadbalancer.server.port":    "80",
			"traefik.http.services.bystander.loadbalancer.passhostheader": "true",
		})
		alone := newDecoder(t).Configuration([]*Workload{bystander})
		hostile := workload("hostile", labels)
		hostile.Created, hostile.Group = bystander.Created.Add(1), "other"
		d := newDecoder(t)
		c := d.Configuration([]*Workload{hostile, bystander})
		for name, r := range alone.HTTP.Routers {
			if !dynamic.Same(c.HTTP.Routers[name], r) {
				t.Errorf("the router %s of the other container changed", name)
			}
		}
		for name, s := range alone.HTTP.Services {
			if !dynamic.Same(c.HTTP.Services[name], s) {
				t.Errorf("the service %s of the other container changed", name)
			}
		}
		for name, m := range alone.HTTP.Middlewares {
			if !dynamic.Same(c.HTTP.Middlewares[name], m) {
				t.Errorf("the middleware %s of the other container changed", name)
			}
		}
		for _, p := range c.Problems {
			if p.Disables && p.Name == "bystander" {
				t.Errorf("an object of the other container is disabled: %s", p)
			}
		}
		if again := newDecoder(t).Configuration([]*Workload{bystander, hostile}); !dynamic.Equal(c, again) {
			t.Errorf("the result depends on the order: %s", cmp.Diff(printed(t, c)+printedProblems(c.Problems), printed(t, again)+printedProblems(again.Problems)))
		}
	})
}
