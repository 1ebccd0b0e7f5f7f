package check

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"fairway/config/dynamic"
	"fairway/config/labels"
	"fairway/middlewares/addprefix"
	"fairway/proxy/loadbalancer"
)

// composeFile is what matters here of a compose file.
type composeFile struct {
	Name     string
	Services map[string]composeService
}

type composeService struct {
	Image       string
	Labels      labelsForm
	Deploy      struct{ Labels labelsForm } // of the service, as Swarm knows them
	Command     yaml.Node
	Environment yaml.Node
	Volumes     yaml.Node
	Configs     yaml.Node
	Ports       []yaml.Node
	Expose      []string
}

// labelsForm are labels in either of the two forms that compose files know.
type labelsForm map[string]string

// UnmarshalYAML implements yaml.Unmarshaler.
func (l *labelsForm) UnmarshalYAML(node *yaml.Node) error {
	*l = labelsForm{}
	if node.Kind == yaml.MappingNode {
		plain := map[string]string{}
		if err := node.Decode(&plain); err != nil {
			return err
		}
		maps.Copy(*l, plain)
		return nil
	}
	var list []string
	if err := node.Decode(&list); err != nil {
		return err
	}
	for _, entry := range list {
		key, value, _ := strings.Cut(entry, "=")
		(*l)[key] = value
	}
	return nil
}

// isCompose tells a compose file by its services.
func isCompose(path string) bool {
	if ext := strings.ToLower(filepath.Ext(path)); ext != ".yml" && ext != ".yaml" {
		return false
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return false
	}
	var c struct {
		Services map[string]map[string]yaml.Node
	}
	if yaml.Unmarshal(text, &c) != nil {
		return false
	}
	for _, s := range c.Services {
		for _, key := range []string{"image", "build", "labels"} {
			if _, ok := s[key]; ok {
				return true
			}
		}
	}
	return false
}

// Compose looks at the labels in a compose file, and at the options that it gives
// to fairway or Traefik.
func Compose(path string) ([]dynamic.Problem, error) {
	workloads, found, unset, err := readCompose(path)
	if err != nil {
		return nil, err
	}
	routing, err := routes(workloads)
	if err != nil {
		return nil, err
	}
	found = append(found, routing...)
	for _, name := range slices.Sorted(maps.Keys(unset)) {
		found = append(found, dynamic.Problem{
			Severity: dynamic.Notice, Source: path,
			Reason: "the variable " + name + " is not set and has no default: what it stands for is not judged",
		})
	}
	return found, nil
}

// readCompose returns what has labels of its own in a compose file, what is wrong with the
// options that it gives to fairway or Traefik, and the variables without a value.
func readCompose(path string) (workloads []*labels.Workload, found []dynamic.Problem, unset variables, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, nil, err
	}
	var c composeFile
	if err := yaml.Unmarshal(text, &c); err != nil {
		return nil, nil, nil, notCompose(path, err)
	}
	if len(c.Services) == 0 {
		return nil, nil, nil, notCompose(path, fmt.Errorf("it has no services"))
	}
	unset = variables{}
	for _, name := range slices.Sorted(maps.Keys(c.Services)) {
		s := c.Services[name]
		if isProxy(s.Image) {
			found = append(found, options(path+": service "+name, s, unset)...)
		}
		if hasOwnLabels(s.Deploy.Labels) {
			s.Labels = s.Deploy.Labels
		}
		if hasOwnLabels(s.Labels) {
			w, err := workload(path, name, s, unset)
			if err != nil {
				return nil, nil, nil, err
			}
			workloads = append(workloads, w)
		}
	}
	return workloads, found, unset, nil
}

// routes are the problems of the routes that workloads ask for.
func routes(workloads []*labels.Workload) ([]dynamic.Problem, error) {
	cfg, err := labelled(workloads)
	if err != nil {
		return nil, err
	}
	return problems(cfg, "docker", nil, nil), nil
}

// labelled is the configuration that workloads ask for.
func labelled(workloads []*labels.Workload) (*dynamic.Configuration, error) {
	decoder, err := labels.New(labels.Options{Provider: "docker", ExposedByDefault: true})
	if err != nil {
		return nil, err
	}
	return decoder.Configuration(workloads), nil
}

// hasOwnLabels leaves services alone that say nothing of routing: whether they
// are shown at all depends on the provider's options.
func hasOwnLabels(l labelsForm) bool {
	for key := range l {
		root, _, _ := strings.Cut(strings.ToLower(key), ".")
		if root == "fairway" || root == "traefik" {
			return true
		}
	}
	return false
}

func workload(path, name string, s composeService, unset variables) (*labels.Workload, error) {
	all, open := map[string]string{}, map[string]string{}
	for written, value := range s.Labels {
		key := known(written)
		text, missing := interpolate(value, "")
		all[key] = text
		if unset.add(missing); len(missing) > 0 {
			open[key] = value
		}
	}
	build := func(all map[string]string) *labels.Workload {
		return &labels.Workload{
			ID: name, Source: path + ": service " + name, Name: name, Container: name, Labels: all,
			Control: labels.ReadControl(all), Address: "192.0.2.1", Ports: ports(s), Running: true, Ready: true,
		}
	}
	for _, key := range slices.Sorted(maps.Keys(open)) {
		if err := suppose(all, key, open[key], build); err != nil {
			return nil, err
		}
	}
	return build(all), nil
}

// ports are those that the file names. What an image exposes cannot be known
// here: without any, one port is taken to be there.
func ports(s composeService) []labels.Port {
	var found []labels.Port
	add := func(text string) {
		text, _, _ = strings.Cut(text, "/")
		text = text[strings.LastIndexByte(text, ':')+1:]
		first, _, _ := strings.Cut(text, "-")
		if n, err := strconv.Atoi(known(first)); err == nil {
			found = append(found, labels.Port{Number: n})
		}
	}
	for _, node := range s.Ports {
		var long struct{ Target string }
		if node.Kind == yaml.ScalarNode {
			add(node.Value)
		} else if node.Decode(&long) == nil {
			add(long.Target)
		}
	}
	for _, e := range s.Expose {
		add(e)
	}
	if len(found) == 0 {
		found = []labels.Port{{Number: 80}}
	}
	return found
}

func standInMiddleware() *dynamic.Middleware {
	return &dynamic.Middleware{AddPrefix: &addprefix.Config{Prefix: "/"}}
}

func standInService() *dynamic.Service {
	return &dynamic.Service{LoadBalancer: &loadbalancer.Config{}}
}
