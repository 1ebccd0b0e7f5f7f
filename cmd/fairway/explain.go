package main

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"fairway/config/dynamic"
	"fairway/dashboard"
	"fairway/internal/check"
	"fairway/router/rule"
)

const explainUsage = `fairway explain --url URL [options] [FILE|DIR]

Tells which router gets a request, what it passes on its way, and why other routers do not
get it. Nothing is sent to any server. Without FILE or DIR a running fairway is asked; FILE may
be a file of routes, an install configuration, or a compose file.

`

// asked are the options of fairway explain.
type asked struct {
	dashboard.Question
	api      string
	insecure bool
	json     bool
}

type lines []string

func (l *lines) String() string     { return strings.Join(*l, ", ") }
func (l *lines) Set(s string) error { *l = append(*l, s); return nil }

func (a *asked) parse(args []string) (paths []string, err error) {
	flags := flag.NewFlagSet("explain", flag.ContinueOnError)
	flags.Usage = func() {
		fmt.Fprint(flags.Output(), explainUsage)
		flags.PrintDefaults()
	}
	flags.StringVar(&a.URL, "url", "", "`URL` of the request")
	flags.StringVar(&a.Method, "method", "GET", "`method` of the request")
	flags.Var((*lines)(&a.Headers), "header", "a header, as \"`Name: value`\"; may be repeated")
	flags.StringVar(&a.Client, "client", "", "`address` of the client (default 127.0.0.1)")
	flags.StringVar(&a.EntryPoint, "entrypoint", "", "`name` of the entry point (default: by the port of the URL)")
	flags.StringVar(&a.api, "api", "http://127.0.0.1:8080", "`URL` of the API of a running fairway")
	flags.BoolVar(&a.insecure, "insecure", false, "take every certificate of the API for good")
	flags.BoolVar(&a.json, "json", false, "print JSON")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	if a.URL == "" {
		return nil, errors.New("say by --url which request to explain")
	}
	if flags.NArg() > 1 {
		return nil, errors.New("only one FILE or DIR can be looked at")
	}
	return flags.Args(), nil
}

// runExplain prints what would become of a request. It returns 1 when no router gets it,
// and 2 when it cannot be told.
func runExplain(args []string, out io.Writer) int {
	var a asked
	paths, err := a.parse(args)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	var e dashboard.Explained
	switch {
	case err != nil:
	case len(paths) == 1:
		e, err = a.file(paths[0])
	default:
		e, err = a.running()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "fairway explain:", err)
		return 2
	}
	if a.json {
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		_ = encoder.Encode(e)
	} else {
		printExplained(out, e)
	}
	if e.Winner == nil {
		return 1
	}
	return 0
}

// file asks a configuration that is not running.
func (a *asked) file(path string) (dashboard.Explained, error) {
	table, points, err := check.Table(path)
	if err != nil {
		return dashboard.Explained{}, err
	}
	defer table.Retire()
	r, err := a.Request()
	if err != nil {
		return dashboard.Explained{}, err
	}
	name := a.EntryPoint
	switch {
	case name == "":
		name = dashboard.EntryPointFor(a.URL, points, table, r)
	case points[name] == nil:
		return dashboard.Explained{}, fmt.Errorf("there is no entry point %q, only %s", name, strings.Join(slices.Sorted(maps.Keys(points)), ", "))
	}
	e := dashboard.Explain(table, name, r, a.Question)
	onlyWritten(e.Winner)
	return e, nil
}

// onlyWritten takes away what a configuration that is not running does not tell: which
// servers are up, and of which type the objects of other providers are.
func onlyWritten(c *dashboard.Considered) {
	if c == nil {
		return
	}
	c.Servers = nil
	provider := dynamic.ProviderOf(c.Router)
	assumed(c.Middlewares, provider)
	onlyWrittenOf(c.Service, provider)
}

func onlyWrittenOf(p *dashboard.Pool, provider string) {
	p.Servers = nil
	assumed(p.Middlewares, provider)
	if dynamic.ProviderOf(p.Name) != provider {
		p.Type, p.Status = "", ""
	}
	for i := range p.Parts {
		onlyWrittenOf(&p.Parts[i], provider)
	}
}

// assumed takes away the type of what another provider has: something stands in for it.
func assumed(steps []dashboard.Step, provider string) {
	for i := range steps {
		if dynamic.ProviderOf(steps[i].Name) != provider {
			steps[i].Type, steps[i].Status = "", ""
		}
	}
}

// running asks the API of a running fairway.
func (a *asked) running() (e dashboard.Explained, err error) {
	query := url.Values{"url": {a.URL}, "method": {a.Method}, "header": a.Headers}
	for name, value := range map[string]string{"client": a.Client, "entryPoint": a.EntryPoint} {
		if value != "" {
			query.Set(name, value)
		}
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: a.insecure, MinVersion: tls.VersionTLS12}} //nolint:gosec // as the operator asks
	client := http.Client{Timeout: 10 * time.Second, Transport: transport}
	res, err := client.Get(strings.TrimSuffix(a.api, "/") + "/api/explain?" + query.Encode())
	if err != nil {
		return e, fmt.Errorf("ask the API: %w; is there a fairway with --api.insecure, or should --api name it?", err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(res.Body, 16<<20))
	if err != nil {
		return e, fmt.Errorf("read the answer of the API: %w", err)
	}
	if res.StatusCode != http.StatusOK {
		var said struct{ Message string }
		if json.Unmarshal(text, &said) != nil || said.Message == "" {
			said.Message = res.Status
		}
		return e, errors.New(said.Message)
	}
	if err := json.Unmarshal(text, &e); err != nil {
		return e, fmt.Errorf("read the answer of the API: %w", err)
	}
	return e, nil
}

func printExplained(out io.Writer, e dashboard.Explained) {
	p := func(format string, args ...any) { _, _ = fmt.Fprintf(out, format+"\n", args...) }
	p("%s %s at the entry point %s", e.Method, e.URL, e.EntryPoint)
	switch {
	case e.Refused != "":
		p("  is refused there: %s", e.Refused)
	case e.Winner == nil:
		p("  no router gets it: the answer is 404")
	default:
		printWinner(p, e.Winner)
	}
	for _, group := range []struct {
		title string
		all   []dashboard.Considered
	}{{"These match as well:", e.Lost}, {"These nearly match:", e.Near}} {
		if len(group.all) == 0 {
			continue
		}
		p("%s", group.title)
		for _, c := range group.all {
			p("  %s%s", c.Router, from(c.Source))
			p("    %s", c.Rule)
			p("    %s", c.Why)
		}
	}
}

func printWinner(p func(string, ...any), c *dashboard.Considered) {
	p("  goes to the router %s%s", c.Router, from(c.Source))
	p("    rule      %s (priority %d)", c.Rule, c.Priority)
	printMatch(p, c.Match, 0)
	printSteps(p, c.Middlewares, "")
	if c.Service != nil {
		printPool(p, c.Service, "")
	}
	if c.Why != "" {
		p("    but it    %s", c.Why)
	}
}

func printSteps(p func(string, ...any), steps []dashboard.Step, indent string) {
	for _, m := range steps {
		in := ""
		if m.In != "" {
			in = ", of " + m.In
		}
		p("    passes    %s%s%s%s", indent, m.Name, kind(m), in)
	}
}

// printPool prints a service with the parts that it is made of, each further to the right.
func printPool(p func(string, ...any), s *dashboard.Pool, indent string) {
	share := ""
	switch {
	case s.Weight != nil:
		share = fmt.Sprintf(", weight %d", *s.Weight)
	case s.Percent != nil:
		share = fmt.Sprintf(", mirror of %d %%", *s.Percent)
	case s.Role != "":
		share = ", " + s.Role
	}
	p("    to        %s%s%s%s", indent, s.Name, kind(s.Step), share)
	printSteps(p, s.Middlewares, indent)
	for _, server := range s.Servers {
		state := "up"
		if !server.Up {
			state = "down"
		}
		p("    server    %s%s %s", indent, server.URL, state)
	}
	for i := range s.Parts {
		printPool(p, &s.Parts[i], indent+"  ")
	}
}

// printMatch prints the matchers that are satisfied.
func printMatch(p func(string, ...any), e rule.Explanation, depth int) {
	if e.Op == "" {
		mark := "yes"
		if !e.Matched {
			mark = "no "
		}
		p("    %s       %s%s", mark, strings.Repeat("  ", depth), e.Text)
		return
	}
	for _, part := range e.Parts {
		printMatch(p, part, depth+1)
	}
}

func from(source string) string {
	if source == "" {
		return ""
	}
	return " (" + source + ")"
}

func kind(s dashboard.Step) string {
	text := ""
	if s.Type != "" {
		text = " " + s.Type
	}
	if s.Status != "" && s.Status != "enabled" {
		text += ", " + string(s.Status)
	}
	return text
}
