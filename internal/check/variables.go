package check

import (
	"os"
	"regexp"
	"strings"

	"fairway/config/labels"
)

// variables are names of variables that a compose file uses and that have neither
// a value here nor a default.
type variables map[string]bool

func (v variables) add(names []string) {
	for _, name := range names {
		v[name] = true
	}
}

var variable = regexp.MustCompile(`\$\$|\$\{([A-Za-z_]\w*)(?:(:?[-?+])([^}]*))?\}|\$([A-Za-z_]\w*)`)

// interpolate fills in variables as Compose does. One that is not set and has no
// default becomes standIn, or its own name without one, and is returned.
func interpolate(s, standIn string) (text string, unset []string) {
	text = variable.ReplaceAllStringFunc(s, func(match string) string {
		if match == "$$" {
			return "$"
		}
		m := variable.FindStringSubmatch(match)
		name, operator, word := m[1]+m[4], m[2], m[3]
		value, set := os.LookupEnv(name)
		set = set && (value != "" || !strings.HasPrefix(operator, ":"))
		switch {
		case strings.HasSuffix(operator, "+") && set:
			return word
		case strings.HasSuffix(operator, "+"):
			return ""
		case set:
			return value
		case strings.HasSuffix(operator, "-"):
			return word
		}
		unset = append(unset, name)
		if standIn != "" {
			return standIn
		}
		return strings.ToLower(strings.ReplaceAll(name, "_", "-"))
	})
	return text, unset
}

func known(s string) string {
	text, _ := interpolate(s, "")
	return text
}

// standIns are values of every kind that options take.
var standIns = []string{
	"", "1", "true", "10s", "192.0.2.1", "/x", "http", "http://x.example", "Host(`x.example`)",
	"x:$apr1$H6uskkkW$IgXLP6ewTrSuBkTrqE8wj/",
}

// suppose gives the label key a value in place of variables that are not known:
// the first one of all kinds with which the fewest mistakes are found. If it is
// better without the label, it is taken away. So a mistake that is then left is one
// of the rest.
func suppose(all map[string]string, key, value string, build func(map[string]string) *labels.Workload) error {
	fewest, best := -1, ""
	try := func(text string) error {
		found, err := routes([]*labels.Workload{build(all)})
		count := len(found)
		for _, p := range found {
			if p.Key == key {
				count++ // worse than one of the rest, which it may hide
			}
		}
		if fewest < 0 || count < fewest {
			fewest, best = count, text
		}
		return err
	}
	for _, standIn := range standIns {
		text, _ := interpolate(value, standIn)
		all[key] = text
		if err := try(text); err != nil || fewest == 0 {
			return err
		}
	}
	delete(all, key)
	least := fewest
	if err := try(""); err != nil || fewest < least {
		return err
	}
	all[key] = best
	return nil
}
