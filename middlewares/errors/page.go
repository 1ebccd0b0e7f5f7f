package errors

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"fairway/internal/headername"
	"fairway/internal/record"
	"fairway/middlewares"
)

// serve answers with the page for a status. Where there is no page the answer is the
// text of the status. Not whole is a page that broke off.
func (h *handler) serve(w http.ResponseWriter, r *http.Request, status int) (whole bool) {
	sent := h.rewritten(status)
	asked, err := h.request(r, sent, status)
	if err != nil {
		middlewares.Refuse(w, r, sent, "errors: "+err.Error())
		return true
	}
	p := &page{to: w, header: http.Header{}, status: sent, original: status, head: r.Method == http.MethodHead}
	// The record is about the request of the client, also when the page fails.
	rec := record.From(r.Context())
	var leaf, server string
	if rec != nil {
		leaf, server = rec.Leaf, rec.Server
	}
	cause := h.get(p, asked)
	if rec != nil {
		rec.Leaf, rec.Server = leaf, server
	}
	switch {
	case p.bad != 0:
		cause = fmt.Sprintf("errors: the service %q answered %d instead of a page", h.name, p.bad)
	case cause == "" && !p.begun:
		p.WriteHeader(http.StatusOK)
	}
	if !p.begun {
		middlewares.Refuse(w, r, sent, cause)
		return true
	}
	return cause == ""
}

// get lets the service of the pages answer. A cause says that it broke off.
func (h *handler) get(p *page, r *http.Request) (cause string) {
	defer func() {
		switch reason := recover(); reason {
		case nil:
		case http.ErrAbortHandler:
			cause = fmt.Sprintf("errors: the service %q broke off", h.name)
		default:
			panic(reason)
		}
	}()
	h.page.ServeHTTP(p, r)
	return ""
}

// request is that for the page.
func (h *handler) request(r *http.Request, status, original int) (*http.Request, error) {
	target := h.query.target(status, original, r.URL.RequestURI())
	u, err := url.ParseRequestURI(target)
	if err != nil {
		return nil, fmt.Errorf("query: %w", err)
	}
	asked := &http.Request{
		Method: http.MethodGet, URL: u, RequestURI: target, Host: r.Host, RemoteAddr: r.RemoteAddr, TLS: r.TLS,
		Proto: r.Proto, ProtoMajor: r.ProtoMajor, ProtoMinor: r.ProtoMinor, Header: h.requestHeader(r.Header), Body: http.NoBody,
	}
	return asked.WithContext(r.Context()), nil
}

func (h *handler) requestHeader(from http.Header) http.Header {
	header := http.Header{}
	if h.headers == nil {
		header = from.Clone()
	}
	for _, name := range h.headers {
		if values, ok := from[name]; ok {
			header[name] = values
		}
	}
	headername.RemoveHop(header)
	for name := range header {
		switch {
		case strings.HasPrefix(name, "Content-"), strings.HasPrefix(name, "If-"), strings.HasPrefix(name, "Sec-Websocket-"),
			name == "Expect", name == "Range":
			delete(header, name)
		}
	}
	return header
}

// page passes the response of the service of the pages on, with another status.
// Where that is no page either, it is dropped.
type page struct {
	to               http.ResponseWriter
	header           http.Header
	status, original int
	head             bool // the client wants no body
	begun            bool
	said             int // the status that the service has given; 0: none yet
	bad              int // the status of what is no page
}

// Status implements the contract of writers that know their status.
func (p *page) Status() int { return p.said }

// Header implements http.ResponseWriter.
func (p *page) Header() http.Header { return p.header }

// WriteHeader implements http.ResponseWriter. A service may give a page the status
// that it is for.
func (p *page) WriteHeader(status int) {
	if p.begun || p.bad != 0 || status < 200 {
		return
	}
	p.said = status
	if status > 299 && status != p.status && status != p.original {
		p.bad = status
		return
	}
	p.begun = true
	h := p.to.Header()
	for name, values := range p.header {
		if outlives(name) && len(values) > 0 {
			h[name] = append(h[name], values...)
		} else {
			h[name] = values
		}
	}
	p.to.WriteHeader(p.status)
}

func (p *page) Write(b []byte) (int, error) {
	p.WriteHeader(http.StatusOK)
	if p.bad != 0 || p.head {
		return len(b), nil
	}
	return p.to.Write(b)
}

// ReadFrom lets the inner writer use sendfile and splice, if it can.
func (p *page) ReadFrom(src io.Reader) (int64, error) {
	p.WriteHeader(http.StatusOK)
	if p.bad != 0 || p.head {
		return io.Copy(io.Discard, src)
	}
	return io.Copy(p.to, src)
}

// FlushError is the form of Flush that http.ResponseController looks for.
func (p *page) FlushError() error {
	p.WriteHeader(http.StatusOK)
	if p.bad != 0 {
		return nil
	}
	return http.NewResponseController(p.to).Flush()
}

// Flush implements http.Flusher, for handlers that ask for it directly.
func (p *page) Flush() { _ = p.FlushError() }
