package config

import (
	"context"
	"fmt"
	"net"
	"reflect"
	"slices"
	"strings"

	"github.com/traefik/paerser/types"
	"golang.org/x/net/http/httpguts"

	"fairway/internal/clientip"
	"fairway/internal/nearest"
)

// ListenAddress is the address in the form that net.Listen takes.
func (e *EntryPoint) ListenAddress() (string, error) {
	address, protocol, _ := strings.Cut(e.Address, "/")
	switch strings.ToLower(protocol) {
	case "", "tcp", "udp":
	default:
		return "", fmt.Errorf("%q is neither tcp nor udp", protocol)
	}
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return "", fmt.Errorf("%q is not of the form [host]:port", e.Address)
	}
	if _, err := net.DefaultResolver.LookupPort(context.Background(), "tcp", port); err != nil || port == "" {
		return "", fmt.Errorf("%q has no port from 0 to 65535", e.Address)
	}
	return address, nil
}

// Datagrams tells whether the entry point is for UDP.
func (e *EntryPoint) Datagrams() bool {
	_, protocol, _ := strings.Cut(e.Address, "/")
	return strings.EqualFold(protocol, "udp")
}

// validate checks the options of an entry point but its address.
func (e *EntryPoint) validate(wrong func(option, format string, args ...any)) {
	oneOf := func(option, value string, names ...string) {
		if value == "" || slices.Contains(names, value) {
			return
		}
		meant := ""
		if near := nearest.Name(value, names); near != "" {
			meant = fmt.Sprintf(" (did you mean %q?)", near)
		}
		wrong(option, "%q is none of %s%s", value, strings.Join(names, ", "), meant)
	}
	ranges := func(option string, list []string) {
		if _, err := clientip.ParseRanges(list); err != nil {
			wrong(option, "%v", err)
		}
	}
	oneOf("engine", e.Engine, "fairway", "std")
	if e.Observability != nil {
		oneOf("observability.traceVerbosity", e.Observability.TraceVerbosity, "minimal", "detailed")
	}
	oneOf("http.underscoreHeadersStrategy", e.HTTP.UnderscoreHeadersStrategy, KeepUnderscores, DeleteUnderscores, RejectUnderscores)
	ranges("forwardedHeaders.trustedIPs", e.ForwardedHeaders.TrustedIPs)
	if e.ProxyProtocol != nil {
		ranges("proxyProtocol.trustedIPs", e.ProxyProtocol.TrustedIPs)
	}
	for _, name := range e.ForwardedHeaders.Connection {
		if !httpguts.ValidHeaderFieldName(name) {
			wrong("forwardedHeaders.connection", "%q is not the name of a header", name)
		}
	}
	e.validateLimits(wrong)
}

const (
	mostHeaderBytes = 64 << 20
	mostTableBytes  = 4<<20 - 1
	mostStreams     = 1<<31 - 1
)

func (e *EntryPoint) validateLimits(wrong func(option, format string, args ...any)) {
	notNegative := func(option string, d types.Duration) {
		if d < 0 {
			wrong(option, "a time of %s is less than none", d)
		}
	}
	between := func(option string, n, least, most int64) {
		if n < least || n > most {
			wrong(option, "%d is not between %d and %d", n, least, most)
		}
	}
	const timeouts = "transport.respondingTimeouts."
	t := e.Transport
	notNegative("transport.lifeCycle.requestAcceptGraceTimeout", t.LifeCycle.RequestAcceptGraceTimeout)
	notNegative("transport.lifeCycle.graceTimeOut", t.LifeCycle.GraceTimeOut)
	notNegative(timeouts+"readHeaderTimeout", t.RespondingTimeouts.ReadHeaderTimeout)
	notNegative(timeouts+"readTimeout", t.RespondingTimeouts.ReadTimeout)
	notNegative(timeouts+"writeTimeout", t.RespondingTimeouts.WriteTimeout)
	notNegative(timeouts+"idleTimeout", t.RespondingTimeouts.IdleTimeout)
	if e.UDP.Timeout <= 0 {
		wrong("udp.timeout", "a time of %s is none", e.UDP.Timeout)
	}
	notNegative("transport.keepAliveMaxTime", t.KeepAliveMaxTime)
	between(timeouts+"minBodyRate", t.RespondingTimeouts.MinBodyRate, 0, 1<<40)
	between("transport.keepAliveMaxRequests", int64(t.KeepAliveMaxRequests), 0, 1<<40)
	between("http.maxHeaderBytes", int64(e.HTTP.MaxHeaderBytes), 1, mostHeaderBytes)
	between("http2.maxConcurrentStreams", int64(e.HTTP2.MaxConcurrentStreams), 0, mostStreams)
	between("http2.maxDecoderHeaderTableSize", int64(e.HTTP2.MaxDecoderHeaderTableSize), 0, mostTableBytes)
	between("http2.maxEncoderHeaderTableSize", int64(e.HTTP2.MaxEncoderHeaderTableSize), 0, mostTableBytes)
}

// advice tells of options that are right, and do nothing where they are.
func (c *Configuration) advice() (warnings []string) {
	for _, name := range sortedKeys(c.EntryPoints) {
		e := c.EntryPoints[name]
		path := "option entryPoints." + name + "."
		if p := e.ProxyProtocol; p != nil && !p.Insecure && len(p.TrustedIPs) == 0 {
			warnings = append(warnings, path+"proxyProtocol believes nobody: give it trustedIPs")
		}
		if !e.Datagrams() {
			continue
		}
		usual := newEntryPoint(e.Address)
		for _, s := range []struct {
			name      string
			got, want any
		}{
			{"proxyProtocol", e.ProxyProtocol, usual.ProxyProtocol},
			{"http", e.HTTP, usual.HTTP},
			{"http2", e.HTTP2, usual.HTTP2},
			{"http3", e.HTTP3, usual.HTTP3},
		} {
			if !reflect.DeepEqual(s.got, s.want) {
				warnings = append(warnings, path+s.name+" does nothing: the entry point is for UDP")
			}
		}
	}
	return warnings
}
