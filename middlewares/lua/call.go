package lua

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"
	"time"

	glua "github.com/yuin/gopher-lua"

	"fairway/internal/giveup"
	"fairway/internal/headername"
	"fairway/internal/record"
)

const (
	mostCalls = 16 // for one request
	patience  = 10 * time.Second
)

// call asks a service of the gateway: call(service, {method, path, headers, body}). It returns a table
// with status, headers, by their names in lower case, and body; or nil and why there is no answer.
func (a *api) call(l *glua.LState) int {
	x := a.exchange("call", inRequest, inResponse, inBody)
	name := l.CheckString(1)
	service := x.handler.services[name]
	if service == nil {
		a.run.Fail("call: %q is not among services", name)
	}
	if x.calls++; x.calls > mostCalls {
		a.run.Fail("call: there are more than %d calls", mostCalls)
	}
	r, err := a.outgoing(x, l.OptTable(2, l.NewTable()))
	if err != nil {
		a.run.Fail("call: %s", err.Error())
	}
	w := &answered{header: http.Header{}, most: x.handler.most}
	a.run.Waiting(func() { err = x.ask(service, w, r) })
	if err != nil {
		l.Push(glua.LNil)
		l.Push(a.run.Text(err.Error()))
		return 2
	}
	headers := map[string]any{}
	for name, values := range w.header {
		headers[strings.ToLower(name)] = strings.Join(values, ", ")
	}
	a.run.Take(w.body.Len())
	l.Push(a.run.Value(map[string]any{"status": float64(w.status), "headers": headers, "body": w.body.String()}))
	return 1
}

// outgoing makes the request to a service. Where the first one is from, and which trace it belongs to,
// goes along; credentials do not.
func (a *api) outgoing(x *exchange, options *glua.LTable) (*http.Request, error) {
	text := func(name, otherwise string) string {
		if v := options.RawGetString(name); glua.LVCanConvToString(v) {
			return glua.LVAsString(v)
		}
		return otherwise
	}
	path := text("path", "/")
	u, err := url.ParseRequestURI(path)
	if err != nil || !strings.HasPrefix(path, "/") {
		return nil, fmt.Errorf("path: %q is none", path)
	}
	method := text("method", http.MethodGet)
	if !headername.Valid(method) { // it would end the first line of the request, and begin another one
		return nil, fmt.Errorf("method: %q is none", method)
	}
	given, _ := options.RawGetString("headers").(*glua.LTable)
	header := a.headerOf(given, "call: headers")
	for name, values := range x.r.Header {
		if isOrigin(name) {
			header[name] = values
		}
	}
	body := text("body", "")
	r := &http.Request{
		Method: method, URL: u, RequestURI: path, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: header,
		Host: x.r.Host, RemoteAddr: x.r.RemoteAddr, TLS: x.r.TLS, Body: http.NoBody,
	}
	if body != "" {
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
	}
	return r, nil
}

// isOrigin tells of headers that say where a request is from, and which trace it belongs to.
func isOrigin(name string) bool {
	switch name {
	case "X-Real-Ip", "Forwarded", "Traceparent", "Tracestate", "Baggage", "B3":
		return true
	}
	return strings.HasPrefix(name, "X-Forwarded-") || strings.HasPrefix(name, "X-B3-")
}

// ask has a service answer. What breaks off there does not break the script off.
func (x *exchange) ask(service http.Handler, w *answered, r *http.Request) (err error) {
	ctx, cancel := giveup.WithCancel(x.r.Context())
	defer cancel(nil)
	late := time.AfterFunc(patience, func() { cancel(giveup.TooLong("lua: a call has taken longer than " + patience.String())) })
	defer late.Stop()
	rec := &record.Record{Start: time.Now()}
	if from := record.From(x.r.Context()); from != nil {
		*rec = record.Record{
			Start: time.Now(), EntryPoint: from.EntryPoint, Host: from.Host, ClientIP: from.ClientIP, Peer: from.Peer,
			Unlisted: from.Unlisted, Router: from.Router, Service: from.Service, Identity: from.Identity, User: from.User,
		}
	}
	defer func() {
		if reason := recover(); reason != nil {
			if reason != http.ErrAbortHandler { //nolint:errorlint // a panic value, compared as net/http does
				x.handler.log.Errorf("panic in a call: %v\n%s", reason, debug.Stack())
			}
			err = errors.New("the answer was broken off")
		}
	}()
	service.ServeHTTP(w, r.WithContext(record.With(ctx, rec)))
	switch {
	case w.tooLong:
		return errors.New("the answer is longer than maxBodyBytes")
	case giveup.Reason(ctx) != nil:
		return errors.New("timeout")
	case rec.Cause != "":
		return errors.New("no server has answered")
	}
	w.WriteHeader(http.StatusOK)
	return nil
}

// answered keeps what a service answers.
type answered struct {
	header  http.Header
	status  int
	body    bytes.Buffer
	most    int64
	tooLong bool
}

// Header implements http.ResponseWriter.
func (w *answered) Header() http.Header { return w.header }

// WriteHeader implements http.ResponseWriter.
func (w *answered) WriteHeader(status int) {
	if w.status == 0 && status >= 200 {
		w.status = status
	}
}

func (w *answered) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	if w.tooLong = w.tooLong || int64(w.body.Len()+len(p)) > w.most; w.tooLong {
		return 0, errors.New("the answer is too long")
	}
	return w.body.Write(p)
}

// Flush implements http.Flusher.
func (w *answered) Flush() { w.WriteHeader(http.StatusOK) }
