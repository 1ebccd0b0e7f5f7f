package examples

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"fairway/config"
	"fairway/config/dynamic"
	"fairway/config/labels"
	"fairway/internal/decode"
)

// compose is as much of a compose file as is looked at here.
type compose struct {
	Services map[string]service `yaml:"services"`
}

type service struct {
	Image       string            `yaml:"image"`
	Labels      pairs             `yaml:"labels"`
	Deploy      deploy            `yaml:"deploy"`
	Environment map[string]string `yaml:"environment"`
	Command     words             `yaml:"command"`
}

// deploy is what Swarm reads of a service; labels are those of the service there.
type deploy struct {
	Labels pairs `yaml:"labels"`
}

// words are a command, which may be one text.
type words []string

func (w *words) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		*w = strings.Fields(n.Value)
		return nil
	}
	return n.Decode((*[]string)(w))
}

// pairs are labels, which a compose file may have as a list or as a map. Compose
// makes one $ of two.
type pairs map[string]string

func (p *pairs) UnmarshalYAML(n *yaml.Node) error {
	*p = pairs{}
	if n.Kind == yaml.SequenceNode {
		var list []string
		if err := n.Decode(&list); err != nil {
			return err
		}
		for _, label := range list {
			key, value, _ := strings.Cut(label, "=")
			(*p)[key] = strings.ReplaceAll(value, "$$", "$")
		}
		return nil
	}
	m := map[string]string{}
	if err := n.Decode(&m); err != nil {
		return err
	}
	for key, value := range m {
		(*p)[key] = strings.ReplaceAll(value, "$$", "$")
	}
	return nil
}

func stacks(t *testing.T) map[string]compose {
	t.Helper()
	files, err := filepath.Glob("*/compose.yml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no compose files: %v", err)
	}
	all := map[string]compose{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		text = regexp.MustCompile(`\$\{\w+:-([^}]*)\}`).ReplaceAll(text, []byte("$1")) // variables by their defaults
		var c compose
		if err := yaml.Unmarshal(text, &c); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all[file] = c
	}
	return all
}

// routing is what a stack says of routing, in labels and in files, as one.
func routing(t *testing.T, file string, stack compose) *dynamic.HTTP {
	t.Helper()
	all := map[string]*dynamic.Configuration{"docker": ofLabels(t, file, stack)}
	for _, folder := range []string{"routes", "dynamic"} {
		names, err := filepath.Glob(filepath.Join(filepath.Dir(file), folder, "*.yml"))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			all["file"] = ofFile(t, name) // no example has several
		}
	}
	for provider, cfg := range all {
		all[provider] = cfg.Qualified(provider)
	}
	return dynamic.Merge(all).HTTP
}

// ofLabels decodes the labels of a stack as the Docker provider does.
func ofLabels(t *testing.T, file string, stack compose) *dynamic.Configuration {
	t.Helper()
	decoder, err := labels.New(labels.Options{Provider: "docker"})
	if err != nil {
		t.Fatal(err)
	}
	var workloads []*labels.Workload
	var declared int
	for i, name := range slices.Sorted(maps.Keys(stack.Services)) {
		all := stack.Services[name].Labels
		if of := stack.Services[name].Deploy.Labels; len(of) > 0 {
			all = of
		}
		if len(all) == 0 {
			continue // not routed to: every example says exposedByDefault=false
		}
		workloads = append(workloads, &labels.Workload{
			ID: name, Source: name, Name: name, Container: name, Group: filepath.Dir(file), Labels: all,
			Control: labels.ReadControl(all), Address: fmt.Sprintf("10.0.0.%d", i+1),
			Ports: []labels.Port{{Number: 80}}, Running: true, Ready: true,
		})
		declared += len(all)
	}
	cfg := decoder.Configuration(workloads)
	for _, p := range cfg.Problems {
		if p.Severity != dynamic.Notice {
			t.Error(p)
		}
	}
	if declared > 0 && len(cfg.HTTP.Routers) == 0 {
		t.Error("the labels make no router")
	}
	return cfg
}

// ofFile decodes a file of routes as the file provider does.
func ofFile(t *testing.T, file string) *dynamic.Configuration {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	tree, err := decode.Document(text, filepath.Ext(file))
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	var cfg dynamic.Configuration
	for _, fault := range tree.Into(&cfg, nil) {
		t.Errorf("%s: %v", file, fault)
	}
	return &cfg
}

// TestRouting_IsRight decodes labels and files, and looks for what they name.
func TestRouting_IsRight(t *testing.T) {
	for file, stack := range stacks(t) {
		t.Run(filepath.Dir(file), func(t *testing.T) { checkReferences(t, routing(t, file, stack)) })
	}
}

// checkReferences looks for the middlewares, services and transports that are named.
func checkReferences(t *testing.T, http *dynamic.HTTP) {
	t.Helper()
	middlewares := func(by, provider string, names []string) {
		for _, m := range names {
			if http.Middlewares[dynamic.Qualify(m, provider)] == nil {
				t.Errorf("%s: there is no middleware %q", by, m)
			}
		}
	}
	for name, r := range http.Routers {
		provider := dynamic.ProviderOf(name)
		if service := dynamic.Qualify(r.Service, provider); http.Services[service] == nil && dynamic.ProviderOf(service) != "internal" {
			t.Errorf("router %s: there is no service %q", name, r.Service)
		}
		middlewares("router "+name, provider, r.Middlewares)
	}
	for name, m := range http.Middlewares {
		if m.Chain != nil {
			middlewares("chain "+name, dynamic.ProviderOf(name), m.Chain.Middlewares)
		}
	}
	for name, s := range http.Services {
		if s.LoadBalancer == nil || s.LoadBalancer.ServersTransport == "" {
			continue
		}
		if http.ServersTransports[dynamic.Qualify(s.LoadBalancer.ServersTransport, dynamic.ProviderOf(name))] == nil {
			t.Errorf("service %s: there is no transport %q", name, s.LoadBalancer.ServersTransport)
		}
	}
}

// TestGateways_Start loads the install configuration that each stack gives to
// fairway.
func TestGateways_Start(t *testing.T) {
	for file, stack := range stacks(t) {
		gateway := gatewayOf(t, file, stack)
		var environ []string
		for name, value := range gateway.Environment {
			environ = append(environ, name+"="+value)
		}
		args := gateway.Command
		if mounted := filepath.Join(filepath.Dir(file), "traefik.yml"); exists(mounted) {
			args = append(args, "--configFile="+mounted)
		}
		loaded, err := config.Load(args, environ)
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		for _, warning := range loaded.Warnings {
			if !strings.Contains(warning, "that fairway does not have yet") {
				t.Errorf("%s: %s", file, warning)
			}
		}
		if loaded.EntryPoints["web"] == nil {
			t.Errorf("%s: there is no entry point web", file)
		}
		known := routing(t, file, stack).Middlewares
		for name, e := range loaded.EntryPoints {
			for _, m := range e.HTTP.Middlewares {
				if known[m] == nil {
					t.Errorf("%s: entry point %s: there is no middleware %q", file, name, m)
				}
			}
		}
	}
}

// gatewayOf finds fairway in a stack. Users of Traefik keep the name of the service.
func gatewayOf(t *testing.T, file string, stack compose) service {
	t.Helper()
	for _, s := range stack.Services {
		if s.Image == "fairway/fairway:latest" {
			return s
		}
	}
	t.Fatalf("%s: there is no fairway in it", file)
	return service{}
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

func TestExamples_AreExplained(t *testing.T) {
	for file := range stacks(t) {
		if _, err := os.Stat(filepath.Join(filepath.Dir(file), "README.md")); err != nil {
			t.Error(err)
		}
	}
}
