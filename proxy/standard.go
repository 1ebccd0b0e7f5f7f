package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"maps"
	"net/http"
	"net/http/httptrace"
	"slices"
	"time"

	"fairway/http1"
)

// Standard forwards by the transports of the standard library: to servers that are
// reached by TLS, by HTTP/2 where they offer it (RFC 9113, section 3.2) and by
// HTTP/1.1 where not, and to servers that speak HTTP/2 in plain text, of which that
// has to be known before (h2c, section 3.3).
//
// When all streams that a server allows on one connection are taken, a further
// connection is opened. Requests do not wait for those of other clients: one that
// listens for hours would hold up the rest. A server is protected from too many
// requests by a limit of requests, not by a queue of streams.
type Standard struct {
	secure  *http.Transport
	upgrade *http.Transport // HTTP/1.1 only: HTTP/2 has no Upgrade
	h2c     *http.Transport
}

// NewStandard makes the forwarder with the defaults for talking to servers, which are
// those of ServersTransport: 5 s to connect, 10 s for a TLS handshake, 200 idle
// connections per server kept for 90 s, heads of responses up to 64 KiB, no time limit
// for the answer.
func NewStandard() *Standard {
	c := defaultTransport()
	return newStandard(c, c.ForwardingTimeouts, nil)
}

func newStandard(c *ServersTransport, t *ForwardingTimeouts, secure *tls.Config) *Standard {
	s := &Standard{secure: newTransport(c, t, secure), upgrade: newTransport(c, t, secure), h2c: newTransport(c, t, nil)}
	s.secure.Protocols.SetHTTP1(true)
	s.secure.Protocols.SetHTTP2(!c.DisableHTTP2)
	s.upgrade.Protocols.SetHTTP1(true)
	s.h2c.Protocols.SetUnencryptedHTTP2(true)
	s.h2c.Proxy = nil
	return s
}

const (
	// streamBuffer is how much of a response waits here for a client that reads
	// slowly. Then the server has to wait (RFC 9113, section 5.2). It bounds the speed
	// of one response, too: to this in the time that a packet goes there and back.
	streamBuffer = 64 << 10
	// headBytes is the longest head of a response, as in HTTP/1.1.
	headBytes = 64 << 10
)

func newTransport(c *ServersTransport, t *ForwardingTimeouts, secure *tls.Config) *http.Transport {
	idle := c.MaxIdleConnsPerHost
	if idle == 0 {
		idle = -1 // its 0 means two
	}
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            dialer(time.Duration(t.DialTimeout)),
		TLSClientConfig:        secure.Clone(),
		TLSHandshakeTimeout:    10 * time.Second,
		MaxIdleConnsPerHost:    idle,
		IdleConnTimeout:        time.Duration(t.IdleConnTimeout),
		ResponseHeaderTimeout:  time.Duration(t.ResponseHeaderTimeout),
		MaxResponseHeaderBytes: headBytes,
		DisableCompression:     true, // the encoding is between client and server
		ReadBufferSize:         16 << 10,
		WriteBufferSize:        16 << 10,
		Protocols:              new(http.Protocols),
		HTTP2: &http.HTTP2Config{
			// Servers by gRPC close connections that ask more than twice in five minutes, with
			// all that is under way. What is lost on the way to a server is noticed by TCP,
			// long before; see dial.
			SendPingTimeout: time.Duration(t.ReadIdleTimeout), PingTimeout: time.Duration(t.PingTimeout),
			MaxReceiveBufferPerStream: streamBuffer,
		},
	}
}

// CloseIdle closes the connections that no request uses.
func (s *Standard) CloseIdle() {
	s.secure.CloseIdleConnections()
	s.upgrade.CloseIdleConnections()
	s.h2c.CloseIdleConnections()
}

// Forward implements Forwarder.
func (s *Standard) Forward(w http.ResponseWriter, r *http.Request, target *Target, o Options) error {
	ctx, cancel := context.WithCancelCause(r.Context())
	defer cancel(nil)
	body := shareBody(r)
	inform := &informer{client: w, mute: !r.ProtoAtLeast(1, 1)}
	origin := timed(r, target)
	out := outgoing(r, target, o)
	t := s.transport(out, target)
	// Credentials that are for a connection would let in whoever comes on it next.
	out.Close = out.Close || slices.ContainsFunc(out.Header["Authorization"], http1.ByConnection)
	out.Body = body.attempt(out)
	out = out.WithContext(httptrace.WithClientTrace(connectWithin(ctx), &httptrace.ClientTrace{
		Got1xxResponse: inform.pass,
		GotConn:        endlessRefusals(cancel),
	}))
	res, err := t.RoundTrip(out)
	inform.end()
	if err != nil {
		failed := explain(r, err, context.Cause(ctx), target, body)
		origin.failed(failed)
		if !failed.Unsent && !failed.Again {
			body.end(w)
		}
		return failed
	}
	defer body.end(w)
	defer func() { _ = res.Body.Close() }()
	origin.answered(res.StatusCode, res.ContentLength, func(h http.Header) { maps.Copy(h, res.Header.Clone()) })
	if o.Answered != nil {
		o.Answered(r, res.StatusCode)
	}
	if res.StatusCode == http.StatusSwitchingProtocols {
		return switchProtocol(w, r, res, target)
	}
	pass(w, r, res, target, body)
	return nil
}

// transport returns that for a request, and brings the request into its form.
func (s *Standard) transport(out *http.Request, target *Target) *http.Transport {
	switch {
	case target.URL.Scheme == "h2c":
		out.URL.Scheme = "http"
		out.Header.Del("Connection")
		out.Header.Del("Upgrade")
		return s.h2c
	case http1.UpgradeOf(out.Header) != "":
		return s.upgrade
	}
	return s.secure
}

// errRefuses ends a request to a server that does not let it begin.
var errRefuses = errors.New("the server refuses to begin with requests")

// mostRefusals is how often a request is offered to one server. The transport
// would do it for a minute, while others may be there to serve it.
const mostRefusals = 2

// endlessRefusals counts how often a request is given to a connection by HTTP/2:
// each time but the first follows a refusal.
func endlessRefusals(cancel context.CancelCauseFunc) func(httptrace.GotConnInfo) {
	offered := 0
	return func(info httptrace.GotConnInfo) {
		if c, ok := info.Conn.(*tls.Conn); ok && c.ConnectionState().NegotiatedProtocol != "h2" {
			return
		}
		if offered++; offered > mostRefusals {
			cancel(errRefuses)
		}
	}
}
