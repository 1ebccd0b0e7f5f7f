package labels

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"

	"fairway/config/dynamic"
	"fairway/internal/decode"
)

// Control is what the labels of a workload say to the provider: whether to show
// it, and where to reach it.
type Control struct {
	Enable          *bool  // nil: the provider's exposedByDefault
	Network         string // name of the network to reach the container by
	Canary          bool   // is a service of its own, beside the others of its name
	AllowNonRunning bool   // keep the routes while the container does not run
	LBSwarm         bool   // reach a service of a swarm by its virtual IP, not its tasks
	Problems        []dynamic.Problem
	labels          map[string]label
}

// controlKeys is the shape of the control labels.
type controlKeys struct {
	Enable        *string      `json:"enable"`
	Docker        *dockerWords `json:"docker"`
	Swarm         *dockerWords `json:"swarm"`
	ConsulCatalog *consulWords `json:"consulCatalog"`
}

type dockerWords struct {
	Network         string `json:"network"`
	AllowNonRunning bool   `json:"allowNonRunning"`
	LBSwarm         *bool  `json:"lbswarm"`
}

type consulWords struct {
	Connect bool `json:"connect"` // read by the provider, of all instances together
	Canary  bool `json:"canary"`
}

// ReadControl reads the control labels.
func ReadControl(all map[string]string) Control {
	found, problems := gather(all)
	c := Control{labels: found, Problems: append(problems, strays(found)...)}
	var keys controlKeys
	c.Problems = append(c.Problems, decodeSections(found, &keys, nil, "enable", "docker", "swarm", "consulcatalog")...)
	for _, words := range []*dockerWords{keys.Docker, keys.Swarm} { // the latter wins
		if words == nil {
			continue
		}
		c.AllowNonRunning = c.AllowNonRunning || words.AllowNonRunning
		c.Network = cmp.Or(words.Network, c.Network)
		if words.LBSwarm != nil {
			c.LBSwarm = *words.LBSwarm
		}
	}
	if keys.ConsulCatalog != nil {
		c.Canary = keys.ConsulCatalog.Canary
	}
	if keys.Enable != nil {
		c.Enable = c.enable(*keys.Enable)
	}
	return c
}

// enable reads the switch. What cannot be read hides the workload: showing one
// that was meant to be hidden is the worse mistake.
func (c *Control) enable(value string) *bool {
	on, err := strconv.ParseBool(value)
	if err != nil {
		key := ""
		for rest, l := range c.labels {
			if strings.EqualFold(rest, "enable") {
				key = l.key
			}
		}
		c.Problems = append(c.Problems, dynamic.Problem{
			Severity: dynamic.Error, Key: key,
			Reason: strconv.Quote(value) + " is neither true nor false; the container is not shown",
		})
	}
	return &on
}

// decodeSections decodes the labels of the named sections into element, and
// returns the faults as problems with the labels as they were written.
func decodeSections(found map[string]label, element any, later func(string) bool, names ...string) []dynamic.Problem {
	var problems []dynamic.Problem
	for _, f := range decodeFaults(found, element, later, names...) {
		p := (&dynamic.Configuration{}).Blame(f)
		inLabels(found, &p)
		problems = append(problems, p)
	}
	return problems
}

func decodeFaults(found map[string]label, element any, later func(string) bool, names ...string) []decode.Fault {
	keys := map[string]string{}
	for rest, l := range found {
		section, _, _ := strings.Cut(rest, ".")
		for _, name := range names {
			if strings.EqualFold(section, name) {
				keys[rest] = l.value
			}
		}
	}
	if len(keys) == 0 {
		return nil
	}
	tree, faults := decode.Keys(keys)
	return append(faults, tree.Into(element, later)...)
}

// begins tells whether a key is path, or lies below it.
func begins(key, path string) bool {
	if len(key) < len(path) || !strings.EqualFold(key[:len(path)], path) {
		return false
	}
	return len(key) == len(path) || key[len(path)] == '.' || key[len(path)] == '['
}

// inLabels puts the key of a problem, and the key that was meant, into the form
// in which the labels are written.
func inLabels(found map[string]label, p *dynamic.Problem) {
	for _, rest := range slices.Sorted(maps.Keys(found)) {
		l := found[rest]
		if begins(rest, p.Key) {
			p.Key = l.key[:len(l.key)-len(rest)+len(p.Key)]
			if p.Nearest != "" {
				p.Nearest = l.key[:len(l.key)-len(rest)] + p.Nearest
			}
			return
		}
	}
}
