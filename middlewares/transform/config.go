package transform

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"fairway/internal/headername"
	"fairway/internal/statuses"
	"fairway/internal/texts"
)

// Config is the transform middleware. In texts, names in braces stand for values: {query.page},
// {header.X-Version}, {claims.sub}, {consumer.name}, {method}, {host}, {path}, {path.0} for its first
// segment, and {client} for the class of the User-Agent (mobile, tablet, desktop, bot or other); {query.page|1}
// says what counts when there is nothing. Expressions are jq: they see the body as ., and $request (method,
// path, host, query and headers by name), $claims, $consumer, and of a response $status and $headers.
type Config struct {
	// Request changes requests.
	Request *Request `json:"request,omitempty"`
	// Response changes responses.
	Response *Response `json:"response,omitempty"`
	// MaxBodyBytes is how long a body that is changed may be, and what a template makes; of a stream how
	// long an item may be. A longer request gets 413, in the place of a longer response the client gets
	// 502, and a stream breaks off. Default 1048576 (1 MiB).
	MaxBodyBytes int64 `json:"maxBodyBytes,omitempty"`
}

// Request changes requests.
type Request struct {
	// Method that the service gets. Default: that of the request.
	Method string `json:"method,omitempty"`
	// Path that the service gets; a value is one segment of it. Default: that of the request.
	Path string `json:"path,omitempty"`
	// Query changes the parameters.
	Query *Fields `json:"query,omitempty"`
	// Headers changes the headers.
	Headers *Fields `json:"headers,omitempty"`
	// Body is an expression that makes the body. Default: it passes as it comes.
	Body string `json:"body,omitempty"`
	// Template writes the body, in the place of an expression: a template of Go (text/template) over
	// .body, .request, .claims, .consumer, .status and .headers, with the functions json, xml, default,
	// join, lower, upper, trim and replace. What it makes has to be what To says.
	Template string `json:"template,omitempty"`
	// From says what the body is: json, form, text or xml; or a stream whose items are changed one by
	// one, as they come: ndjson (a value in each line) or sse (the data of events). Default: json.
	From string `json:"from,omitempty"`
	// To says what it becomes: json, form, text, xml; of a stream ndjson or sse. Default: json, of a
	// stream the same.
	To string `json:"to,omitempty"`
}

// Response changes responses.
type Response struct {
	// When lists the statuses of responses that are changed, as numbers and ranges. Default: all.
	When []string `json:"when,omitempty"`
	// Status that the client gets. Default: that of the response.
	Status int `json:"status,omitempty"`
	// Headers changes the headers.
	Headers *Fields `json:"headers,omitempty"`
	// Body is an expression that makes the body. Default: it passes as it comes.
	Body string `json:"body,omitempty"`
	// Template writes the body, in the place of an expression: a template of Go (text/template) over
	// .body, .request, .claims, .consumer, .status and .headers, with the functions json, xml, default,
	// join, lower, upper, trim and replace. What it makes has to be what To says.
	Template string `json:"template,omitempty"`
	// From says what the body is: json, form, text or xml; or a stream whose items are changed one by
	// one, as they come: ndjson (a value in each line) or sse (the data of events). Default: json.
	From string `json:"from,omitempty"`
	// To says what it becomes: json, form, text, xml; of a stream ndjson or sse. Default: json, of a
	// stream the same.
	To string `json:"to,omitempty"`
}

// Fields changes headers, or parameters of a query: remove goes first, then rename, set and add.
type Fields struct {
	// Remove lists names that are taken away.
	Remove []string `json:"remove,omitempty"`
	// Rename gives values another name: the old one, and the new one.
	Rename map[string]string `json:"rename,omitempty"`
	// Set gives a name one value; an empty one takes it away.
	Set map[string]string `json:"set,omitempty"`
	// Add adds a value to those that a name has.
	Add map[string]string `json:"add,omitempty"`
}

const defaultMost = 1 << 20

// SetDefaults fills in what is not zero by default.
func (c *Config) SetDefaults() { c.MaxBodyBytes = defaultMost }

// requestChange is a Request, read.
type requestChange struct {
	method         string
	path           texts.Template
	query, headers *fields
	body           *bodyChange
}

// responseChange is a Response, read.
type responseChange struct {
	when    *statuses.Set // nil: all
	status  int
	headers *fields
	body    *bodyChange
}

func (c *Request) build(most int64) (out *requestChange, err error) {
	out = &requestChange{method: strings.ToUpper(c.Method)}
	if c.Method != "" && !headername.Valid(c.Method) {
		return nil, fmt.Errorf("request.method: %q is none", c.Method)
	}
	if c.Path != "" {
		if !strings.HasPrefix(c.Path, "/") || strings.ContainsAny(c.Path, "?#") {
			return nil, fmt.Errorf("request.path: %q does not begin with a slash, or has a query", c.Path)
		}
		if out.path, err = sources.New(c.Path); err != nil {
			return nil, fmt.Errorf("request.path: %w", err)
		}
	}
	if out.query, err = c.Query.build(false); err != nil {
		return nil, fmt.Errorf("request.query.%w", err)
	}
	if out.headers, err = c.Headers.build(true); err != nil {
		return nil, fmt.Errorf("request.headers.%w", err)
	}
	if out.body, err = newBody(c.Body, c.Template, c.From, c.To, most); err != nil {
		return nil, fmt.Errorf("request.%w", err)
	}
	return out, nil
}

func (c *Response) build(most int64) (out *responseChange, err error) {
	out = &responseChange{status: c.Status}
	if c.Status != 0 && (c.Status < 200 || c.Status > 599) {
		return nil, fmt.Errorf("response.status: %d is not from 200 to 599", c.Status)
	}
	if len(c.When) > 0 {
		if out.when, err = statuses.Parse(c.When); err != nil {
			return nil, fmt.Errorf("response.when: %w", err)
		}
	}
	if out.headers, err = c.Headers.build(true); err != nil {
		return nil, fmt.Errorf("response.headers.%w", err)
	}
	if out.body, err = newBody(c.Body, c.Template, c.From, c.To, most); err != nil {
		return nil, fmt.Errorf("response.%w", err)
	}
	if out.when != nil && out.body == nil && out.status == 0 {
		return nil, errors.New("response.when: needs body or status: headers alone are changed whatever the status is")
	}
	return out, nil
}

// build reads Fields, which may be nil. Names of headers become canonical, and those that are about
// the connection and the framing are nobody's business here.
func (c *Fields) build(header bool) (out *fields, err error) {
	if c == nil {
		return nil, nil
	}
	out = &fields{}
	name := func(option, given string) (string, error) {
		if !header {
			return given, nil
		}
		canonical := http.CanonicalHeaderKey(given)
		if !headername.Valid(given) || slices.Contains(framing, canonical) {
			return "", fmt.Errorf("%s: %q is no name of a header, or one of the framing", option, given)
		}
		return canonical, nil
	}
	for _, given := range c.Remove {
		one, err := name("remove", given)
		if err != nil {
			return nil, err
		}
		out.remove = append(out.remove, one)
	}
	for _, given := range slices.Sorted(maps.Keys(c.Rename)) {
		from, err1 := name("rename", given)
		to, err2 := name("rename", c.Rename[given])
		if err := errors.Join(err1, err2); err != nil {
			return nil, err
		}
		out.rename = append(out.rename, [2]string{from, to})
	}
	for _, part := range []struct {
		option string
		given  map[string]string
		to     *[]field
	}{{"set", c.Set, &out.set}, {"add", c.Add, &out.add}} {
		for _, given := range slices.Sorted(maps.Keys(part.given)) {
			one, err := name(part.option, given)
			if err != nil {
				return nil, err
			}
			text, err := sources.New(part.given[given])
			if err != nil {
				return nil, fmt.Errorf("%s.%s: %w", part.option, given, err)
			}
			*part.to = append(*part.to, field{one, text})
		}
	}
	return out, nil
}

// framing are the headers that say where a message ends, or belong to the connection.
var framing = []string{"Connection", "Content-Length", "Host", "Keep-Alive", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade"}

// setPath makes the path of texts.
func (c *requestChange) setPath(u *url.URL, v *values) error {
	text, err := c.path.Render(v.Text, texts.Segment, true)
	if err != nil {
		return err
	}
	parsed, err := url.ParseRequestURI(text)
	if err != nil {
		return err
	}
	u.Path, u.RawPath = parsed.Path, parsed.RawPath
	return nil
}
