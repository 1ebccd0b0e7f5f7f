package main

import (
	"fmt"
	"strings"

	"fairway/internal/moving"
)

// traefik prints what becomes of each option of Traefik's.
func (g *generator) traefik() error {
	p := newPage("Options of Traefik")
	p.line("Every option in the reference of Traefik v3.6, and what becomes of it. *same* is read by fairway under the same name, as a flag, variable, label or in a file, and means the same; " +
		"where it does so in another way, [the guide to moving](../migrating-from-traefik.md) says how. What is *not supported* is named in a warning at the start or in the dashboard, never passed over in silence.")
	p.line("`fairway check --traefik FILE` says this of what you have, line by line.")
	var unsaid []string
	for _, section := range []struct {
		title string
		names []string
		of    func(string) (moving.Status, string)
	}{{"Install configuration", moving.Install(), moving.OfInstall}, {"Routing", moving.Routing(), moving.OfRouting}} {
		p.line("## " + section.title)
		p.WriteString("| Option | fairway | |\n|---|---|---|\n")
		for _, name := range section.names {
			status, note := section.of(name)
			if status == moving.NotSupported && note == "" {
				unsaid = append(unsaid, name)
			}
			fmt.Fprintf(p, "| `%s` | %s | %s |\n", name, status, cell(note))
		}
		p.WriteString("\n")
	}
	if len(unsaid) > 0 {
		return fmt.Errorf("options of Traefik are not read, and nothing says what to do instead: %s", strings.Join(unsaid, ", "))
	}
	g.pages["traefik.md"] = p.bytes()
	return nil
}
