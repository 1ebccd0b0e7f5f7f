package main

import (
	"reflect"
	"strings"

	"fairway/config"
)

// install prints the options of the program itself.
func (g *generator) install() error {
	v := reflect.ValueOf(config.Default()).Elem()
	sections, err := g.options(v)
	if err != nil {
		return err
	}
	about, err := g.comments.ofPackage(v.Type().PkgPath())
	if err != nil {
		return err
	}
	p := newPage("Install configuration")
	_, about, _ = strings.Cut(firstParagraph(about), ": ")
	p.line(prose(capital(about)))
	p.paragraphs(threeForms)
	p.code("sh", "fairway --providers.docker.exposedbydefault=false")
	p.code("sh", "FAIRWAY_PROVIDERS_DOCKER_EXPOSEDBYDEFAULT=false fairway")
	p.code("yaml", "# fairway.yml\nproviders:\n  docker:\n    exposedByDefault: false")
	p.paragraphs(sources)
	for _, section := range sections {
		g.installSection(p, section)
	}
	g.pages["install.md"] = p.bytes()
	return nil
}

const threeForms = "Each option can be given as a flag, in the environment and in a file. " +
	"The tables have the names as they stand in a file. A flag is the same name behind `--`, in upper or lower case; " +
	"a variable is `FAIRWAY_` and the name in capitals with `_` for each dot. These three say the same:"

const sources = "All three may be used together: a flag goes before a variable, and a variable before the file. " +
	"Variables that begin with `TRAEFIK_` are read too; of two that say the same the one of `FAIRWAY_` counts. " +
	"An option that does not exist ends the start with an error that names it, and the right name that is nearest; a variable that resembles no option is only warned about. " +
	"An option of Traefik's that fairway does not have yet is named in a warning.\n\n" +
	"Where a table says `NAME`, put a name of your choice; `[n]` is a number from 0."

// installSection prints one option of the top level. Kinds that are configured
// apart from each other, such as the providers, get a part of their own.
func (g *generator) installSection(p *page, section *option) {
	p.line("## " + section.Name)
	p.line(prose(section.meaning()))
	if len(section.Children) == 0 {
		return
	}
	prefix := section.Name + "."
	if section.Shape == mapping {
		prefix += "NAME."
	}
	isKind := func(o *option) bool { return o.object() && o.Type.Name() == "Config" }
	p.table(section.Children, prefix, nameOf, func(o *option) bool { return o.NoFile || isKind(o) })
	for _, kind := range section.Children {
		if !isKind(kind) {
			continue
		}
		p.line("### " + prefix + kind.Name)
		p.line(prose(kind.meaning()))
		if kind.AllowEmpty {
			p.linef("With every option at its default: `--%s%s=true`.", strings.ToLower(prefix), kind.LabelName)
		}
		p.table(kind.Children, prefix+kind.Name+".", nameOf, notInFiles)
	}
}
