package examples

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
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
	Services map[string]struct {
		Image       string            `yaml:"image"`
		Labels      pairs             `yaml:"labels"`
		Environment map[string]string `yaml:"environment"`
		Command     []string          `yaml:"command"`
	} `yaml:"services"`
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
		var c compose
		if err := yaml.Unmarshal(text, &c); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all[file] = c
	}
	return all
}

// TestLabels_AreRight decodes the labels of each stack as the Docker provider does.
func TestLabels_AreRight(t *testing.T) {
	for file, stack := range stacks(t) {
		t.Run(filepath.Dir(file), func(t *testing.T) {
			decoder, err := labels.New(labels.Options{Provider: "docker"})
			if err != nil {
				t.Fatal(err)
			}
			var workloads []*labels.Workload
			var declared int
			for i, name := range slices.Sorted(maps.Keys(stack.Services)) {
				all := stack.Services[name].Labels
				workloads = append(workloads, &labels.Workload{
					ID: name, Source: name, Name: name, Container: name, Group: filepath.Dir(file), Labels: all,
					Control: labels.ReadControl(all), Address: fmt.Sprintf("10.0.0.%d", i+1),
					Ports: []labels.Port{{Number: 80}}, Running: true, Ready: true,
				})
				declared += len(all)
			}
			cfg := decoder.Configuration(workloads)
			for _, p := range cfg.Problems {
				t.Error(p)
			}
			if declared > 0 && len(cfg.HTTP.Routers) == 0 {
				t.Error("the labels make no router")
			}
			checkReferences(t, cfg.HTTP)
		})
	}
}

// TestFiles_AreRight decodes the routes of the file provider's example.
func TestFiles_AreRight(t *testing.T) {
	files, err := filepath.Glob("file-provider/routes/*.yml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	for _, file := range files {
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
		checkReferences(t, cfg.HTTP)
	}
}

// checkReferences looks for the middlewares and services that routers name.
func checkReferences(t *testing.T, http *dynamic.HTTP) {
	t.Helper()
	for name, r := range http.Routers {
		if http.Services[r.Service] == nil {
			t.Errorf("router %s: there is no service %q", name, r.Service)
		}
		for _, m := range r.Middlewares {
			if http.Middlewares[m] == nil {
				t.Errorf("router %s: there is no middleware %q", name, m)
			}
		}
	}
}

// TestGateways_Start loads the install configuration that each stack gives to
// fairway.
func TestGateways_Start(t *testing.T) {
	for file, stack := range stacks(t) {
		gateway := stack.Services["fairway"]
		if gateway.Image != "fairway/fairway:latest" {
			t.Errorf("%s: there is no fairway in it, but %q", file, gateway.Image)
		}
		var environ []string
		for name, value := range gateway.Environment {
			environ = append(environ, name+"="+value)
		}
		loaded, err := config.Load(gateway.Command, environ)
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		for _, warning := range loaded.Warnings {
			t.Errorf("%s: %s", file, warning)
		}
		if loaded.EntryPoints["web"] == nil {
			t.Errorf("%s: there is no entry point web", file)
		}
	}
}

func TestExamples_AreExplained(t *testing.T) {
	for file := range stacks(t) {
		if _, err := os.Stat(filepath.Join(filepath.Dir(file), "README.md")); err != nil {
			t.Error(err)
		}
	}
}
