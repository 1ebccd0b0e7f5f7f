// Package headers changes the headers of requests and responses: headers of the
// operator's own, CORS, and the usual security headers. It also refuses requests
// for hosts that are not served.
//
// config.go is what the operator writes. A request passes cors.go (is it a
// preflight, to be answered here?), then custom.go (request headers), then guard.go
// (allowed host, redirection to https). The response headers are worked out once,
// in New, as a list of edits, which are applied just before they are sent:
// security first, then the operator's own, then CORS, so that the later wins.
package headers

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"fairway/internal/requesthead"
	"fairway/internal/responsehead"
	"fairway/middlewares"
)

// handler is the middleware; parts without an option are nil or empty.
type handler struct {
	cors     *cors
	request  []edit
	host     string
	guard    *guard
	security []edit
	onTLS    []edit // security headers for answers over TLS only
	response []edit
	cookies  bool // some of response are about cookies
	next     http.Handler
}

// New implements middlewares.Config.
func (c *Config) New(_ context.Context, _ middlewares.Env, next http.Handler) (http.Handler, error) {
	h := &handler{next: next, guard: newGuard(c)}
	h.security, h.onTLS = securityEdits(c)
	request, err := custom("customRequestHeaders", c.CustomRequestHeaders)
	if err != nil {
		return nil, err
	}
	h.request, h.host = requestEdits(request)
	response, err := custom("customResponseHeaders", c.CustomResponseHeaders)
	if err != nil {
		return nil, err
	}
	h.response = edits(response)
	h.cookies = slices.ContainsFunc(h.response, func(e edit) bool { return e.name == "Set-Cookie" })
	if h.cors, err = newCORS(c); err != nil {
		return nil, fmt.Errorf("accessControlAllowOriginListRegex: %w", err)
	}
	if c.empty() {
		return nil, errors.New("no option is set, such as customRequestHeaders or stsSeconds")
	}
	return h, nil
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if h.cors != nil && h.cors.preflight(w, r) {
		return
	}
	origin := r.Header.Get("Origin")
	r = h.forHost(r)
	if len(h.request) > 0 {
		var room [4]requesthead.Field
		was := h.editRequest(r.Header, room[:0])
		defer putBack(was) // also when the response is broken off
	}
	if !h.changesResponse() {
		h.serve(w, r)
		return
	}
	rw := &response{handler: h, request: r, origin: origin}
	rw.Init(w, rw)
	h.serve(rw, r)
	rw.Finish() // the handler may have left it to the server to send the headers
}

// response is that to one request.
type response struct {
	responsehead.Writer
	handler *handler
	request *http.Request
	origin  string
}

// InParts implements responsehead.Picky: cookies cannot be taken out of what is sent on as
// it came.
func (rw *response) InParts(responsehead.Received) bool { return rw.handler.cookies }

// EditHead implements responsehead.Editor.
func (rw *response) EditHead(header responsehead.Head) {
	h := rw.handler
	apply(header, h.security)
	if len(h.onTLS) > 0 && h.guard.overTLS(rw.request) {
		apply(header, h.onTLS)
	}
	apply(header, h.response)
	if h.cors != nil {
		h.cors.edit(header, rw.origin)
	}
}

func (h *handler) serve(w http.ResponseWriter, r *http.Request) {
	if h.guard.answers(w, r) {
		return
	}
	h.next.ServeHTTP(w, r)
}

func (h *handler) changesResponse() bool {
	return h.cors != nil || len(h.security)+len(h.onTLS)+len(h.response) > 0
}
