package check

import (
	"fmt"
	"maps"
	"os"
	"regexp"
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
	Labels labelsForm
	Ports  []yaml.Node
	Expose []string
	Deploy struct{ Labels labelsForm }
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

// Compose looks at the labels in a compose file.
func Compose(path string) ([]dynamic.Problem, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var c composeFile
	if err := yaml.Unmarshal(text, &c); err != nil {
		return nil, notCompose(path, err)
	}
	if len(c.Services) == 0 {
		return nil, notCompose(path, fmt.Errorf("it has no services"))
	}
	decoder, err := labels.New(labels.Options{Provider: "docker", ExposedByDefault: true})
	if err != nil {
		return nil, err
	}
	var workloads []*labels.Workload
	for _, name := range slices.Sorted(maps.Keys(c.Services)) {
		if s := c.Services[name]; hasOwnLabels(s.Labels) {
			workloads = append(workloads, workload(path, name, s))
		}
	}
	return problems(decoder.Configuration(workloads), "docker", nil), nil
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

func workload(path, name string, s composeService) *labels.Workload {
	all := make(map[string]string, len(s.Labels))
	for key, value := range s.Labels {
		all[interpolate(key)] = interpolate(value)
	}
	return &labels.Workload{
		ID: name, Source: path + ": service " + name, Name: name, Container: name, Labels: all,
		Control: labels.ReadControl(all), Address: "192.0.2.1", Ports: ports(s), Running: true, Ready: true,
	}
}

// ports are those that the file names. What an image exposes cannot be known
// here: without any, one port is taken to be there.
func ports(s composeService) []labels.Port {
	var found []labels.Port
	add := func(text string) {
		text, _, _ = strings.Cut(text, "/")
		text = text[strings.LastIndexByte(text, ':')+1:]
		first, _, _ := strings.Cut(text, "-")
		if n, err := strconv.Atoi(interpolate(first)); err == nil {
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

var variable = regexp.MustCompile(`\$\$|\$\{([A-Za-z_]\w*)(?::?[-?+]([^}]*))?\}|\$([A-Za-z_]\w*)`)

// interpolate fills in variables as Compose does. One that is not set and has no
// default gets its own name as value, so that the rest can be looked at.
func interpolate(s string) string {
	return variable.ReplaceAllStringFunc(s, func(match string) string {
		if match == "$$" {
			return "$"
		}
		m := variable.FindStringSubmatch(match)
		name := m[1] + m[3]
		if value, set := os.LookupEnv(name); set {
			return value
		}
		if m[2] != "" {
			return m[2]
		}
		return strings.ToLower(strings.ReplaceAll(name, "_", "-"))
	})
}

func standInMiddleware() *dynamic.Middleware {
	return &dynamic.Middleware{AddPrefix: &addprefix.Config{Prefix: "/"}}
}

func standInService() *dynamic.Service {
	return &dynamic.Service{LoadBalancer: &loadbalancer.Config{}}
}
