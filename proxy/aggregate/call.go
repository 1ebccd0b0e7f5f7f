package aggregate

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"runtime/debug"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/sirupsen/logrus"

	"fairway/internal/giveup"
	"fairway/internal/jq"
	"fairway/internal/record"
	"fairway/internal/texts"
)

// failure is why a part has none of what was wanted.
type failure struct {
	Part   string `json:"part"`
	Status int    `json:"status,omitempty"` // that the service answered
	Cause  string `json:"cause"`
	Millis int64  `json:"ms"`
	Items  int    `json:"items,omitempty"` // that have failed, with each

	detail string      // for the operator
	header http.Header // of the answer
	again  bool        // another try may help
	late   bool
	bad    bool // it is the request's fault
}

// givenUp is the cause of a request that was given up for another that has failed.
const givenUp = "given up"

// outgoing is one request to a service.
type outgoing struct {
	method, uri string
	header      http.Header
	body        []byte
}

// key tells requests apart that are the same for the service.
func (o *outgoing) key() string {
	var b strings.Builder
	b.WriteString(o.method + " " + o.uri + "\n")
	_ = o.header.WriteSubset(&b, nil)
	b.Write(o.body)
	return b.String()
}

// prepare makes the request to the part.
func (p *part) prepare(ctx context.Context, f *run, v *values) (*outgoing, *failure) {
	fails := func(of string, err error) *failure {
		cause := of + " cannot be made"
		if _, nothing := errors.AsType[texts.Nothing](err); nothing {
			cause = of + ": " + err.Error()
		}
		return &failure{Cause: cause, detail: of + ": " + err.Error()}
	}
	path, err := p.path.Render(v.text, texts.Segment, true)
	if err != nil {
		return nil, fails("path", err)
	}
	o := &outgoing{method: p.method, uri: path, header: f.header()}
	query := url.Values{}
	for _, q := range p.query {
		text, err := q.Render(v.text, texts.AsItIs, false)
		if err != nil {
			return nil, fails("query."+q.name, err)
		}
		if text != "" {
			query.Set(q.name, text)
		}
	}
	if len(query) > 0 {
		o.uri += "?" + query.Encode()
	}
	for _, h := range p.headers {
		text, err := h.Render(v.text, texts.OneLine, false)
		if err != nil {
			return nil, fails("headers."+h.name, err)
		}
		if text == "" {
			o.header.Del(h.name)
			continue
		}
		o.header.Set(h.name, text)
	}
	if p.body != nil {
		if o.body, err = f.json(ctx, p.body, map[string]any{"item": v.item, "args": orEmpty(v.args), "parent": jq.Copy(v.parent)}); err != nil {
			return nil, fails("body", err)
		}
		o.header.Set("Content-Type", "application/json")
	}
	return o, nil
}

// send asks the service, again if that may help, and returns its answer.
func (p *part) send(ctx context.Context, f *run, o *outgoing) (body []byte, failed *failure) {
	tries := 1
	switch p.method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodPut, http.MethodDelete, http.MethodTrace:
		tries += p.retries
	}
	for range tries {
		if body, failed = p.sendOnce(ctx, f, o); failed == nil || !failed.again || ctx.Err() != nil {
			break
		}
	}
	return body, failed
}

func (p *part) sendOnce(ctx context.Context, f *run, o *outgoing) (body []byte, failed *failure) {
	ctx, cancel := giveup.WithCancel(ctx)
	defer cancel(nil)
	late := time.AfterFunc(p.timeout, func() { cancel(giveup.TooLong("aggregate: the part " + p.name + " has taken longer than its timeout")) })
	defer late.Stop()
	rec := f.recordOf()
	r := f.requestOf(record.With(ctx, rec), o)
	w := &answer{header: http.Header{}, most: f.service.limits.body, total: &f.bytes, mostTotal: f.service.limits.total, cancel: func() { cancel(nil) }}
	broken := p.serve(f.service.log, w, r)
	f.heed(w.header)
	detail := rec.Cause
	switch {
	case w.tooLong:
		return nil, &failure{Cause: "the answer is too long", Status: w.status, detail: detail}
	case giveup.Reason(ctx) != nil:
		return nil, &failure{Cause: "timeout", detail: detail, again: true, late: true}
	case ctx.Err() != nil:
		return nil, &failure{Cause: givenUp, detail: detail}
	case broken:
		return nil, &failure{Cause: "the answer was broken off", Status: w.status, detail: detail, again: true}
	case rec.Cause != "" && w.status >= 500: // the gateway's own: no server has answered
		return nil, &failure{Cause: "no server has answered", detail: detail, again: true, late: w.status == http.StatusGatewayTimeout}
	case !p.accepts.Has(w.status):
		return nil, &failure{Cause: "status", Status: w.status, detail: detail, again: w.status >= 500, header: w.header}
	case w.header.Get("Content-Encoding") != "" && w.header.Get("Content-Encoding") != "identity":
		return nil, &failure{Cause: "the answer has an encoding that nobody asked for", Status: w.status}
	}
	return w.body.Bytes(), nil
}

// heed notes who may keep the answer of a part: nobody may keep more of it as a piece of another one.
func (f *run) heed(h http.Header) {
	for _, line := range h["Cache-Control"] {
		for directive := range strings.SplitSeq(strings.ToLower(line), ",") {
			switch name, _, _ := strings.Cut(strings.TrimSpace(directive), "="); name {
			case "no-store":
				f.unkept.Store(true)
			case "private", "no-cache":
				f.private.Store(true)
			}
		}
	}
}

// keeping says who may keep an answer: nobody but the client, if it is known who asks, or a part is for that one alone.
func (f *run) keeping(h http.Header) {
	switch asks := f.client.Header; {
	case h.Get("Cache-Control") != "":
	case f.unkept.Load():
		h.Set("Cache-Control", "no-store")
	case f.private.Load(), f.identity != nil, len(asks["Authorization"]) > 0, len(asks["Cookie"]) > 0:
		h.Set("Cache-Control", "private")
	}
}

// serve has the service answer. It tells whether that was broken off; a mistake in a part ends the
// part, and not the program.
func (p *part) serve(log logrus.FieldLogger, w *answer, r *http.Request) (broken bool) {
	defer func() {
		reason := recover()
		if broken = reason != nil; broken && reason != http.ErrAbortHandler { //nolint:errorlint // a panic value, compared as net/http does
			log.WithField("part", p.name).Errorf("panic in a part: %v\n%s", reason, debug.Stack())
		}
	}()
	p.child.ServeHTTP(w, r)
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return false
}

// header is what all parts get of the request's.
func (f *run) header() http.Header {
	out := http.Header{}
	for name, all := range f.client.Header {
		if slices.Contains(f.service.forward, name) || isOrigin(name) || slices.Contains(f.service.forward, "*") && !ofBody(name) {
			out[name] = slices.Clone(all)
		}
	}
	return out
}

// isOrigin tells of headers that say where a request is from, and which trace it belongs to.
func isOrigin(name string) bool {
	switch name {
	case "X-Real-Ip", "Forwarded", "Traceparent", "Tracestate", "Baggage", "B3":
		return true
	}
	return strings.HasPrefix(name, "X-Forwarded-") || strings.HasPrefix(name, "X-B3-")
}

// ofBody tells of headers that are about the body, the connection, or a part of an answer: they
// would be wrong for a request of another kind.
func ofBody(name string) bool {
	switch name {
	case "Connection", "Upgrade", "Te", "Trailer", "Transfer-Encoding", "Keep-Alive", "Proxy-Connection", "Expect", "Range", "Accept", "Accept-Encoding":
		return true
	}
	return strings.HasPrefix(name, "Content-") || strings.HasPrefix(name, "If-")
}

// recordOf is a record of its own for a request to a part.
func (f *run) recordOf() *record.Record {
	from := record.From(f.client.Context())
	if from == nil {
		return &record.Record{}
	}
	return &record.Record{
		Start: time.Now(), EntryPoint: from.EntryPoint, Host: from.Host, ClientIP: from.ClientIP, Peer: from.Peer,
		Unlisted: from.Unlisted, Router: from.Router, Service: from.Service, Identity: f.identity, User: from.User,
	}
}

func (f *run) requestOf(ctx context.Context, o *outgoing) *http.Request {
	u := &url.URL{Path: "/"}
	if parsed, err := url.ParseRequestURI(o.uri); err == nil {
		u = parsed
	}
	r := (&http.Request{
		Method: o.method, URL: u, RequestURI: o.uri, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: o.header.Clone(),
		Host: f.client.Host, RemoteAddr: f.client.RemoteAddr, TLS: f.client.TLS, Body: http.NoBody,
	}).WithContext(ctx)
	if o.body != nil {
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(o.body)), int64(len(o.body))
	}
	return r
}

// answer keeps what a service answers, up to its limits.
type answer struct {
	header    http.Header
	status    int
	body      bytes.Buffer
	most      int64
	total     *atomic.Int64
	mostTotal int64
	tooLong   bool
	cancel    func()
}

var errTooLong = errors.New("the answer is too long")

// Header implements http.ResponseWriter.
func (a *answer) Header() http.Header { return a.header }

// Status is that of the answer.
func (a *answer) Status() int { return a.status }

// WriteHeader implements http.ResponseWriter.
func (a *answer) WriteHeader(status int) {
	if a.status == 0 && status >= 200 {
		a.status = status
	}
}

func (a *answer) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	if int64(a.body.Len()+len(p)) > a.most || a.total.Add(int64(len(p))) > a.mostTotal {
		if !a.tooLong {
			a.tooLong = true
			a.cancel()
		}
		return 0, errTooLong
	}
	return a.body.Write(p)
}

// Flush implements http.Flusher.
func (a *answer) Flush() { a.WriteHeader(http.StatusOK) }
