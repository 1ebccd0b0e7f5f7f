// Package transform changes requests on their way to a service, and responses on their way back:
// method, path, query, status, headers, and bodies by jq or a template.
//
// config.go is what the operator writes, values.go what texts and expressions see, fields.go how
// headers and queries are changed, body.go how bodies are made of others, formats.go how they are read
// and written, response.go the way back. Bodies are changed as a whole and so have a limit, streams item
// by item (stream.go); where nothing is asked for, they pass as they come.
package transform

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"fairway/internal/record"
	"fairway/internal/responsehead"
	"fairway/middlewares"
)

type handler struct {
	request  *requestChange  // nil: none
	response *responseChange // nil: none
	most     int64
	next     http.Handler
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v := valuesOf(r)
	if h.request != nil {
		changed, status, cause := h.request.apply(r, v, h.most)
		if status != 0 {
			middlewares.Refuse(w, r, status, "transform: request: "+cause)
			return
		}
		r = changed
	}
	switch {
	case h.response == nil:
		h.next.ServeHTTP(w, r)
	case h.response.body == nil && h.response.status == 0:
		out := responsehead.New(w, responsehead.Edit(func(head responsehead.Head) { h.response.headers.edit(head, v) }))
		h.next.ServeHTTP(out, r)
		out.Finish()
	default:
		h.serveHeld(w, r, v)
	}
}

// apply makes the request that the service gets; a status: it cannot be made.
func (c *requestChange) apply(r *http.Request, v *values, most int64) (out *http.Request, status int, cause string) {
	out = new(http.Request)
	*out = *r
	out.Header = r.Header.Clone()
	if c.method != "" {
		out.Method = c.method
	}
	u := *r.URL
	out.URL = &u
	if c.path != nil {
		if err := c.setPath(&u, v); err != nil {
			return nil, http.StatusBadRequest, "path: " + err.Error()
		}
	}
	if c.query != nil {
		query := u.Query()
		c.query.change(query, v)
		u.RawQuery = query.Encode()
	}
	out.RequestURI = u.RequestURI()
	switch {
	case c.body == nil:
	case c.body.from.stream():
		c.streamBody(r, out, v, most)
	default:
		if status, cause = c.setBody(r, out, v, most); status != 0 {
			return nil, status, cause
		}
	}
	if c.headers != nil {
		c.headers.change(url.Values(out.Header), v)
	}
	return out, 0, ""
}

// setBody reads the body, and makes another one of it.
func (c *requestChange) setBody(r, out *http.Request, v *values, most int64) (status int, cause string) {
	var text []byte
	if r.Body != nil && r.Body != http.NoBody {
		var err error
		text, err = io.ReadAll(http.MaxBytesReader(nil, r.Body, most))
		var tooLong *http.MaxBytesError
		switch {
		case errors.As(err, &tooLong):
			return http.StatusRequestEntityTooLarge, "the body is longer than maxBodyBytes"
		case err != nil:
			return http.StatusBadRequest, "the body cannot be read: " + err.Error()
		}
	}
	made, err := c.body.make(r.Context(), text, v.variables(0, nil))
	if reading := (*readError)(nil); errors.As(err, &reading) {
		return http.StatusBadRequest, reading.Error()
	}
	if err != nil {
		return http.StatusBadRequest, "body: " + err.Error()
	}
	out.Body, out.ContentLength, out.TransferEncoding = io.NopCloser(bytes.NewReader(made)), int64(len(made)), nil
	c.describe(out)
	out.Header["Content-Length"] = []string{strconv.Itoa(len(made))}
	return 0, ""
}

// describe has the head be that of the new body: what was said of the old one's bytes is not true.
func (c *requestChange) describe(out *http.Request) {
	for _, name := range []string{"Content-Encoding", "Content-Length", "Content-Md5", "Content-Digest", "Repr-Digest", "Expect", "Transfer-Encoding"} {
		delete(out.Header, name)
	}
	out.Header["Content-Type"] = []string{c.body.to.mediaType()}
}

// New implements middlewares.Config.
func (c *Config) New(_ context.Context, _ middlewares.Env, next http.Handler) (http.Handler, error) {
	h := &handler{most: c.MaxBodyBytes, next: next}
	switch {
	case c.Request == nil && c.Response == nil:
		return nil, errors.New("one of request and response has to be given")
	case c.MaxBodyBytes < 1:
		return nil, errors.New("maxBodyBytes has to be above 0")
	}
	var err error
	if c.Request != nil {
		if h.request, err = c.Request.build(c.MaxBodyBytes); err != nil {
			return nil, err
		}
	}
	if c.Response != nil {
		if h.response, err = c.Response.build(c.MaxBodyBytes); err != nil {
			return nil, err
		}
	}
	return h, nil
}

// fail notes why there is no response.
func fail(rec *record.Record, cause string) { rec.Fail("transform: response: " + cause) }
