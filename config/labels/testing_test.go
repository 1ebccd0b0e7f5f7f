package labels

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"

	"fairway/config/dynamic"
)

// newDecoder makes a decoder with Traefik's defaults.
func newDecoder(tb testing.TB) *Decoder {
	tb.Helper()
	d, err := New(Options{Provider: "docker", ExposedByDefault: true})
	if err != nil {
		tb.Fatal(err)
	}
	return d
}

// workload makes a running container with one port.
func workload(name string, labels map[string]string) *Workload {
	return &Workload{
		ID: "id-" + name, Source: "container " + name, Name: name, Container: name, Labels: labels, Control: ReadControl(labels),
		Address: "10.0.0.1", Ports: []Port{{Number: 80}}, Running: true, Ready: true,
	}
}

// parseOptions reads "name=value" lines.
func parseOptions(tb testing.TB, text string) func(*Options) {
	tb.Helper()
	return func(o *Options) {
		for line := range strings.Lines(text) {
			name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
			switch name {
			case "":
			case "exposedByDefault":
				o.ExposedByDefault = value == "true"
			case "defaultRule":
				o.DefaultRule = value
			case "constraints":
				o.Constraints = value
			case "allowEmptyServices":
				o.AllowEmptyServices = value == "true"
			case "useBindPortIP":
				o.UseBindPortIP = value == "true"
			default:
				tb.Fatalf("unknown option %q", name)
			}
		}
	}
}

// parseWorkload reads a container of a golden file: facts as "name: value", an
// empty line, labels as "key=value". The first container is the oldest.
func parseWorkload(tb testing.TB, name, text string, age int) *Workload {
	tb.Helper()
	facts, labelText, _ := strings.Cut("\n"+text, "\n\n")
	labels := map[string]string{}
	for line := range strings.Lines(labelText) {
		if key, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "="); ok {
			labels[key] = value
		}
	}
	w := workload(name, labels)
	w.Address, w.Created = "10.0.0."+strconv.Itoa(age+1), time.Unix(int64(1000+age), 0)
	for line := range strings.Lines(facts) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		switch key {
		case "":
		case "self":
			w.Self = value == "true"
		case "id":
			w.ID = value
		case "service":
			w.Name = value
		case "group":
			w.Group = value
		case "address":
			w.Address = strings.TrimPrefix(value, "none")
		case "ports":
			w.Ports = parsePorts(tb, value)
		case "fairway itself":
			w.Self = true
		case "not ready":
			w.Ready, w.Why = false, value
		case "not running":
			w.Running, w.Ready, w.Why = false, false, value
		default:
			tb.Fatalf("unknown fact %q", key)
		}
	}
	return w
}

// parsePorts reads "80 8080>192.0.2.1:32768", or "none".
func parsePorts(tb testing.TB, text string) (ports []Port) {
	tb.Helper()
	for field := range strings.FieldsSeq(strings.TrimPrefix(text, "none")) {
		number, binding, bound := strings.Cut(field, ">")
		p := Port{}
		var err error
		if p.Number, err = strconv.Atoi(number); err != nil {
			tb.Fatal(err)
		}
		if bound {
			at := strings.LastIndexByte(binding, ':')
			p.HostIP = binding[:at]
			if p.HostPort, err = strconv.Atoi(binding[at+1:]); err != nil {
				tb.Fatal(err)
			}
		}
		ports = append(ports, p)
	}
	return ports
}

// printed is a configuration as text: one line per object, in order.
func printed(tb testing.TB, c *dynamic.Configuration) string {
	tb.Helper()
	var b strings.Builder
	printObjects(tb, &b, dynamic.KindRouter, c.HTTP.Routers)
	printObjects(tb, &b, dynamic.KindMiddleware, c.HTTP.Middlewares)
	printObjects(tb, &b, dynamic.KindService, c.HTTP.Services)
	printObjects(tb, &b, dynamic.KindTransport, c.HTTP.ServersTransports)
	printObjects(tb, &b, dynamic.KindConsumer, c.HTTP.Consumers)
	printObjects(tb, &b, dynamic.KindPlan, c.HTTP.Plans)
	if c.TCP != nil {
		printObjects(tb, &b, dynamic.KindTCPRouter, c.TCP.Routers)
		printObjects(tb, &b, dynamic.KindTCPMiddleware, c.TCP.Middlewares)
		printObjects(tb, &b, dynamic.KindTCPService, c.TCP.Services)
		printObjects(tb, &b, dynamic.KindTCPTransport, c.TCP.ServersTransports)
		printObjects(tb, &b, dynamic.KindUDPRouter, c.UDP.Routers)
		printObjects(tb, &b, dynamic.KindUDPService, c.UDP.Services)
	}
	if c.TLS != nil {
		printObjects(tb, &b, dynamic.KindTLSStore, c.TLS.Stores)
	}
	return b.String()
}

func printObjects[T any](tb testing.TB, b *strings.Builder, kind string, m map[string]*T) {
	tb.Helper()
	for _, name := range slices.Sorted(maps.Keys(m)) {
		var text bytes.Buffer
		e := json.NewEncoder(&text)
		e.SetEscapeHTML(false)
		if err := e.Encode(m[name]); err != nil {
			tb.Fatal(err)
		}
		fmt.Fprintf(b, "%s %s %s", kind, name, text.String())
	}
}

func printedProblems(problems []dynamic.Problem) string {
	var b strings.Builder
	for _, p := range problems {
		fmt.Fprintf(&b, "%s: %s", p.Severity, p)
		if p.Disables {
			fmt.Fprintf(&b, " [disables %s %s]", p.Kind, p.Name)
		}
		b.WriteString("\n")
	}
	return b.String()
}

// result is what a golden file should have as its results.
func result(tb testing.TB, ar *txtar.Archive) (configuration, problems string) {
	tb.Helper()
	var options string
	var all []*Workload
	for _, f := range ar.Files {
		switch name, isContainer := strings.CutPrefix(f.Name, "container "); {
		case f.Name == "options":
			options = string(f.Data)
		case isContainer:
			all = append(all, parseWorkload(tb, name, string(f.Data), len(all)))
		}
	}
	o := Options{Provider: "docker", ExposedByDefault: true}
	parseOptions(tb, options)(&o)
	d, err := New(o)
	if err != nil {
		return "", "refused: " + err.Error() + "\n"
	}
	c := d.Configuration(all)
	return printed(tb, c), printedProblems(c.Problems)
}
