// Package fields gives clients those fields of JSON that they ask for, as in ?fields=id,user.name, and no
// others than are allowed: a phone on a slow line needs less than the service has to say.
package fields

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"fairway/internal/answer"
	"fairway/internal/fieldset"
	"fairway/internal/holdback"
	"fairway/internal/jq"
	"fairway/internal/record"
	"fairway/middlewares"
)

// Config is the fields middleware. Names of fields have dots between them, as in user.name; lists are gone through.
type Config struct {
	// Parameter of the query that names what a client wants: ?fields=id,user.name. The service does not
	// get it. A name that is not allowed gets 400. Default: fields.
	Parameter string `json:"parameter,omitempty"`
	// Allow lists the fields that there are for clients; others are in no response with a status from 200 to
	// 299, whether they are asked for or not, and one that is no JSON is answered with 502. Default: all.
	Allow []string `json:"allow,omitempty"`
	// Default is what a client gets that chooses nothing. Default: all that is allowed.
	Default []string `json:"default,omitempty"`
	// MaxBodyBytes is how long a response may be. In the place of a longer one the client gets 502.
	// Default 1048576 (1 MiB).
	MaxBodyBytes int64 `json:"maxBodyBytes,omitempty"`
}

const deepest = 128

// SetDefaults fills in what is not zero by default.
func (c *Config) SetDefaults() { c.Parameter, c.MaxBodyBytes = "fields", 1<<20 }

type handler struct {
	parameter         string
	allowed, standard fieldset.Set
	most              int64
	next              http.Handler
}

// New implements middlewares.Config.
func (c *Config) New(_ context.Context, _ middlewares.Env, next http.Handler) (http.Handler, error) {
	h := &handler{parameter: c.Parameter, most: c.MaxBodyBytes, next: next}
	switch {
	case c.Parameter == "":
		return nil, errors.New("parameter: has no name")
	case c.MaxBodyBytes < 1:
		return nil, errors.New("maxBodyBytes has to be above 0")
	}
	var err error
	if h.allowed, err = fieldset.Parse(c.Allow...); err != nil {
		return nil, fmt.Errorf("allow: %w", err)
	}
	if h.standard, err = fieldset.Parse(c.Default...); err != nil {
		return nil, fmt.Errorf("default: %w", err)
	}
	if h.standard, err = h.standard.Within(h.allowed); err != nil {
		return nil, fmt.Errorf("default: %w", err)
	}
	return h, nil
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	wanted, err := h.wanted(r)
	if err != nil {
		answer.Text(w, r, http.StatusBadRequest, "fields: "+err.Error(), h.parameter+": "+err.Error())
		return
	}
	r = h.without(r)
	if len(wanted) == 0 {
		h.next.ServeHTTP(w, r)
		return
	}
	out := &held{client: w, request: holdback.Plain(r), wanted: wanted, strict: len(h.allowed) > 0}
	out.Writer = holdback.New(w, holdback.Rules{Hold: out.looksAt, Most: h.most})
	h.next.ServeHTTP(out.Writer, out.request)
	if out.Held() {
		out.send()
	}
}

// wanted is what the request asks for.
func (h *handler) wanted(r *http.Request) (fieldset.Set, error) {
	if !strings.Contains(r.URL.RawQuery, h.parameter) {
		return h.standard, nil
	}
	wanted, err := fieldset.Parse(r.URL.Query()[h.parameter]...)
	if err != nil || wanted == nil {
		return h.standard, err
	}
	return wanted.Within(h.allowed)
}

// without is the request without the parameter.
func (h *handler) without(r *http.Request) *http.Request {
	if !strings.Contains(r.URL.RawQuery, h.parameter) {
		return r
	}
	query := r.URL.Query()
	if !query.Has(h.parameter) {
		return r
	}
	query.Del(h.parameter)
	out := new(http.Request)
	*out = *r
	u := *r.URL
	u.RawQuery = query.Encode()
	out.URL, out.RequestURI = &u, u.RequestURI()
	return out
}

// held is a response of which a part is wanted.
type held struct {
	*holdback.Writer
	client  http.ResponseWriter
	request *http.Request
	wanted  fieldset.Set
	strict  bool // nothing else passes
}

// looksAt tells whether something is taken of a response: JSON of the service that says that all went well. With a list
// of what is allowed, another body could show what is not.
func (w *held) looksAt(status int, contentType string) bool {
	if rec := record.From(w.request.Context()); rec != nil && rec.Cause != "" {
		return false
	}
	return status >= 200 && status < 300 && status != http.StatusNoContent && w.request.Method != http.MethodHead && (w.strict || holdback.IsJSON(contentType))
}

// send gives the client what it wants.
func (w *held) send() {
	text, err := w.taken()
	if err != nil {
		answer.Refuse(w.client, w.request, http.StatusBadGateway, "fields: response: "+err.Error())
		return
	}
	w.Give()
	h := w.client.Header()
	for _, name := range []string{"Content-Encoding", "Content-Md5", "Content-Digest", "Repr-Digest", "Digest", "Accept-Ranges", "Trailer"} { // they are of the whole
		delete(h, name)
	}
	if tag := h.Get("Etag"); tag != "" && !strings.HasPrefix(tag, "W/") {
		h.Set("Etag", "W/"+tag)
	}
	h["Content-Length"] = []string{strconv.Itoa(len(text))}
	w.client.WriteHeader(w.Status())
	_, _ = w.client.Write(text)
}

func (w *held) taken() ([]byte, error) {
	body, tooLong := w.Body()
	switch encoding := w.Header().Get("Content-Encoding"); {
	case tooLong:
		return nil, holdback.ErrTooLong
	case len(body) > 0 && !holdback.IsJSON(w.Header().Get("Content-Type")):
		return nil, errors.New("it is no JSON, of which fields could be taken")
	case len(body) == 0:
		return nil, nil
	case encoding != "" && encoding != "identity":
		return nil, errors.New("the service has encoded the body (" + encoding + "), although it was not asked to")
	}
	v, err := jq.Read(body, deepest)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(w.wanted.Of(v)); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
