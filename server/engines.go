package server

import (
	"io"
	"log"
	"net/http"
	"time"

	"fairway/http1"
)

// defaultPatience is how long a client may take for what comes before a body when
// nothing is configured.
const defaultPatience = 10 * time.Second

// patience is how long a client may take for what comes before a body.
func (e *entryPoint) patience() time.Duration {
	if d := time.Duration(e.config.Transport.RespondingTimeouts.ReadHeaderTimeout); d > 0 {
		return d
	}
	return defaultPatience
}

// standardServer serves HTTP/2, and everything when the engine is std.
func (e *entryPoint) standardServer() *http.Server {
	t := e.config.Transport.RespondingTimeouts
	s := &http.Server{
		Handler:           e.outer,
		ConnState:         e.count,
		ReadHeaderTimeout: e.patience(),
		ReadTimeout:       time.Duration(t.ReadTimeout),
		WriteTimeout:      time.Duration(t.WriteTimeout),
		IdleTimeout:       orNone(time.Duration(t.IdleTimeout)),
		MaxHeaderBytes:    e.config.HTTP.MaxHeaderBytes,
		ErrorLog:          silent,
		Protocols:         new(http.Protocols),
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams:      e.config.HTTP2.MaxConcurrentStreams,
			MaxDecoderHeaderTableSize: e.config.HTTP2.MaxDecoderHeaderTableSize,
			MaxEncoderHeaderTableSize: e.config.HTTP2.MaxEncoderHeaderTableSize,
		},
	}
	s.Protocols.SetHTTP1(true)
	s.Protocols.SetHTTP2(true)
	s.Protocols.SetUnencryptedHTTP2(true)
	if e.outer.keepAlive.limited() {
		s.ConnContext = e.outer.keepAlive.begin
	}
	return s
}

// engineServer serves HTTP/1.1.
func (e *entryPoint) engineServer() *http1.Server {
	t := e.config.Transport
	return &http1.Server{
		Handler:              e.outer,
		ReadHeaderTimeout:    e.patience(),
		ReadTimeout:          time.Duration(t.RespondingTimeouts.ReadTimeout),
		WriteTimeout:         time.Duration(t.RespondingTimeouts.WriteTimeout),
		IdleTimeout:          orNone(time.Duration(t.RespondingTimeouts.IdleTimeout)),
		MinBodyRate:          orNone(t.RespondingTimeouts.MinBodyRate),
		KeepAliveMaxRequests: t.KeepAliveMaxRequests,
		KeepAliveMaxTime:     time.Duration(t.KeepAliveMaxTime),
		Limits:               limits(e.config.HTTP.MaxHeaderBytes),
		Refused:              e.refused.note,
		ErrorLog:             silent,
	}
}

// limits are those of the engine, with a head as long as is configured. An operator
// who lets heads be longer means longer targets, too.
func limits(head int) http1.Limits {
	return http1.Limits{HeadBytes: head, URIBytes: max(16<<10, head/4)}
}

// orNone says "no limit" in the words of the servers, for which 0 is their default.
func orNone[T ~int64](limit T) T {
	if limit == 0 {
		return -1
	}
	return limit
}

// silent takes what servers would print: mistakes of clients. What concerns the
// operator is in the record of the request.
var silent = log.New(io.Discard, "", 0)
