package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"fairway/internal/decode"
)

// Loaded is a configuration with the story of how it came about.
type Loaded struct {
	*Configuration
	File     string   // the file that was read; empty when none was
	Warnings []string // to be logged once, at start
	Implied  []string // entry points that nobody asked for
	Nothing  bool     // nothing at all was configured
}

// Load reads the configuration from a file, the environment and flags. They are
// laid over each other in this order and decoded once. Its errors name every
// option that is wrong; each is a decode.Fault where it is about one option. With
// them comes what could be read, or nil.
func Load(args, environ []string) (*Loaded, error) { return combine(args, environ, true) }

// LoadOptions is Load without any file: for flags and variables that are meant for
// another machine. When they name a file there, nothing is said about what only
// all options together can tell.
func LoadOptions(args, environ []string) (*Loaded, error) { return combine(args, environ, false) }

func combine(args, environ []string, withFile bool) (*Loaded, error) {
	flags, file, err := readFlags(args)
	if err != nil {
		return nil, err
	}
	env := readEnviron(environ)
	if file == "" {
		file = env.keys["configfile"]
	}
	delete(env.keys, "configfile")
	l := &Loaded{Configuration: &Configuration{}, Warnings: env.dropUnrelated()}
	l.Nothing = len(flags) == 0 && len(env.keys) == 0
	var tree decode.Tree
	if withFile {
		if tree, err = l.readFile(file); err != nil {
			return nil, err
		}
	}
	under, faults := decode.KeysFrom(env.keys, env.source)
	over, more := decode.KeysFrom(flags, flagSource(flags))
	tree = tree.Merge(under).Merge(over)
	places := tree.Places()
	faults = append(faults, more...)
	faults = l.judge(append(faults, tree.Into(l.Configuration, traefikOption)...), places)
	l.Implied = l.complete()
	l.Warnings = append(l.Warnings, l.advice()...)
	if withFile || file == "" {
		faults = append(faults, located(l.validate(faults), places)...)
	}
	for i := range faults {
		l.place(&faults[i])
	}
	return l, decode.Join(faults)
}

// judge sorts the faults: options to come become warnings, the rest is returned.
func (l *Loaded) judge(faults []decode.Fault, places func(string) (string, int)) (wrong []decode.Fault) {
	hinted := map[string]bool{}
	for _, f := range faults {
		if path, hint := hintFor(f.Path); hint != "" && f.Kind != decode.BadValue {
			if hinted[strings.ToLower(path)] {
				continue
			}
			hinted[strings.ToLower(path)] = true
			f.Reason, f.Nearest = hint, ""
			if f.Source == "" && path != f.Path {
				_, f.Line = places(path)
				f.Path = path
			}
		}
		switch f.Kind {
		case decode.NotYet:
			l.Warnings = append(l.Warnings, fmt.Sprintf("option %s %s; it is ignored", f.Path, f.Reason))
			continue
		case decode.Deprecated:
			l.Warnings = append(l.Warnings, fmt.Sprintf("option %s %s", f.Path, f.Reason))
			continue
		}
		wrong = append(wrong, f)
	}
	return wrong
}

// located adds where the options of faults were written.
func located(faults []decode.Fault, places func(string) (string, int)) []decode.Fault {
	for i := range faults {
		faults[i].Source, faults[i].Line = places(faults[i].Path)
	}
	return faults
}

// place makes a fault say where it was written, and name the option that was meant
// in the same form.
func (l *Loaded) place(f *decode.Fault) {
	switch {
	case strings.HasPrefix(f.Source, flagPrefix):
		f.Nearest = formed(f.Nearest, "--", f.Nearest)
	case strings.HasPrefix(f.Source, variablePrefix):
		f.Nearest = formed(f.Nearest, "FAIRWAY_", strings.ToUpper(strings.ReplaceAll(f.Nearest, ".", "_")))
	case f.Source != "":
	case f.Line > 0:
		f.Source = l.File
	default:
		f.Source = "option " + f.Path
	}
}

func formed(name, prefix, form string) string {
	if name == "" {
		return ""
	}
	return prefix + form
}

// readFile reads the configuration file: the one named, else the first in the
// usual places, else none.
func (l *Loaded) readFile(name string) (decode.Tree, error) {
	l.File = name
	if name == "" {
		l.File = findFile()
	}
	if l.File == "" {
		return decode.Tree{}, nil
	}
	text, err := os.ReadFile(l.File)
	if err != nil {
		return decode.Tree{}, fmt.Errorf("read the configuration file: %w", err)
	}
	l.Nothing = false
	tree, err := decode.Document(text, filepath.Ext(l.File))
	if err != nil {
		return decode.Tree{}, fmt.Errorf("read the configuration file %s: %w", l.File, err)
	}
	return tree, nil
}

// findFile looks through the usual places, fairway's own before Traefik's.
func findFile() string {
	home, _ := os.UserHomeDir()
	settings := os.Getenv("XDG_CONFIG_HOME")
	if settings == "" && home != "" {
		settings = filepath.Join(home, ".config")
	}
	for _, product := range []string{"fairway", "traefik"} {
		for _, dir := range []string{"/etc/" + product, settings, "."} {
			for _, ext := range []string{".toml", ".yaml", ".yml"} {
				path := filepath.Join(dir, product+ext)
				if info, err := os.Stat(path); dir != "" && err == nil && info.Mode().IsRegular() {
					return path
				}
			}
		}
	}
	return ""
}
