package check

import (
	"maps"
	"path"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"fairway/config"
	"fairway/config/dynamic"
)

// isProxy tells whether an image is fairway or Traefik, and not one of the many
// that have the name for a part of theirs.
func isProxy(image string) bool {
	image, _, _ = strings.Cut(known(image), "@")
	name, _, _ := strings.Cut(path.Base(image), ":")
	name = strings.ToLower(name)
	return strings.HasSuffix(name, "fairway") || strings.HasSuffix(name, "traefik")
}

// options looks at the options that a service is started with. What has a variable
// in it that is not known is left out.
func options(source string, s composeService, unset variables) []dynamic.Problem {
	var args, environ []string
	partly := mountsOptions(&s.Volumes) || mountsOptions(&s.Configs)
	for _, word := range words(&s.Command) {
		arg, missing := interpolate(word, "")
		if unset.add(missing); len(missing) > 0 {
			partly = true
			continue
		}
		args = append(args, arg)
	}
	if len(args) > 0 && (args[0] == "fairway" || args[0] == "traefik") {
		args = args[1:]
	}
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		return nil // another program, or a command of its own
	}
	for _, entry := range variablesOf(&s.Environment) {
		name, _, _ := strings.Cut(strings.ToUpper(entry), "_")
		if name != "FAIRWAY" && name != "TRAEFIK" {
			continue
		}
		variable, missing := interpolate(entry, "")
		if unset.add(missing); len(missing) > 0 {
			partly = true
			continue
		}
		environ = append(environ, variable)
	}
	if partly { // what is missing is taken to be in a file there
		environ = append(environ, "TRAEFIK_CONFIGFILE=mounted")
	}
	loaded, err := config.LoadOptions(args, environ)
	return mistakes(loaded, err, source)
}

// words are the words of a command, which is a list or one line.
func words(y *yaml.Node) (list []string) {
	if y.Decode(&list) == nil {
		return list
	}
	var line string
	if y.Decode(&line) != nil {
		return nil
	}
	return split(line)
}

// split splits a line at blanks that are not in quotes.
func split(line string) (list []string) {
	var word strings.Builder
	quote, inside := rune(0), false
	for _, c := range line {
		switch {
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && (c == '"' || c == '\''):
			quote, inside = c, true
		case quote == 0 && strings.ContainsRune(" \t\n", c):
			if inside {
				list = append(list, word.String())
			}
			word.Reset()
			inside = false
		default:
			word.WriteRune(c)
			inside = true
		}
	}
	if inside {
		list = append(list, word.String())
	}
	return list
}

// variablesOf are the variables of an environment, a list or a mapping, that have
// a value there.
func variablesOf(y *yaml.Node) []string {
	var list []string
	if y.Decode(&list) == nil {
		return slices.DeleteFunc(list, func(entry string) bool { return !strings.Contains(entry, "=") })
	}
	var mapping map[string]*string
	if y.Decode(&mapping) != nil {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(mapping)) {
		if value := mapping[name]; value != nil {
			list = append(list, name+"="+*value)
		}
	}
	return list
}

// mountsOptions tells whether a file of options may be put into the container.
func mountsOptions(y *yaml.Node) bool {
	if y.Kind == yaml.AliasNode {
		return mountsOptions(y.Alias)
	}
	if y.Kind == yaml.ScalarNode {
		return strings.Contains(y.Value, "/etc/traefik") || strings.Contains(y.Value, "/etc/fairway") ||
			strings.Contains(y.Value, "traefik.") || strings.Contains(y.Value, "fairway.")
	}
	return slices.ContainsFunc(y.Content, mountsOptions)
}
