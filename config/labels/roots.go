package labels

import (
	"maps"
	"slices"
	"strings"

	"fairway/config/dynamic"
	"fairway/internal/nearest"
)

// The label roots, the stronger one first.
var roots = [...]string{"fairway", "traefik"}

// label is one label below a root.
type label struct {
	key   string // as written, with its root
	value string
}

// gather takes the labels below the roots. The result goes by key without root,
// as first written; keys that differ only in case are one key. Where both roots
// have a key, the value below "fairway." stays.
func gather(all map[string]string) (map[string]label, []dynamic.Problem) {
	found := map[string]label{}
	spelling := map[string]string{} // lower case -> as in found
	var problems []dynamic.Problem
	for _, root := range roots {
		for _, key := range slices.Sorted(maps.Keys(all)) {
			rest, ok := belowRoot(key, root)
			if !ok {
				continue
			}
			if key[:len(root)] != root {
				problems = append(problems, dynamic.Problem{
					Severity: dynamic.Warning, Key: key,
					Reason: "is read, but its root should be in lower case", Nearest: root + key[len(root):],
				})
			}
			name, taken := spelling[strings.ToLower(rest)]
			if !taken {
				spelling[strings.ToLower(rest)] = rest
				found[rest] = label{key: key, value: all[key]}
				continue
			}
			problems = append(problems, dynamic.Problem{
				Severity: dynamic.Notice, Key: key,
				Reason: "is not used: " + found[name].key + " says the same option, and wins",
			})
		}
	}
	return found, problems
}

func belowRoot(key, root string) (rest string, ok bool) {
	if len(key) <= len(root) || key[len(root)] != '.' || !strings.EqualFold(key[:len(root)], root) {
		return "", false
	}
	return key[len(root)+1:], true
}

// sections are the names that may follow the root.
var sections = []string{"enable", "docker", "swarm", "consulcatalog", "http", "tcp", "udp", "tls"}

// firstGeneration are sections of labels that Traefik gave up with its second
// version.
var firstGeneration = []string{"frontend", "backend", "port", "protocol", "weight", "domain"}

// strays reports labels below no known section.
func strays(found map[string]label) (problems []dynamic.Problem) {
	for _, rest := range slices.Sorted(maps.Keys(found)) {
		section, _, _ := strings.Cut(rest, ".")
		if slices.ContainsFunc(sections, func(s string) bool { return strings.EqualFold(s, section) }) {
			continue
		}
		p := dynamic.Problem{Severity: dynamic.Notice, Key: found[rest].key, Reason: "is not used: there is no section " + section}
		if slices.Contains(firstGeneration, strings.ToLower(section)) {
			p.Severity, p.Reason = dynamic.Warning, "is not used: it is a label of Traefik 1; version 2 and later, and fairway, use http.routers and http.services"
		} else if near := nearest.Name(section, sections); near != "" {
			p.Severity, p.Nearest = dynamic.Warning, found[rest].key[:len(found[rest].key)-len(rest)]+near+rest[len(section):]
		}
		problems = append(problems, p)
	}
	return problems
}
