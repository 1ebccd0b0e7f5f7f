package validate

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/traefik/paerser/types"

	"fairway/internal/freshfile"
	"fairway/internal/openapi"
	"fairway/middlewares"
)

// OpenAPI is a document (OpenAPI 3.0, 3.1 or 3.2) that says what is asked and what is answered. What it refers to has
// to be in itself. Authentication that it asks for is not looked at: there are other middlewares for that.
type OpenAPI struct {
	// Document is the document, as JSON or YAML.
	Document string `json:"document,omitempty"`
	// File is the path of a file with the document, in place of document. It is read again when it has changed.
	// Labels cannot say it.
	File string `json:"file,omitempty" label:"-"`
	// URL is where the document is, in place of document. A path, as /openapi.json, is asked of the service behind
	// the middleware. A whole URL is asked by the gateway, from where it stands: who may write labels may have it ask
	// there. What is answered has to have the status 200 at once, without redirects, and at most 4 MiB. Until the
	// document has come, requests pass unchecked, which is shown as a problem; afterwards the last good one counts.
	URL string `json:"url,omitempty"`
	// Host is what the service is asked by, for a url that is a path. Default: localhost.
	Host string `json:"host,omitempty"`
	// Refresh is how long after one answer the url is asked again, with If-None-Match where the answer had an ETag.
	// Default: 1m. At least 1s.
	Refresh types.Duration `json:"refresh,omitempty"`
	// BasePath is what the paths of the document stand below, in place of the paths of its servers: what requests have
	// in front of them when they come to the middleware. Default: as the servers say.
	BasePath string `json:"basePath,omitempty"`
	// Unknown is what becomes of requests for which the document has no operation: refuse (404, or 405 where the path
	// has other methods) or pass. Preflights of CORS pass, where the path is known. Default: refuse.
	Unknown string `json:"unknown,omitempty"`
	// Check is what is compared with the document. Default: requests,responses.
	Check []string `json:"check,omitempty"`
}

const (
	refuseUnknown = "refuse"
	passUnknown   = "pass"
	ofRequests    = "requests"
	ofResponses   = "responses"
)

// SetDefaults fills in what is not zero by default.
func (c *OpenAPI) SetDefaults() {
	c.Refresh, c.Unknown, c.Check, c.Host = types.Duration(time.Minute), refuseUnknown, []string{ofRequests, ofResponses}, "localhost"
}

// contract is an OpenAPI in force.
type contract struct {
	current             func() *openapi.Document // nil: it is not there yet
	requests, responses bool
	passUnknown         bool
}

func (c *OpenAPI) build(ctx context.Context, env middlewares.Env, h *handler) error {
	given := 0
	for _, text := range []string{c.Document, c.File, c.URL} {
		if text != "" {
			given++
		}
	}
	switch {
	case given != 1:
		return errors.New("document: one of document, file and url has to be given")
	case c.Unknown != refuseUnknown && c.Unknown != passUnknown:
		return fmt.Errorf("unknown: %q is neither refuse nor pass", c.Unknown)
	case c.BasePath != "" && !strings.HasPrefix(c.BasePath, "/"):
		return fmt.Errorf("basePath: %q does not begin with a slash", c.BasePath)
	case len(c.Check) == 0:
		return errors.New("check: nothing would be checked")
	case time.Duration(c.Refresh) < time.Second:
		return errors.New("refresh: is less than 1s")
	}
	for _, side := range c.Check {
		if side != ofRequests && side != ofResponses {
			return fmt.Errorf("check: %q is neither requests nor responses", side)
		}
	}
	of := &contract{passUnknown: c.Unknown == passUnknown, requests: slices.Contains(c.Check, ofRequests), responses: slices.Contains(c.Check, ofResponses)}
	h.contract = of
	return c.open(ctx, env, h)
}

// open makes the document be there.
func (c *OpenAPI) open(ctx context.Context, env middlewares.Env, h *handler) error {
	switch {
	case c.Document != "":
		d, err := c.read([]byte(c.Document), "")
		if err != nil {
			return fmt.Errorf("document: %w", err)
		}
		h.contract.current = func() *openapi.Document { return d }
	case c.File != "":
		if info, err := os.Stat(c.File); err == nil && info.Size() > openapi.MostBytes {
			return fmt.Errorf("file: %s is longer than %d bytes", c.File, openapi.MostBytes)
		}
		file, err := freshfile.Open(c.File, func(text []byte) (*openapi.Document, error) { return c.read(text, "") }, env.Log)
		if err != nil {
			return fmt.Errorf("file: %w", err)
		}
		h.contract.current = file.Value
	default:
		at, err := url.Parse(c.URL)
		if err != nil || at.Fragment != "" || at.Host == "" && !strings.HasPrefix(c.URL, "/") || at.Host != "" && at.Scheme != "http" && at.Scheme != "https" {
			return fmt.Errorf("url: %q is neither a path nor a URL with http or https", c.URL)
		}
		return c.discover(ctx, env, h, at)
	}
	return nil
}

func (c *OpenAPI) read(text []byte, location string) (*openapi.Document, error) {
	return openapi.Read(text, openapi.Options{Location: location, BasePath: c.BasePath})
}
