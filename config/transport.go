package config

import "github.com/traefik/paerser/types"

// Transport has the limits of connections.
type Transport struct {
	// LifeCycle says how requests end when fairway stops.
	LifeCycle *LifeCycle `json:"lifeCycle,omitempty"`
	// RespondingTimeouts bound how long clients may take.
	RespondingTimeouts *RespondingTimeouts `json:"respondingTimeouts,omitempty"`
	// KeepAliveMaxTime is the age from which a connection serves no further request,
	// so that clients spread over gateways that were added. Not by HTTP/3. Default: 0s,
	// no limit.
	KeepAliveMaxTime types.Duration `json:"keepAliveMaxTime,omitempty"`
	// KeepAliveMaxRequests is how many requests a connection serves. The last response
	// says that it ends; by HTTP/2, requests already under way are served, too. Not by
	// HTTP/3. Default: 0, no limit.
	KeepAliveMaxRequests int `json:"keepAliveMaxRequests,omitempty"`
}

// SetDefaults implements the defaults documented at the fields.
func (t *Transport) SetDefaults() {
	t.LifeCycle = &LifeCycle{}
	t.LifeCycle.SetDefaults()
	t.RespondingTimeouts = &RespondingTimeouts{}
	t.RespondingTimeouts.SetDefaults()
}

// LifeCycle says how requests end when fairway stops.
type LifeCycle struct {
	// RequestAcceptGraceTimeout is how long requests are still accepted after the
	// order to stop, for load balancers in front to notice. Default: 0s.
	RequestAcceptGraceTimeout types.Duration `json:"requestAcceptGraceTimeout,omitempty"`
	// GraceTimeOut is how long requests under way may take to end. Default: 10s.
	GraceTimeOut types.Duration `json:"graceTimeOut,omitempty"`
}

// SetDefaults implements the defaults documented at the fields.
func (l *LifeCycle) SetDefaults() { l.GraceTimeOut = types.Duration(10 * second) }

// RespondingTimeouts bound how long clients may take.
type RespondingTimeouts struct {
	// ReadHeaderTimeout is the longest time for what comes before a body: the PROXY
	// header, the TLS handshake, the head of a request. 0s is the default: no honest
	// client takes long for these. By HTTP/2 and HTTP/3 it counts until the connection
	// stands; what is left unfinished after that ends with idleTimeout. Default: 10s.
	ReadHeaderTimeout types.Duration `json:"readHeaderTimeout,omitempty"`
	// ReadTimeout is the longest time for a whole request with its body.
	// Default: 0s, no limit, so that slow uploads arrive.
	ReadTimeout types.Duration `json:"readTimeout,omitempty"`
	// WriteTimeout is the longest time from the head of a request to the end of
	// the response. Default: 0s, no limit.
	WriteTimeout types.Duration `json:"writeTimeout,omitempty"`
	// IdleTimeout is how long a connection is kept for the next request; 0s is for
	// ever. Default: 180s.
	IdleTimeout types.Duration `json:"idleTimeout,omitempty"`
	// MinBodyRate is how many bytes a second a client must send of a body, on average
	// over the time that fairway waits for it; by HTTP/1.1, also take of a response.
	// It counts after 20 s of waiting, and not for gRPC or once the response has begun.
	// It is what slow uploads are told by from clients that only occupy a connection.
	// 0 is any. Default: 240.
	MinBodyRate int64 `json:"minBodyRate"`
}

// SetDefaults implements the defaults documented at the fields.
func (t *RespondingTimeouts) SetDefaults() {
	t.ReadHeaderTimeout = types.Duration(10 * second)
	t.IdleTimeout = types.Duration(180 * second)
	t.MinBodyRate = 240
}
