package config

import (
	"fmt"
	"strings"

	"fairway/internal/nearest"
)

const variablePrefix = "variable "

// environment is the options of variables, and the variable of each.
type environment struct {
	keys      map[string]string
	variables map[string]string
}

// readEnviron takes the options from FAIRWAY_... and TRAEFIK_... variables; the
// former win. Underscores separate: FAIRWAY_LOG_LEVEL is log.level.
func readEnviron(environ []string) environment {
	e := environment{keys: map[string]string{}, variables: map[string]string{}}
	for _, prefix := range []string{"TRAEFIK_", "FAIRWAY_"} {
		for _, variable := range environ {
			name, value, _ := strings.Cut(variable, "=")
			rest, ok := strings.CutPrefix(strings.ToUpper(name), prefix)
			if ok && !isServiceLink(rest, value) {
				key := strings.ReplaceAll(strings.ToLower(rest), "_", ".")
				e.keys[key], e.variables[key] = value, name
			}
		}
	}
	return e
}

func (e environment) source(key string) string {
	if name := e.variables[strings.ToLower(key)]; name != "" {
		return variablePrefix + name
	}
	return ""
}

// dropUnrelated leaves out variables that only happen to have the prefix, as
// TRAEFIK_VERSION does in many stacks. What looks like a mistyped option stays,
// and will be an error.
func (e environment) dropUnrelated() (warnings []string) {
	for _, key := range sortedKeys(e.keys) {
		section, rest, _ := strings.Cut(key, ".")
		if RootOption(section) || nearest.Typo(section, rootOptions()) != "" {
			continue
		}
		warning := fmt.Sprintf("variable %s is no option of fairway; it is ignored", e.variables[key])
		if near := nearest.Name(section, rootOptions()); near != "" && rest != "" {
			warning += fmt.Sprintf(" (did you mean %q?)", "FAIRWAY_"+strings.ToUpper(near+"_"+strings.ReplaceAll(rest, ".", "_")))
		}
		warnings = append(warnings, warning)
		delete(e.keys, key)
	}
	return warnings
}

// isServiceLink recognises variables that Docker and Kubernetes set for a
// neighbour that is called "fairway" or "traefik".
func isServiceLink(name, value string) bool {
	return name == "NAME" || strings.HasPrefix(name, "ENV_") ||
		strings.HasPrefix(name, "SERVICE_") || name == "PORT" || strings.HasPrefix(name, "PORT_") && value != ""
}
