package main

import (
	"fmt"
	"reflect"

	"fairway/config/dynamic"
)

// streams prints what may be said of TCP and UDP.
func (g *generator) streams() error {
	p := newPage("TCP and UDP")
	p.line("Connections that are no HTTP, and datagrams. [The guide](../guides/tcp-udp.md) shows how to use them, and in which order an entry point decides.")
	for _, section := range []struct {
		title, below, about string
		t                   reflect.Type
	}{
		{"Routers of TCP", "tcp.routers.NAME", "A router chooses connections by a rule and hands them through middlewares to a service.", objectsOf[dynamic.TCP]("Routers")},
		{"Services of TCP", "tcp.services.NAME", "A service answers connections. It has exactly one kind.", objectsOf[dynamic.TCP]("Services")},
		{"Middlewares of TCP", "tcp.middlewares.NAME", "A middleware stands in front of services. It has exactly one type.", objectsOf[dynamic.TCP]("Middlewares")},
		{"serversTransports of TCP", "tcp.serversTransports.NAME", "A serversTransport says how servers are reached.", objectsOf[dynamic.TCP]("ServersTransports")},
		{"Routers of UDP", "udp.routers.NAME", "A router hands the datagrams of entry points to a service.", objectsOf[dynamic.UDP]("Routers")},
		{"Services of UDP", "udp.services.NAME", "A service answers datagrams. It has exactly one kind.", objectsOf[dynamic.UDP]("Services")},
	} {
		options, err := g.options(fresh(section.t))
		if err != nil {
			return err
		}
		p.line("## " + section.title)
		p.line(section.about)
		p.table(options, "", nameOf, all)
		p.line(fmt.Sprintf("In a file these are below `%s`, on a container below `fairway.%s`.", section.below, section.below))
	}
	g.pages["streams.md"] = p.bytes()
	return nil
}

// objectsOf is the type of the objects in one of the maps of a configuration.
func objectsOf[T any](field string) reflect.Type {
	f, _ := reflect.TypeFor[T]().FieldByName(field)
	return f.Type.Elem().Elem()
}
