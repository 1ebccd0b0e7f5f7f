package main

import (
	"fmt"
	"path/filepath"
	"reflect"
	"strings"

	"golang.org/x/tools/txtar"

	"fairway/config/dynamic"
)

// middlewares prints a page for each field of the catalog, and their index.
func (g *generator) middlewares() error {
	kinds, err := g.options(fresh(reflect.TypeFor[dynamic.Middleware]()))
	if err != nil {
		return err
	}
	index := newPage("Middlewares")
	intro, err := g.comments.ofType(reflect.TypeFor[dynamic.Middleware]())
	if err != nil {
		return err
	}
	index.paragraphs(intro)
	index.line("A middleware is declared once, under a name of your choice, and used by the routers that list it:")
	index.code("yaml", "labels:\n"+
		"  - fairway.http.middlewares.strip-api.stripprefix.prefixes=/api\n"+
		"  - fairway.http.routers.shop.middlewares=strip-api")
	index.WriteString("| Middleware | What it does |\n|---|---|\n")
	first := map[reflect.Type]*option{}
	for _, kind := range kinds {
		about, err := g.comments.ofPackage(kind.Type.PkgPath())
		if err != nil {
			return err
		}
		summary := prose(firstSentence(about))
		if twin := first[kind.Type]; twin != nil {
			summary = fmt.Sprintf("Deprecated name of [%s](middlewares/%s.md).", twin.Name, strings.ToLower(twin.Name))
			g.twinPage(kind, twin)
		} else {
			first[kind.Type] = kind
			if err := g.middlewarePage(kind, about); err != nil {
				return fmt.Errorf("middleware %s: %w", kind.Name, err)
			}
		}
		fmt.Fprintf(index, "| [%s](middlewares/%s.md) | %s |\n", kind.Name, strings.ToLower(kind.Name), cell(summary))
	}
	g.pages["middlewares.md"] = index.bytes()
	return nil
}

func middlewareFile(kind *option) string { return "middlewares/" + strings.ToLower(kind.Name) + ".md" }

func (g *generator) twinPage(kind, twin *option) {
	p := newPage(kind.Name)
	p.linef("**Deprecated.** Another name of [%s](%s.md), with the same options.", twin.Name, strings.ToLower(twin.Name))
	g.pages[middlewareFile(kind)] = p.bytes()
}

func (g *generator) middlewarePage(kind *option, about string) error {
	p := newPage(kind.Name)
	p.line(prose(firstParagraph(about)))
	p.line("## Options")
	prefix := "fairway.http.middlewares.NAME." + kind.LabelName
	if len(kind.Children) == 0 {
		p.linef("It has none: the label `%s=true` is enough.", prefix)
	} else {
		p.table(kind.Children, "", nameOf, all)
		p.linef("As a label: `%s.<option>`, in upper or lower case.", prefix)
		if kind.AllowEmpty {
			p.linef("With no option at all: `%s=true`.", prefix)
		}
	}
	if err := g.example(p, kind); err != nil {
		return err
	}
	g.pages[middlewareFile(kind)] = p.bytes()
	return nil
}

// example prints the documented example of a middleware. It is one of its tests:
// what it says is so.
func (g *generator) example(p *page, kind *option) error {
	dir := filepath.Join(g.root, filepath.FromSlash(strings.TrimPrefix(kind.Type.PkgPath(), modulePath)))
	ar, err := txtar.ParseFile(filepath.Join(dir, "testdata", "example.txtar"))
	if err != nil {
		return err
	}
	sections := map[string]string{}
	for _, f := range ar.Files {
		sections[f.Name] = string(f.Data)
	}
	p.line("## Example")
	p.paragraphs(string(ar.Comment))
	p.line("As labels of a container:")
	p.code("properties", sections["labels"])
	document, err := asYAML(sections["labels"])
	if err != nil {
		return fmt.Errorf("example: %w", err)
	}
	p.line("In a file:")
	p.code("yaml", document)
	for _, part := range []struct{ section, words string }{
		{"request", "A client sends:"},
		{"asked", "The other server is asked:"},
		{"service", "The service answers:"},
		{"upstream", "The service gets:"},
		{"response", "The client gets:"},
	} {
		text := strings.TrimSpace(sections[part.section])
		switch {
		case text == "none":
			p.line("The request does not reach the service.")
		case text != "":
			p.line(part.words)
			p.code("http", text)
		}
	}
	return nil
}
