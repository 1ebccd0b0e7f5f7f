// Package lua runs a script of Lua for each request: it looks at requests and responses, changes them,
// answers by itself, or asks other services first.
//
// config.go is what the operator writes. A script is run in a sandbox (internal/sandbox), as far as it
// defines its functions, and then these are called: on_request here, the others from response.go.
// exchange.go is the request that a script is about, and api.go what scripts know of it; fields.go are
// headers and the query, body.go bodies, call.go the other services. Where a script has only on_request,
// nothing is in the way of the response.
package lua

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"

	"github.com/sirupsen/logrus"

	"fairway/internal/freshfile"
	"fairway/internal/mishaps"
	"fairway/internal/sandbox"
	"fairway/middlewares"
)

// program is a script that has been read, and which functions it has.
type program struct {
	script                               *sandbox.Script
	onRequest, onResponse, onBody, onLog bool
}

type handler struct {
	name     string // of the middleware
	program  func() *program
	most     int64 // of a body
	services map[string]http.Handler
	mishaps  *mishaps.Mishaps
	log      logrus.FieldLogger
	next     http.Handler
}

// New implements middlewares.Config.
func (c *Config) New(ctx context.Context, env middlewares.Env, next http.Handler) (http.Handler, error) {
	limits, err := c.limits()
	if err != nil {
		return nil, err
	}
	h := &handler{name: env.Name, most: c.MaxBodyBytes, services: map[string]http.Handler{}, log: env.Log, next: next}
	for _, name := range c.Services {
		if h.services[name], err = env.Service(name); err != nil {
			return nil, fmt.Errorf("services: %w", err)
		}
	}
	h.mishaps, _ = env.Keep(func() any { return &mishaps.Mishaps{} }).(*mishaps.Mishaps)
	if h.mishaps == nil { // of a middleware of the name that was something else
		h.mishaps = &mishaps.Mishaps{}
	}
	if h.program, err = c.programs(ctx, h, limits); err != nil {
		return nil, err
	}
	h.mishaps.Fresh()
	return h, nil
}

// programs tells of the script at any time: it may be in a file that changes.
func (c *Config) programs(ctx context.Context, h *handler, limits sandbox.Limits) (func() *program, error) {
	if c.File == "" {
		p, err := read(ctx, "script", c.Script, limits)
		if err != nil {
			return nil, fmt.Errorf("script: %w", err)
		}
		return func() *program { return p }, nil
	}
	file, err := freshfile.Open(c.File, func(text []byte) (*program, error) {
		p, err := read(ctx, filepath.Base(c.File), string(text), limits)
		if err != nil {
			h.mishaps.Unusable(err)
			return nil, err
		}
		h.mishaps.Fresh()
		return p, nil
	}, h.log)
	if err != nil {
		return nil, fmt.Errorf("file: %w", err)
	}
	return file.Value, nil
}

// The functions that a script may have.
const (
	onRequest  = "on_request"
	onResponse = "on_response"
	onBody     = "on_body"
	onLog      = "on_log"
)

// read compiles a script, and runs it once: what is wrong with it is known before the first request.
func read(ctx context.Context, name, text string, limits sandbox.Limits) (*program, error) {
	script, err := sandbox.Compile(name, text, limits, library)
	if err != nil {
		return nil, err
	}
	run, err := script.Begin(ctx, &exchange{})
	defer run.End()
	if err != nil {
		return nil, err
	}
	p := &program{script: script, onRequest: run.Has(onRequest), onResponse: run.Has(onResponse), onBody: run.Has(onBody), onLog: run.Has(onLog)}
	if !p.onRequest && !p.onResponse && !p.onBody && !p.onLog {
		return nil, fmt.Errorf("it defines none of %s, %s, %s and %s", onRequest, onResponse, onBody, onLog)
	}
	return p, nil
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p := h.program()
	x := &exchange{handler: h, client: w, r: r}
	defer x.end()
	var err error
	if x.run, err = p.script.Begin(r.Context(), x); err != nil {
		x.refuse(err)
		return
	}
	if answered := x.request(p); answered {
		return
	}
	if !p.onResponse && !p.onBody && !p.onLog {
		x.release()
		h.next.ServeHTTP(w, x.r)
		return
	}
	x.serve(p)
}

// request calls on_request. It tells whether that, or what went wrong in it, was the answer.
func (x *exchange) request(p *program) (answered bool) {
	if !p.onRequest {
		return false
	}
	x.at = inRequest
	err := x.run.Call(onRequest, x.run.Global("request"))
	switch {
	case err != nil:
		x.refuse(err)
		return true
	case x.refusal != nil:
		middlewares.Refuse(x.client, x.r, x.refusal.status, "lua: "+x.refusal.cause)
		return true
	case x.reply != nil:
		x.status = x.reply.status
		x.reply.send(x.client, x.r)
		x.tell(p)
		return true
	}
	x.applyQuery()
	return false
}

// refuse answers a request whose script has failed.
func (x *exchange) refuse(err error) {
	x.note(err)
	middlewares.Refuse(x.client, x.r, http.StatusInternalServerError, "lua: "+err.Error())
}

// note counts an error, and tells the log of it once in a while.
func (x *exchange) note(err error) {
	if x.r.Context().Err() != nil { // the client has gone: nothing is wrong with the script
		return
	}
	if x.handler.mishaps.Note(err.Error()) {
		x.handler.log.WithFields(logrus.Fields{"method": x.r.Method, "path": x.r.URL.Path}).Warn("a script has failed: " + err.Error())
	}
}

// tell calls on_log, when all is over.
func (x *exchange) tell(p *program) {
	if !p.onLog || x.run == nil {
		return
	}
	x.at = inLog
	if err := x.run.Call(onLog, x.run.Global("request"), x.run.Global("response")); err != nil {
		x.note(err)
	}
}
