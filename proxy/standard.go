package proxy

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"time"

	"fairway/http1"
	"fairway/internal/answer"
)

// Standard forwards by the standard library's transport and reverse proxy.
type Standard struct {
	transport *http.Transport
}

// NewStandard makes the forwarder with the defaults for talking to servers:
// 5 s to connect, 10 s for a TLS handshake, 200 idle connections per server kept
// for 90 s, no time limit for the answer.
func NewStandard() *Standard {
	dialer := &net.Dialer{Timeout: 5 * time.Second, KeepAlive: 15 * time.Second}
	return &Standard{transport: &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            dialNoted(dialer),
		TLSHandshakeTimeout:    10 * time.Second,
		MaxIdleConnsPerHost:    200,
		IdleConnTimeout:        90 * time.Second,
		MaxResponseHeaderBytes: 1 << 20,
		ForceAttemptHTTP2:      true,
		DisableCompression:     true, // the encoding is between client and server
		ReadBufferSize:         16 << 10,
		WriteBufferSize:        16 << 10,
	}}
}

// CloseIdle closes the connections that no request uses.
func (s *Standard) CloseIdle() { s.transport.CloseIdleConnections() }

// dialError marks errors from before a connection stood: nothing was sent.
type dialError struct{ error }

func (e dialError) Unwrap() error { return e.error }

func dialNoted(d *net.Dialer) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := d.DialContext(ctx, network, address)
		if err != nil {
			return nil, dialError{err}
		}
		return conn, nil
	}
}

// Forward implements Forwarder.
func (s *Standard) Forward(w http.ResponseWriter, r *http.Request, target *Target, o Options) error {
	var failure *Error
	var body *readNoted
	p := httputil.ReverseProxy{
		Transport:     s.transport,
		FlushInterval: o.FlushInterval,
		Rewrite:       func(pr *httputil.ProxyRequest) { rewrite(pr, target, o) },
		ModifyResponse: func(res *http.Response) error {
			if res.StatusCode != http.StatusSwitchingProtocols {
				body = &readNoted{ReadCloser: res.Body}
				res.Body = body
			}
			return nil
		},
		ErrorHandler: func(_ http.ResponseWriter, r *http.Request, err error) {
			failure = explain(r.Context(), err, target)
		},
		ErrorLog: silent,
	}
	defer func() {
		// The reverse proxy gives up by a panic once the response has begun. The
		// cause would be lost with it.
		if body != nil && body.err != nil {
			noteBroken(r, body.err, target)
		}
	}()
	p.ServeHTTP(w, keepBody(r))
	if failure != nil {
		return failure
	}
	return nil
}

// keepBody lets a request be tried again: the transport closes the body also
// when it could not even connect.
func keepBody(r *http.Request) *http.Request {
	if r.Body == nil || r.Body == http.NoBody {
		return r
	}
	r2 := *r
	r2.Body = io.NopCloser(r.Body)
	return &r2
}

// rewrite addresses the request to the target. The headers that tell of the
// client were set at the entry point; the reverse proxy takes them for foreign.
func rewrite(pr *httputil.ProxyRequest, target *Target, o Options) {
	out := pr.Out
	out.URL.Scheme, out.URL.Host = target.URL.Scheme, target.URL.Host
	out.URL.User = nil
	if target.PreservePath {
		out.URL.Path, out.URL.RawPath = joinPath(target.URL, pr.In.URL)
	}
	out.URL.RawQuery = strings.ReplaceAll(pr.In.URL.RawQuery, ";", "&")
	if o.PassHost {
		out.Host = pr.In.Host
	} else {
		out.Host = target.URL.Host
	}
	out.Trailer = pr.In.Trailer // filled while the body is read
	if http1.UpgradeOf(pr.In.Header) == "" {
		out.Header.Del("Connection")
		out.Header.Del("Upgrade")
	}
	for _, name := range forwarded {
		if v := pr.In.Header[name]; v != nil {
			out.Header[name] = v
		}
	}
	appendPeer(out.Header, pr.In)
}

// appendPeer adds the client to X-Forwarded-For, unless a middleware has taken
// the header away (left it there without values).
func appendPeer(h http.Header, in *http.Request) {
	before, present := in.Header["X-Forwarded-For"]
	if present && len(before) == 0 {
		delete(h, "X-Forwarded-For")
		return
	}
	peer, _, err := net.SplitHostPort(in.RemoteAddr)
	if err != nil {
		return
	}
	h["X-Forwarded-For"] = []string{strings.Join(append(slices.Clip(before), peer), ", ")}
}

// forwarded are the headers that httputil.ReverseProxy removes before a Rewrite.
var forwarded = []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"}

// joinPath puts the path of base in front of that of u.
func joinPath(base, u *url.URL) (path, raw string) {
	join := func(a, b string) string { return strings.TrimSuffix(a, "/") + "/" + strings.TrimPrefix(b, "/") }
	path = join(base.Path, u.Path)
	if base.RawPath == "" && u.RawPath == "" {
		return path, ""
	}
	return path, join(base.EscapedPath(), u.EscapedPath())
}

// explain finds the status for an error from the transport, and says in words
// what happened with which server.
func explain(ctx context.Context, err error, target *Target) *Error {
	e := &Error{Status: http.StatusBadGateway}
	_, e.Unsent = errors.AsType[dialError](err)
	doing := "forward to"
	if e.Unsent {
		doing = "connect to"
	}
	var netErr net.Error
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		e.Status, e.Unsent = answer.StatusClientClosedRequest, false
		err = errors.New("the client went away")
	case errors.As(err, &netErr) && netErr.Timeout(), errors.Is(err, context.DeadlineExceeded):
		e.Status = http.StatusGatewayTimeout
	case isCertificate(err):
		e.Status = http.StatusInternalServerError
	case errors.Is(err, io.EOF):
		err = errors.New("the server closed the connection without an answer")
	}
	e.Err = fmt.Errorf("%s %s: %w", doing, target.URL.Redacted(), err)
	return e
}

func isCertificate(err error) bool {
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return true
	}
	_, ok := errors.AsType[x509.UnknownAuthorityError](err)
	return ok
}
