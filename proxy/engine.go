package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/traefik/paerser/types"

	"fairway/http1"
	"fairway/internal/answer"
	"fairway/internal/giveup"
	"fairway/internal/record"
	"fairway/internal/responsehead"
)

// Engine forwards by fairway's own HTTP/1.1 client. Servers that are reached by
// TLS or speak HTTP/2 are left to the standard library.
type Engine struct {
	standard                       *Standard
	connect, firstByte, unusedTime time.Duration // see ForwardingTimeouts
	unused                         int           // connections that are kept
}

// NewEngine makes the forwarder with the defaults for talking to servers, which
// are those of ServersTransport.
func NewEngine() *Engine {
	c := defaultTransport()
	return newEngine(c, c.ForwardingTimeouts, nil)
}

func newEngine(c *ServersTransport, t *ForwardingTimeouts, secure *tls.Config) *Engine {
	e := &Engine{
		standard: newStandard(c, t, secure), unused: c.MaxIdleConnsPerHost,
		connect: orEver(t.DialTimeout), firstByte: time.Duration(t.ResponseHeaderTimeout), unusedTime: orEver(t.IdleConnTimeout),
	}
	if e.unused == 0 {
		e.unused = -1
	}
	return e
}

// orEver is d, or as good as for ever when it is 0.
func orEver(d types.Duration) time.Duration {
	const ever = 10 * 365 * 24 * time.Hour
	if d == 0 {
		return ever
	}
	return time.Duration(d)
}

// RoundTripper sends requests as they are to servers that are reached by a scheme.
func (e *Engine) RoundTripper(scheme string) http.RoundTripper {
	if scheme == "h2c" {
		return e.standard.h2c
	}
	return e.standard.secure
}

// CloseIdle closes the connections that no request uses.
func (e *Engine) CloseIdle() { e.standard.CloseIdle() }

// Forward implements Forwarder.
func (e *Engine) Forward(w http.ResponseWriter, r *http.Request, target *Target, o Options) error {
	if target.URL.Scheme != "http" {
		return e.standard.Forward(w, r, target, o)
	}
	out := http1.Outgoing{URI: uriFor(r, target), Host: r.Host, Peer: peerOf(r)}
	if rec := record.From(r.Context()); rec != nil {
		out.DialTimeout = rec.Connect
	}
	if !o.PassHost {
		out.Host = target.URL.Host
	}
	origin := timed(r, target)
	x, err := e.upstreamOf(target).Do(w, r, &out)
	if err != nil {
		failed := failure(r.Context(), err, target)
		origin.failed(failed)
		return failed
	}
	origin.answered(x.Response.Status, x.Response.Length(), x.Response.Header)
	if o.Answered != nil {
		o.Answered(r, x.Response.Status)
	}
	if x.Upgraded() {
		return tunnel(w, r, x, target)
	}
	return answerWith(w, r, x, target)
}

// upstreamOf returns the connections to the target. They are kept over reloads as
// long as the target is, which belongs to one engine.
func (e *Engine) upstreamOf(t *Target) *http1.Upstream {
	if u := t.conns.Load(); u != nil {
		return u
	}
	address := t.URL.Host
	if t.URL.Port() == "" {
		address = net.JoinHostPort(t.URL.Hostname(), "80")
	}
	t.conns.CompareAndSwap(nil, &http1.Upstream{
		Address: address, DialTimeout: e.connect, HeaderTimeout: e.firstByte, IdleTimeout: e.unusedTime, MaxIdle: e.unused,
	})
	return t.conns.Load()
}

// uriFor is the target of the request as it is sent. What middlewares made of the
// path is in URL and RequestURI alike; requests in absolute form have it in URL.
func uriFor(r *http.Request, target *Target) string {
	uri := r.RequestURI
	switch {
	case target.PreservePath:
		u := *r.URL
		u.Path, u.RawPath = joinPath(target.URL, r.URL)
		uri = u.RequestURI()
	case uri == "" || uri[0] != '/':
		if uri = r.URL.RequestURI(); r.URL.Path == "*" {
			uri = "*"
		}
	}
	if path, query, ok := strings.Cut(uri, "?"); ok && strings.IndexByte(query, ';') >= 0 {
		return path + "?" + strings.ReplaceAll(query, ";", "&")
	}
	return uri
}

// peerOf is the address of the client, for X-Forwarded-For; "" to leave that as it is.
func peerOf(r *http.Request) string {
	if rec := record.From(r.Context()); rec != nil && (rec.Peer != "" || rec.Unlisted) {
		if rec.Unlisted {
			return ""
		}
		return rec.Peer
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return ""
	}
	return host
}

// answerWith passes the response on, the body as it comes.
func answerWith(w http.ResponseWriter, r *http.Request, x *http1.Exchange, target *Target) error {
	defer func() {
		if reason := x.End(); reason != nil {
			record.From(r.Context()).Fail(reason.Error())
		}
	}()
	switch err := responsehead.Forward(w, x.Response); {
	case err == nil:
		return nil
	case !errors.Is(err, responsehead.ErrInParts):
		broken(r, x, err, target)
	}
	h := w.Header()
	x.Response.Header(h)
	if x.Sends() {
		keepReading(w, r)
	}
	if _, named := h["Content-Type"]; !named {
		h["Content-Type"] = nil // a server that names no type has its reasons
	}
	if n := x.Response.Length(); n >= 0 {
		h["Content-Length"] = []string{fmt.Sprint(n)}
	}
	for name := range x.Announced() {
		h.Add("Trailer", name)
	}
	w.WriteHeader(x.Response.Status)
	switch err := passBody(w, x, x.Waits(), func(int) bool { return x.Waits() }); {
	case errors.Is(err, responsehead.ErrDropped):
		return nil // a middleware has something better
	case err != nil:
		broken(r, x, err, target)
	}
	passTrailers(w, x.Announced(), x.Trailer())
	return nil
}

// broken notes why a response could not be passed on to its end, and cuts the
// client off: it must not take the part for the whole.
func broken(r *http.Request, x *http1.Exchange, err error, target *Target) {
	if reason := x.Aborted(); reason != nil {
		err = reason
	}
	noteBroken(r, err, nil, target)
	panic(http.ErrAbortHandler)
}

// tunnel carries an upgraded connection.
func tunnel(w http.ResponseWriter, r *http.Request, x *http1.Exchange, target *Target) error {
	more := w.Header().Clone()
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		_ = x.End()
		return &Error{Err: fmt.Errorf("%s changed the protocol, which this connection cannot: %w", target.URL.Redacted(), err), Status: http.StatusBadGateway}
	}
	rec := record.From(r.Context())
	if rec != nil {
		rec.Status = http.StatusSwitchingProtocols
	}
	if _, err := conn.Write(x.AppendSwitch(nil, more)); err != nil {
		_ = conn.Close()
	}
	early := io.LimitReader(rw, int64(rw.Reader.Buffered()))
	received, sent := x.Tunnel(conn, early)
	rec.SetCarried(received, sent)
	return nil
}

// failure says in words why no response came, and finds the status for it.
func failure(ctx context.Context, err error, target *Target) *Error {
	e := &Error{Status: http.StatusBadGateway}
	_, e.Unsent = errors.AsType[*http1.DialError](err)
	_, e.Again = errors.AsType[*http1.RepeatableError](err)
	doing := "forward to"
	if e.Unsent {
		doing = "connect to"
	}
	var netErr net.Error
	switch {
	case giveup.Reason(ctx) != nil:
		err = giveup.Reason(ctx)
		e.Status, e.Unsent, e.Again = giveup.Status(err), false, false
	case errors.Is(err, http1.ErrClientGone), errors.Is(ctx.Err(), context.Canceled):
		e.Status, e.Unsent, e.Again = answer.StatusClientClosedRequest, false, false
		err = errors.New("the client went away")
	case http1.IsBodyError(err):
		e.Status = http.StatusBadRequest
		if errors.As(err, &netErr) && netErr.Timeout() {
			e.Status = http.StatusRequestTimeout
		}
	case errors.As(err, &netErr) && netErr.Timeout(), errors.Is(err, context.DeadlineExceeded):
		e.Status = http.StatusGatewayTimeout
	default:
		err = unexpected(err)
	}
	e.Class = classOf(err, e)
	e.Err = fmt.Errorf("%s %s: %w", doing, target.URL.Redacted(), err)
	return e
}

func isEnd(err error) bool { return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) }

func unexpected(err error) error {
	if isEnd(err) {
		return errors.New("the server closed the connection without an answer")
	}
	return err
}
