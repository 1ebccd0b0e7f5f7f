package main

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"fairway/config/dynamic"
	"fairway/internal/consumers"
	"fairway/internal/plans"
	"fairway/proxy"
	"fairway/telemetry/accesslog"
	"fairway/telemetry/metrics"
	"fairway/telemetry/metrics/statsd"
	"fairway/tls/certs"
)

// routers prints the options of routers.
func (g *generator) routers() error {
	t := reflect.TypeFor[dynamic.Router]()
	options, err := g.options(fresh(t))
	if err != nil {
		return err
	}
	about, err := g.comments.ofType(t)
	if err != nil {
		return err
	}
	p := newPage("Routers")
	p.paragraphs(about)
	p.table(options, "", nameOf, all)
	p.line("As a label: `fairway.http.routers.NAME.<option>`, in upper or lower case. In a file:")
	p.code("yaml", "http:\n  routers:\n    shop:\n      rule: Host(`shop.example`) && PathPrefix(`/api`)\n"+
		"      entryPoints: [websecure]\n      middlewares: [strip-api]\n      service: shop\n      tls: {}")
	p.line("A router with `tls` answers what came over TLS, one without what came in plain text. " +
		"A router that names a middleware, service or entry point that does not exist, or whose rule cannot be read, " +
		"is disabled as a whole and shown with the reason.")
	g.pages["routers.md"] = p.bytes()
	return nil
}

// services prints the kinds of services.
func (g *generator) services() error {
	t := reflect.TypeFor[dynamic.Service]()
	kinds, err := g.options(fresh(t))
	if err != nil {
		return err
	}
	about, err := g.comments.ofType(t)
	if err != nil {
		return err
	}
	p := newPage("Services")
	p.paragraphs(about)
	var common []*option
	kinds = slices.DeleteFunc(kinds, func(o *option) bool {
		if !o.object() {
			common = append(common, o)
		}
		return !o.object()
	})
	p.line("## Options of every kind")
	p.table(common, "", nameOf, notInFiles)
	p.line("In a file these are below `http.services.NAME`.")
	for _, kind := range kinds {
		if err := g.service(p, kind); err != nil {
			return err
		}
	}
	if err := g.transports(p); err != nil {
		return err
	}
	g.pages["services.md"] = p.bytes()
	return nil
}

// tls prints what files may say of TLS.
func (g *generator) tls() error {
	p := newPage("TLS")
	p.line("How clients are answered by TLS is said in files of the file provider, below `tls`. Certificates that resolvers get are in the " +
		"[install configuration](install.md#certificatesresolvers); [the guide](../guides/https.md) shows how all of it works together.")
	for _, section := range []struct {
		title string
		t     reflect.Type
		below string
	}{
		{"certificates", reflect.TypeFor[certs.Certificate](), "a list, `tls.certificates`"},
		{"options", reflect.TypeFor[certs.Options](), "`tls.options.NAME`. A router names them as `tls.options`, those of another provider with it: `modern@file`"},
		{"stores", reflect.TypeFor[certs.Store](), "`tls.stores.default`. The resolver of the default certificate can be set by labels as well: `fairway.tls.stores.default.defaultgeneratedcert.resolver`"},
	} {
		options, err := g.options(fresh(section.t))
		if err != nil {
			return err
		}
		about, err := g.comments.ofType(section.t)
		if err != nil {
			return err
		}
		p.line("## " + section.title)
		p.paragraphs(about)
		p.table(options, "", nameOf, all)
		p.line("In a file these are below " + section.below + ".")
	}
	g.pages["tls.md"] = p.bytes()
	return nil
}

// telemetry prints the fields of the access log, and the metrics.
func (g *generator) telemetry() error {
	p := newPage("Telemetry")
	p.line("What is written for each request, and what is counted. The options are in the [install configuration](install.md#accesslog); " +
		"[the guide](../guides/observability.md) shows how to use them.")
	p.line("## Fields of the access log")
	p.WriteString("| Field | Meaning |\n|---|---|\n")
	for _, f := range accesslog.Fields() {
		fmt.Fprintf(p, "| `%s` | %s |\n", f.Name, cell(f.Text))
	}
	p.WriteString("\n")
	p.line("## Metrics")
	p.line("Names begin with `fairway_`, or with `traefik_` as `metrics.prometheus.prefix` or `metrics.otlp.prefix` says. Those of Go (`go_`) and of the process (`process_`) come beside them. " +
		"StatsD has names of its own, without labels: counters and sums of gauges over all of them, and of certificates the time of the first that runs out. Its durations are in milliseconds.")
	p.WriteString("| Metric | Labels | Meaning | StatsD |\n|---|---|---|---|\n")
	for _, m := range metrics.All() {
		fmt.Fprintf(p, "| `%s` | %s | %s | `%s` |\n", m.Name, strings.Join(m.Labels, ", "), cell(m.Help), statsd.Name(m.Name))
	}
	p.WriteString("\n")
	g.pages["telemetry.md"] = p.bytes()
	return nil
}

// transports prints the options of serversTransports behind the services.
func (g *generator) transports(p *page) error {
	t := reflect.TypeFor[proxy.ServersTransport]()
	options, err := g.options(fresh(t))
	if err != nil {
		return err
	}
	about, err := g.comments.ofType(t)
	if err != nil {
		return err
	}
	p.line("## serversTransports")
	p.paragraphs(about)
	p.table(options, "", nameOf, notInFiles)
	p.line("In a file these are below `http.serversTransports.NAME`, on a container below `fairway.http.serversTransports.NAME`; for all services " +
		"that name none, below `serversTransport` of the [install configuration](install.md).")
	return nil
}

// consumers prints what is known of those who use the services.
func (g *generator) consumers() error {
	t := reflect.TypeFor[consumers.Config]()
	options, err := g.options(fresh(t))
	if err != nil {
		return err
	}
	about, err := g.comments.ofType(t)
	if err != nil {
		return err
	}
	p := newPage("Consumers")
	p.paragraphs(about)
	p.line("Every middleware that asks who sends a request finds the consumer, if one is meant. [acl](middlewares/acl.md) decides by consumers and their groups, " +
		"limits count by them, and the access log and the metrics name them. [The guide](../guides/authentication.md) shows how all of it works together.")
	p.table(options, "", nameOf, all)
	p.line("As a label: `fairway.http.consumers.NAME.<option>`. In a file:")
	p.code("yaml", "http:\n  consumers:\n    ann:\n      apiKeys: [\"sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\"]\n"+
		"      groups: [staff]\n      plan: gold")
	p.line("A consumer of which an option was not understood, or that has a credential of another's, is not known at all, and shown with the reason.")
	g.pages["consumers.md"] = p.bytes()
	return nil
}

// plans prints what consumers can book.
func (g *generator) plans() error {
	t := reflect.TypeFor[plans.Config]()
	options, err := g.options(fresh(t))
	if err != nil {
		return err
	}
	about, err := g.comments.ofType(t)
	if err != nil {
		return err
	}
	p := newPage("Plans")
	p.paragraphs(about)
	p.line("[plan](middlewares/plan.md) applies the plan of the [consumer](consumers.md) who sends a request; [the guide](../guides/limits.md) shows how.")
	p.table(options, "", nameOf, all)
	p.line("As a label: `fairway.http.plans.NAME.<option>`. In a file:")
	p.code("yaml", "http:\n  plans:\n    gold:\n      rateLimit: {average: 10, burst: 20}\n      quota: {amount: 1000000, per: month}\n"+
		"  consumers:\n    ann:\n      plan: gold")
	p.line("A plan of which an option was not understood is none, and shown with the reason: requests of its consumers are refused.")
	g.pages["plans.md"] = p.bytes()
	return nil
}

func (g *generator) service(p *page, kind *option) error {
	about, err := g.comments.ofPackage(kind.Type.PkgPath())
	if err != nil {
		return err
	}
	p.line("## " + kind.Name)
	p.line(prose(firstParagraph(about)))
	p.table(kind.Children, "", nameOf, notInFiles)
	p.linef("In a file these are below `http.services.NAME.%s`.", kind.Name)
	if kind.NoLabel {
		p.line("It cannot be set by a label.")
	} else {
		p.line("On a container they are [written a little differently](labels.md#services).")
	}
	return nil
}

// labels prints what may stand in the labels of a container.
func (g *generator) labels() error {
	p := newPage("Labels")
	p.line("fairway reads the labels of a container that begin with `fairway.` or `traefik.`. Where a container says the same " +
		"option below both, the one below `fairway.` counts. Keys are read in upper and lower case alike.")
	p.line("## The container as a whole")
	p.WriteString("| Label | Type | Default | Meaning |\n|---|---|---|---|\n")
	for _, c := range controls {
		fmt.Fprintf(p, "| `%s` | %s | %s | %s |\n", c.key, c.typ, c.def, c.meaning)
	}
	p.WriteString("\n")
	p.line("## Values")
	p.paragraphs(grammar)
	for _, section := range []struct {
		title, prefix string
		t             reflect.Type
	}{
		{"Routers", "fairway.http.routers.NAME.", reflect.TypeFor[dynamic.Router]()},
		{"Services", "fairway.http.services.NAME.", reflect.TypeFor[dynamic.Service]()},
	} {
		options, err := g.options(fresh(section.t))
		if err != nil {
			return err
		}
		p.line("## " + section.title)
		p.table(options, section.prefix, labelName, notInLabels)
	}
	p.line("## Middlewares")
	p.line("`fairway.http.middlewares.NAME.<middleware>.<option>`; see [the middlewares](middlewares.md).")
	p.line("## What is filled in")
	p.paragraphs(derivation)
	g.pages["labels.md"] = p.bytes()
	return nil
}

// control is a label about the container itself. Their types are private to the
// decoding, so their words are here; a test holds the keys against it.
type control struct{ key, typ, def, meaning string }

var controls = []control{
	{"fairway.enable", "boolean", "`exposedByDefault` of the provider", "Whether the container is routed to. A value that is no boolean hides it, and is shown as a problem."},
	{"fairway.docker.network", "text", "`network` of the provider", "Name of the network by which the container is reached, with or without the project's name in front. Without any such name: a network that fairway itself is in, else the first by name."},
	{"fairway.swarm.network", "text", "`network` of the provider", "The same for the tasks of a Swarm service, with or without the name of the stack in front; `fairway.docker.network` is read as well."},
	{"fairway.swarm.lbswarm", "boolean", "`false`", "Sends requests to the virtual IP of a Swarm service, where Swarm chooses the task, and not to its tasks."},
	{"fairway.docker.allownonrunning", "boolean", "`false`", "Keeps the routes while the container does not run: clients get 503 instead of 404."},
}

const grammar = "Lists are separated by commas: `prefixes=/a,/b`. Lists of objects have an index: `domains[0].main=a.example`.\n\n" +
	"Booleans are `true`, `false`, `1`, `0`, `t` and `f`. Durations are a number with its unit, as in `10s`, `1m30s`, `500ms`; " +
	"a bare number means seconds.\n\n" +
	"An object all of whose options have defaults is switched on by `=true`.\n\n" +
	"In a compose file every `$` is written twice."

const derivation = "A container that declares no service gets one under its own name; with Compose that is `service-project`, with Swarm the name of the service. " +
	"Each service of a container has one server: the container. Its port is `server.port`, else the lowest port that the container exposes.\n\n" +
	"A container that declares no router gets one under its own name. A router without a rule gets the provider's `defaultRule`; " +
	"a router without a service gets the container's only one.\n\n" +
	"Containers of one project that declare the same service are its servers together, when all else that they say of it is equal. " +
	"Different objects of one name: that of the oldest container is used, and both containers are named in a problem.\n\n" +
	"A faulty label costs what it is about: a router or middleware is disabled and shown, a service goes on without the faulty option, " +
	"and all else of the container stays."
