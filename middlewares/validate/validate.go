// Package validate looks whether the JSON of requests, and of responses, is as a JSON Schema (draft
// 2020-12, or the one that it names) says, or whether requests and responses are as an OpenAPI document says, and
// refuses what is not: requests with 422 (Unprocessable Content, RFC 9110, section 15.5.21), or the status that says
// better what is wrong, and a list of every violation, responses with 502. With the mode report everything passes, and
// is only counted and noted.
package validate

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sirupsen/logrus"

	"fairway/internal/holdback"
	"fairway/internal/record"
	"fairway/internal/schema"
	"fairway/internal/sharing"
	"fairway/middlewares"
)

// Config is the validate middleware.
type Config struct {
	// Request is what the JSON of requests has to be.
	Request *Rule `json:"request,omitempty"`
	// Response is what the JSON of responses has to be.
	Response *Rule `json:"response,omitempty"`
	// OpenAPI is a document of what is asked and answered, in place of request and response.
	OpenAPI *OpenAPI `json:"openapi,omitempty"`
	// Mode is enforce, or report: everything passes, and violations are counted, and noted in the log.
	// Default: enforce.
	Mode string `json:"mode,omitempty"`
	// MaxBodyBytes is how long a body may be. A longer request gets 413. Default 1048576 (1 MiB).
	MaxBodyBytes int64 `json:"maxBodyBytes,omitempty"`
}

// Rule is what JSON has to be.
type Rule struct {
	// Schema is a JSON Schema, as JSON text.
	Schema string `json:"schema,omitempty"`
	// SchemaFile is the path of a file with the schema, in place of schema. Labels cannot say it.
	SchemaFile string `json:"schemaFile,omitempty" label:"-"`
	// Required refuses requests without a body, or with one that is not JSON by its Content-Type.
	// Default: false, they pass.
	Required bool `json:"required,omitempty"`
}

const (
	enforce     = "enforce"
	report      = "report"
	defaultMost = 1 << 20
)

// SetDefaults fills in what is not zero by default.
func (c *Config) SetDefaults() { c.Mode, c.MaxBodyBytes = enforce, defaultMost }

type handler struct {
	request, response *rule // nil: none
	contract          *contract
	report            bool
	most              int64
	counts            *counts
	log               logrus.FieldLogger
	next              http.Handler
}

// New implements middlewares.Config.
func (c *Config) New(ctx context.Context, env middlewares.Env, next http.Handler) (http.Handler, error) {
	h := &handler{report: c.Mode == report, most: c.MaxBodyBytes, log: env.Log, next: next}
	switch {
	case c.Request == nil && c.Response == nil && c.OpenAPI == nil:
		return nil, errors.New("one of request, response and openapi has to be given")
	case c.OpenAPI != nil && (c.Request != nil || c.Response != nil):
		return nil, errors.New("openapi: takes the place of request and response, which cannot be beside it")
	case c.Mode != enforce && c.Mode != report:
		return nil, fmt.Errorf("mode: %q is neither enforce nor report", c.Mode)
	case c.MaxBodyBytes < 1:
		return nil, errors.New("maxBodyBytes has to be above 0")
	}
	h.counts, _ = env.Keep(func() any { return &counts{} }).(*counts)
	if c.OpenAPI != nil {
		if err := c.OpenAPI.build(ctx, env, h); err != nil {
			return nil, fmt.Errorf("openapi.%w", err)
		}
		return h, nil
	}
	var err error
	if h.request, err = c.Request.build(); err != nil {
		return nil, fmt.Errorf("request.%w", err)
	}
	if h.response, err = c.Response.build(); err != nil {
		return nil, fmt.Errorf("response.%w", err)
	}
	return h, nil
}

// rule is a Rule, compiled.
type rule struct {
	schema   *schema.Schema
	required bool
}

func (c *Rule) build() (*rule, error) {
	if c == nil {
		return nil, nil
	}
	text := c.Schema
	switch {
	case c.Schema == "" && c.SchemaFile == "":
		return nil, errors.New("schema: is required")
	case c.Schema != "" && c.SchemaFile != "":
		return nil, errors.New("schema: only one of schema and schemaFile can be given")
	case c.SchemaFile != "":
		raw, err := os.ReadFile(c.SchemaFile)
		if err != nil {
			return nil, fmt.Errorf("schemaFile: %w", err)
		}
		text = string(raw)
	}
	compiled, err := schema.New(text)
	if err != nil {
		return nil, fmt.Errorf("schema: %w", err)
	}
	return &rule{compiled, c.Required}, nil
}

// counts are what was looked at, and what was wrong.
type counts struct {
	requests, responses       atomic.Uint64
	badRequests, badResponses atomic.Uint64
	noted                     atomic.Int64 // Unix time of the last note in the log

	missed      atomic.Uint64 // requests that passed because the document was not there yet
	discoveries sharing.ByOptions[*discovery]
	watched     sync.Map // *discovery: those in use
}

// Trouble implements middlewares.Troubled.
func (c *counts) Trouble() (trouble string) {
	c.watched.Range(func(key, _ any) bool {
		d, _ := key.(*discovery)
		if text := *d.trouble.Load(); text != "" {
			trouble = "the OpenAPI document " + d.place + ": " + text
		}
		return trouble == ""
	})
	return trouble
}

// Missed implements middlewares.Troubled.
func (c *counts) Missed() uint64 { return c.missed.Load() }

// EachViolation implements middlewares.Violations.
func (c *counts) EachViolation(tell func(direction string, checked, violated uint64)) {
	tell("request", c.requests.Load(), c.badRequests.Load())
	tell("response", c.responses.Load(), c.badResponses.Load())
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if h.contract != nil {
		h.serveContract(w, r)
		return
	}
	if h.request != nil {
		out, ok := h.checkRequest(w, r)
		if !ok {
			return
		}
		r = out
	}
	if h.response == nil {
		h.next.ServeHTTP(w, r)
		return
	}
	h.serveHeld(w, r, h.response)
}

// checkRequest reads the body, and gives back a request that has it still.
func (h *handler) checkRequest(w http.ResponseWriter, r *http.Request) (*http.Request, bool) {
	if !holdback.IsJSON(r.Header.Get("Content-Type")) || r.Body == nil || r.Body == http.NoBody {
		if h.request.required {
			h.counts.requests.Add(1)
			h.counts.badRequests.Add(1)
			return r, h.refuse(w, r, http.StatusUnsupportedMediaType, []schema.Violation{{Detail: "a body of JSON is required, with Content-Type application/json"}})
		}
		return r, true
	}
	out, text, ok := h.withBody(w, r)
	if !ok {
		return nil, false
	}
	h.counts.requests.Add(1)
	if found := h.request.schema.Check(text); len(found) > 0 {
		h.counts.badRequests.Add(1)
		if !h.refuse(w, r, http.StatusUnprocessableEntity, found) {
			return nil, false
		}
	}
	return out, true
}

// withBody reads the body, and gives back a request that has it still. What cannot be read is answered.
func (h *handler) withBody(w http.ResponseWriter, r *http.Request) (*http.Request, []byte, bool) {
	text, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, h.most))
	var tooLong *http.MaxBytesError
	switch {
	case errors.As(err, &tooLong):
		middlewares.Refuse(w, r, http.StatusRequestEntityTooLarge, "validate: the body is longer than maxBodyBytes")
		return nil, nil, false
	case err != nil:
		middlewares.Refuse(w, r, http.StatusBadRequest, "validate: the body cannot be read")
		return nil, nil, false
	}
	out := new(http.Request)
	*out = *r
	out.Header = r.Header.Clone()
	delete(out.Header, "Transfer-Encoding")
	out.Header["Content-Length"] = []string{strconv.Itoa(len(text))}
	out.Body, out.ContentLength, out.TransferEncoding = io.NopCloser(bytes.NewReader(text)), int64(len(text)), nil
	return out, text, true
}

// refuse answers a request that is not as it should be. It tells whether that passes all the same.
func (h *handler) refuse(w http.ResponseWriter, r *http.Request, status int, found []schema.Violation) (passes bool) {
	if h.report {
		h.note("request", r, found)
		return true
	}
	rec := record.From(r.Context())
	rec.Fail("validate: request: " + found[0].String())
	detail := "the body is not as its schema says"
	if h.contract != nil {
		detail = "the request is not as the OpenAPI document says"
	}
	text, _ := json.Marshal(problem{"about:blank", http.StatusText(status), status, detail, found})
	head := w.Header()
	head.Set("Content-Type", "application/problem+json")
	head.Set("X-Content-Type-Options", "nosniff")
	head.Set("Content-Length", strconv.Itoa(len(text)))
	w.WriteHeader(status)
	_, _ = w.Write(text)
	return false
}

// problem is an error of the gateway's own (RFC 9457), with all violations.
type problem struct {
	Type   string             `json:"type"`
	Title  string             `json:"title"`
	Status int                `json:"status"`
	Detail string             `json:"detail"`
	Errors []schema.Violation `json:"errors"`
}

// note tells the log of a violation, once in a while.
func (h *handler) note(direction string, r *http.Request, found []schema.Violation) {
	now := time.Now().Unix()
	if last := h.counts.noted.Load(); now-last < 10 || !h.counts.noted.CompareAndSwap(last, now) {
		return
	}
	h.log.WithFields(logrus.Fields{"direction": direction, "method": r.Method, "path": r.URL.Path, "violations": len(found)}).Warn("not as its schema says: " + found[0].String())
}
