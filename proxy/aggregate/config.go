// Package aggregate is the service that asks several services for one request, and makes one
// answer of theirs.
//
// It is read like this: config.go is what the operator writes, values.go what texts and expressions
// see; plan.go finds out which part needs which, once, when
// the service is built. For a request, serve.go runs the parts, each as soon as those that it needs
// are there; part.go is one of them, each.go one that is asked for every item of a list, call.go a
// single request to a service with its limits; variant.go finds the shape that the answer has for a
// client; graphql.go reads a schema whose fields the parts answer, graphql_serve.go the queries, and
// graphql_execute.go answers them; answer.go puts the answers together, or says what has failed, and stream.go sends them as
// they come.
package aggregate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/traefik/paerser/types"

	"fairway/internal/headername"
	"fairway/internal/jq"
	"fairway/internal/pathpattern"
	"fairway/internal/statuses"
	"fairway/internal/texts"
	"fairway/proxy"
)

// Config of an aggregate service.
type Config struct {
	// Path is the pattern of the request's path, whose names in braces templates can use, as in
	// /orders/{id}. A request with another path gets 404. Default: any path, without names.
	Path string `json:"path,omitempty"`
	// Parts by name: the requests that the answer is made of. Required.
	Parts map[string]*Part `json:"parts,omitempty"`
	// Merge says how the answers are put together: object, each part at its target; or array, the
	// parts by their names. Default: object.
	Merge string `json:"merge,omitempty"`
	// Collision says what counts if two parts put something at the same place: error (the request
	// fails; if two targets are the same that is said when the service is built), first or last, by
	// the names of the parts. Default: error.
	Collision string `json:"collision,omitempty"`
	// Result is a jq expression that makes the answer, in place of merge. It sees .parts by name,
	// .request (path, query, headers, method), .claims, .consumer and .partial.
	Result string `json:"result,omitempty"`
	// Template writes the answer, in place of merge and result: a template of Go (text/template) over what Result
	// sees, with the functions json, xml, default, join, lower, upper, trim and replace.
	Template string `json:"template,omitempty"`
	// ContentType of what Template writes. JSON has to be JSON; for text/html and application/xhtml+xml it is a template of
	// html/template, in which values are escaped; in other types that is done by hand, with json or xml. Default: application/json.
	ContentType string `json:"contentType,omitempty"`
	// VariantBy lists texts, as {header.X-Client}, {path.client}, {claims.client} or {client}, the class of
	// the User-Agent: mobile, tablet, desktop, bot or other. The first one that is the name of a variant
	// chooses it. Default: there are no variants.
	VariantBy []string `json:"variantBy,omitempty"`
	// Variants by name: other shapes of the answer, for some of the clients. Clients of none of them get
	// the common one.
	Variants map[string]*Variant `json:"variants,omitempty"`
	// Fields lets clients choose what they need. Default: they get all of it.
	Fields *Fields `json:"fields,omitempty"`
	// GraphQL has the parts answer the fields of queries. Default: the answer is all of them.
	GraphQL *GraphQL `json:"graphql,omitempty"`
	// Stream sends the parts as they come: ndjson, a line of JSON for each, or sse, an event for
	// each. Default: one answer when all are there.
	Stream string `json:"stream,omitempty"`
	// PartialField is the member of the answer that lists the parts which have failed and were not
	// required; empty: it has none. The header Fairway-Partial lists them in any case.
	// Default: partial.
	PartialField string `json:"partialField,omitempty"`
	// ForwardHeaders are the headers of the request that parts get, or *. Those that tell where the
	// request is from, and its trace, they always get. Default: Accept-Language, Authorization,
	// X-Request-Id.
	ForwardHeaders []string `json:"forwardHeaders,omitempty"`
	// Timeout for all of it. Default: 10s.
	Timeout types.Duration `json:"timeout,omitempty"`
	// MaxBodyBytes is how long the answer of one request to a part may be. Default: 4194304 (4 MiB).
	MaxBodyBytes int64 `json:"maxBodyBytes,omitempty"`
	// MaxTotalBytes is how long the answers of all parts of a request may be together.
	// Default: 33554432 (32 MiB).
	MaxTotalBytes int64 `json:"maxTotalBytes,omitempty"`
	// MaxDepth is how deep JSON of parts may be nested. Default: 64.
	MaxDepth int `json:"maxDepth,omitempty"`
}

// Part is one of the requests. In its texts, names in braces stand for values: {path.id} for a part
// of the path, {query.page}, {header.X-Version}, {claims.sub}, {consumer.name}, {variant.name} and its values,
// {client} for the class of the User-Agent, {parts.user.id} for something in the answer of another part, {item}
// and {item.id} with each; {query.page|1} says what counts when there is nothing.
type Part struct {
	// Service is the name of the service that is asked. Required.
	Service string `json:"service,omitempty"`
	// Field of the schema that it answers, with graphql, as in Order.product. Its texts have the field's
	// arguments as {args.id}, and what it is a field of as {parent.sku}; its body .args and .parent.
	// Default: Query. and its name.
	Field string `json:"field,omitempty"`
	// Method of the request. Default: GET.
	Method string `json:"method,omitempty"`
	// Path of the request, without query. A value is one segment of it, whatever is in it.
	// Default: /.
	Path string `json:"path,omitempty"`
	// Query has the parameters of the request; one whose text comes out empty is left out.
	Query map[string]string `json:"query,omitempty"`
	// Headers of the request, on top of forwardHeaders; one whose text comes out empty is left out.
	Headers map[string]string `json:"headers,omitempty"`
	// Body is a jq expression that makes the JSON body. It sees what result sees, and .item.
	Body string `json:"body,omitempty"`
	// Each asks once for every item of a list.
	Each *Each `json:"each,omitempty"`
	// Timeout of one request. Default: 5s.
	Timeout types.Duration `json:"timeout,omitempty"`
	// Retries is how often a request with an idempotent method is sent again after an error of
	// the service, or none of its answers. Default: 0.
	Retries int `json:"retries,omitempty"`
	// Required has the whole request fail if the part does. If its service does not exist the
	// aggregate is out of use; without a part that is not required it goes on. Default: true.
	Required *bool `json:"required,omitempty"`
	// Fallback is the JSON that stands for the part if it fails and is not required.
	Fallback string `json:"fallback,omitempty"`
	// Status lists the statuses that are no failure, as numbers and ranges. Default: 200-299.
	Status []string `json:"status,omitempty"`
	// As says what the answer is: json, text, or base64 for bytes, which become a text.
	// Default: json.
	As string `json:"as,omitempty"`
	// Pick is a jq expression that takes what is wanted of the answer.
	Pick string `json:"pick,omitempty"`
	// Target is where in the answer the part goes: names with dots between them, or "." for the
	// members of an object beside those of others. Default: its name.
	Target string `json:"target,omitempty"`
}

// Each asks once for every item of a list.
type Each struct {
	// Of is a jq expression for the list, as in .parts.orders.items. Required.
	Of string `json:"of,omitempty"`
	// Parallel is how many are asked for at the same time. Default: 8.
	Parallel int `json:"parallel,omitempty"`
	// MaxItems is how long the list may be. Default: 200.
	MaxItems int `json:"maxItems,omitempty"`
	// Batch asks for so many items with one request, whose templates have them as {items} with
	// commas between them, and whose answer is a list. Default: 1.
	Batch int `json:"batch,omitempty"`
	// By is the member of an item in the answer to a batch that says which item it is for. Default:
	// their order.
	By string `json:"by,omitempty"`
}

// sources are what values of templates may be of.
var sources = texts.Sources{"path": false, "query": false, "header": false, "claims": false, "consumer": false, "parts": false, "item": true, "items": true, "method": true, "variant": false, "client": true}

const (
	mostParts     = 32
	mostItems     = 10_000
	wholeTimeout  = 10 * time.Second
	partTimeout   = 5 * time.Second
	defaultBody   = 4 << 20
	defaultTotal  = 32 << 20
	defaultDepth  = 64
	defaultWidth  = 8
	defaultItems  = 200
	partialHeader = "Fairway-Partial"
)

// SetDefaults implements the defaults documented at the fields.
func (c *Config) SetDefaults() {
	c.Merge, c.Collision, c.PartialField = "object", "error", "partial"
	c.ForwardHeaders = []string{"Accept-Language", "Authorization", "X-Request-Id"}
	c.Timeout, c.MaxBodyBytes, c.MaxTotalBytes, c.MaxDepth = types.Duration(wholeTimeout), defaultBody, defaultTotal, defaultDepth
}

// SetDefaults implements the defaults documented at the fields.
func (c *Part) SetDefaults() {
	required := true
	c.Method, c.Path, c.Timeout, c.Required, c.As = http.MethodGet, "/", types.Duration(partTimeout), &required, "json"
}

// SetDefaults implements the defaults documented at the fields.
func (e *Each) SetDefaults() { e.Parallel, e.MaxItems, e.Batch = defaultWidth, defaultItems, 1 }

// New implements proxy.Config.
func (c *Config) New(ctx context.Context, env proxy.Env) (proxy.Service, error) {
	s := &service{
		name: env.Name, ctx: ctx, log: env.Log, merge: c.Merge, collision: c.Collision, stream: c.Stream, partial: c.PartialField,
		timeout: time.Duration(c.Timeout), limits: limits{c.MaxBodyBytes, c.MaxTotalBytes, c.MaxDepth},
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	var err error
	if s.pattern, err = pathpattern.New(c.Path); err != nil {
		return nil, fmt.Errorf("path: %w", err)
	}
	if c.Result != "" {
		if s.result, err = jq.Compile(c.Result); err != nil {
			return nil, fmt.Errorf("result: %w", err)
		}
	}
	if s.written, err = newDocument(c.Template, c.ContentType, s.limits); err != nil {
		return nil, err
	}
	for _, name := range c.ForwardHeaders {
		if name != "*" && !headername.Valid(name) {
			return nil, fmt.Errorf("forwardHeaders: %q is no name of a header", name)
		}
		s.forward = append(s.forward, http.CanonicalHeaderKey(name))
	}
	for _, name := range slices.Sorted(maps.Keys(c.Parts)) {
		if c.GraphQL == nil && c.Parts[name].Field != "" {
			return nil, fmt.Errorf("parts.%s.field: is for graphql", name)
		}
		p, err := c.Parts[name].build(name, env, c.sources())
		if err != nil {
			return nil, fmt.Errorf("parts.%s.%w", name, err)
		}
		s.parts = append(s.parts, p)
	}
	s.wantsBody = c.seesBody() || s.written != nil && s.written.Mentions("body")
	if err := s.plan(); err != nil {
		return nil, err
	}
	if c.GraphQL != nil {
		if s.graphql, err = c.GraphQL.build(c, s.parts); err != nil {
			return nil, fmt.Errorf("graphql.%w", err)
		}
		return s, nil
	}
	if err := s.readVariants(c); err != nil {
		return nil, err
	}
	if c.Result == "" && c.Template == "" && c.Stream == "" && c.Merge == "object" && c.Collision == "error" {
		return s, s.collide()
	}
	return s, nil
}

// sources are what values of the parts' texts may be of.
func (c *Config) sources() texts.Sources {
	if c.GraphQL != nil {
		return sourcesOfFields
	}
	return sources
}

// seesBody tells whether an expression may see the body of the request.
func (c *Config) seesBody() bool {
	if c.GraphQL != nil {
		return false // it is a query
	}
	sees := func(text string) bool { return strings.Contains(text, "body") }
	for _, p := range c.Parts {
		if sees(p.Body) || p.Each != nil && sees(p.Each.Of) {
			return true
		}
	}
	for _, v := range c.Variants {
		if sees(v.Result) {
			return true
		}
	}
	return sees(c.Result)
}

func (c *Config) check() error {
	switch {
	case len(c.Parts) == 0:
		return errors.New("parts: there are none")
	case len(c.Parts) > mostParts:
		return fmt.Errorf("parts: there are %d, and %d are the most", len(c.Parts), mostParts)
	case c.Merge != "object" && c.Merge != "array":
		return fmt.Errorf("merge: %q is neither object nor array", c.Merge)
	case c.Collision != "error" && c.Collision != "first" && c.Collision != "last":
		return fmt.Errorf("collision: %q is none of error, first and last", c.Collision)
	case c.Stream != "" && c.Stream != "ndjson" && c.Stream != "sse":
		return fmt.Errorf("stream: %q is neither ndjson nor sse", c.Stream)
	case c.Stream != "" && c.Result != "":
		return errors.New("only one of stream and result can be given")
	case c.Template != "" && (c.Stream != "" || c.Result != ""):
		return errors.New("only one of stream, result and template can be given")
	case c.Timeout <= 0 || c.MaxBodyBytes <= 0 || c.MaxTotalBytes <= 0 || c.MaxDepth <= 0:
		return errors.New("timeout, maxBodyBytes, maxTotalBytes and maxDepth have to be above 0")
	}
	return nil
}

// build makes a part. Its errors begin with the option.
func (c *Part) build(name string, env proxy.Env, known texts.Sources) (*part, error) {
	p := &part{
		name: name, method: strings.ToUpper(c.Method), timeout: time.Duration(c.Timeout), retries: c.Retries,
		required: c.Required == nil || *c.Required, as: c.As, target: target(name, c.Target),
	}
	switch {
	case strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") != "":
		return nil, errors.New("name: has something else than letters, digits, - and _")
	case c.Service == "":
		return nil, errors.New("service: has no name")
	case c.Timeout <= 0:
		return nil, errors.New("timeout: has to be above 0")
	case c.Retries < 0 || c.Retries > 5:
		return nil, errors.New("retries: is not from 0 to 5")
	case c.As != "json" && c.As != "text" && c.As != "base64":
		return nil, fmt.Errorf("as: %q is none of json, text and base64", c.As)
	case !headername.Valid(p.method):
		return nil, fmt.Errorf("method: %q is none", c.Method)
	}
	var err error
	if p.child, err = env.Service(c.Service); err != nil {
		if p.required {
			return nil, fmt.Errorf("service: %w", err)
		}
		env.Warn(fmt.Errorf("it goes on without its part %s: %w", name, err))
		p.child = nil
	}
	if err := p.templates(c, known); err != nil {
		return nil, err
	}
	if err := p.expressions(c); err != nil {
		return nil, err
	}
	accepted := c.Status
	if len(accepted) == 0 {
		accepted = []string{"200-299"}
	}
	if p.accepts, err = statuses.Parse(accepted); err != nil {
		return nil, fmt.Errorf("status: %w", err)
	}
	if c.Fallback != "" {
		if !json.Valid([]byte(c.Fallback)) {
			return nil, errors.New("fallback: is no JSON")
		}
		p.fallback = json.RawMessage(c.Fallback)
	}
	return p, nil
}

// templates reads them.
func (p *part) templates(c *Part, known texts.Sources) (err error) {
	path := c.Path
	if !strings.HasPrefix(path, "/") || strings.ContainsAny(path, "?#") {
		return fmt.Errorf("path: %q does not begin with a slash, or has a query", path)
	}
	if p.path, err = known.New(path); err != nil {
		return fmt.Errorf("path: %w", err)
	}
	for _, name := range slices.Sorted(maps.Keys(c.Query)) {
		t, err := known.New(c.Query[name])
		if err != nil {
			return fmt.Errorf("query.%s: %w", name, err)
		}
		p.query = append(p.query, field{name, t})
	}
	for _, name := range slices.Sorted(maps.Keys(c.Headers)) {
		if !headername.Valid(name) {
			return fmt.Errorf("headers: %q is no name of a header", name)
		}
		t, err := known.New(c.Headers[name])
		if err != nil {
			return fmt.Errorf("headers.%s: %w", name, err)
		}
		p.headers = append(p.headers, field{http.CanonicalHeaderKey(name), t})
	}
	return nil
}

// expressions reads those of jq.
func (p *part) expressions(c *Part) (err error) {
	if c.Pick != "" {
		if p.pick, err = jq.Compile(c.Pick); err != nil {
			return fmt.Errorf("pick: %w", err)
		}
	}
	if c.Body != "" {
		if p.body, err = jq.Compile(c.Body); err != nil {
			return fmt.Errorf("body: %w", err)
		}
	}
	e := c.Each
	if e == nil {
		return nil
	}
	switch {
	case e.Of == "":
		return errors.New("each.of: is required")
	case e.Parallel < 1 || e.Parallel > 256:
		return errors.New("each.parallel: is not from 1 to 256")
	case e.MaxItems < 1 || e.MaxItems > mostItems:
		return fmt.Errorf("each.maxItems: is not from 1 to %d", mostItems)
	case e.Batch < 1:
		return errors.New("each.batch: has to be above 0")
	}
	p.each = &each{parallel: e.Parallel, most: e.MaxItems, batch: e.Batch, by: e.By}
	if p.each.of, err = jq.Compile(e.Of); err != nil {
		return fmt.Errorf("each.of: %w", err)
	}
	return nil
}

// target is the way to the place of a part; nil: beside the members of others.
func target(name, given string) []string {
	switch given {
	case "":
		return []string{name}
	case ".":
		return nil
	}
	return strings.Split(given, ".")
}
