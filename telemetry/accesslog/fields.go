package accesslog

import (
	"crypto/tls"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"fairway/internal/answer"
	"fairway/internal/nearest"
)

// Field is one field of a line.
type Field struct {
	Name  string
	Text  string // what it is, in a sentence
	Named bool   // written in JSON only where fields.names has it with keep

	group    groupOf
	append   func(dst []byte, x *line) []byte
	quantity quantity // what append writes, if it is one
}

const (
	nameStartUTC   = "StartUTC"
	nameStartLocal = "StartLocal"
	nameDuration   = "Duration"
)

// Fields returns all fields with their sentences, for the manual; the headers last.
func Fields() []Field {
	return append(slices.Clone(fields),
		Field{Name: "request_<Name>", Text: "A header of the request, as in request_User-Agent."},
		Field{Name: "origin_<Name>", Text: "A header that the server answered, as in origin_Server; middlewares may have changed it for the client."},
		Field{Name: "downstream_<Name>", Text: "A header of the response that the client got, as in downstream_Content-Type."},
	)
}

// fields are in the order of a line of JSON.
var fields = []Field{
	{nameStartUTC, "When the request came, in UTC.", false, ofItself, func(dst []byte, x *line) []byte { return x.startUTC(dst) }, startedUTC},
	{nameStartLocal, "When the request came, in the time zone of the machine.", false, ofItself, func(dst []byte, x *line) []byte { return x.startLocal(dst) }, startedLocal},
	counted(nameDuration, "How long it took from the head of the request to the end of the response, in nanoseconds; in text in milliseconds.", tookAll),
	{"entryPointName", "The entry point where the request came in.", false, ofRoute, func(dst []byte, x *line) []byte { return x.text(dst, x.rec.EntryPoint) }, noQuantity},
	{"RouterName", "The router that took the request; absent if none did.", false, ofRoute, func(dst []byte, x *line) []byte { return x.text(dst, x.rec.Router) }, noQuantity},
	{"ServiceName", "The service that was asked in the end: a load balancer, also of a service made of several, or one of fairway's own; absent if none was.", false, ofRoute, func(dst []byte, x *line) []byte { return x.text(dst, x.rec.Leaf) }, noQuantity},
	{"ServiceURL", "The URL of the server that was tried last.", false, ofRoute, func(dst []byte, x *line) []byte { return x.text(dst, serverURL(x.rec.Server)) }, noQuantity},
	{"ServiceAddr", "Host and port in ServiceURL.", false, ofRoute, func(dst []byte, x *line) []byte { return x.text(dst, serverAddr(x.rec.Server)) }, noQuantity},
	{"ClientAddr", "Address and port of the client, or of the proxy in front.", false, ofClient, func(dst []byte, x *line) []byte { return x.text(dst, x.clientAddr()) }, noQuantity},
	{"ClientHost", "X-Forwarded-For where the client is trusted to tell it, else the address in ClientAddr.", false, ofClient, func(dst []byte, x *line) []byte { return x.clientHost(dst) }, noQuantity},
	{"ClientPort", "The port in ClientAddr.", false, ofClient, func(dst []byte, x *line) []byte { return x.clientPort(dst) }, noQuantity},
	{"ClientUsername", "Who authenticated; a dash if nobody did.", false, ofItself, func(dst []byte, x *line) []byte { return x.orDash(dst, x.username()) }, noQuantity},
	{"RequestAddr", "The host that was asked for, with its port if it was given.", false, ofRequest, func(dst []byte, x *line) []byte { return x.text(dst, x.r.Host) }, noQuantity},
	{"RequestHost", "The host that was asked for, without port.", false, ofRequest, func(dst []byte, x *line) []byte { host, _ := splitPort(x.r.Host); return x.text(dst, host) }, noQuantity},
	{"RequestPort", "The port that was asked for; a dash if none was given.", false, ofRequest, func(dst []byte, x *line) []byte { return x.requestPort(dst) }, noQuantity},
	{"RequestMethod", "The method.", false, ofRequest, func(dst []byte, x *line) []byte { return x.text(dst, x.r.Method) }, noQuantity},
	{"RequestProtocol", "The version of HTTP, as HTTP/1.1.", false, ofRequest, func(dst []byte, x *line) []byte { return x.text(dst, x.r.Proto) }, noQuantity},
	{"RequestScheme", "http, or https over TLS.", false, ofRequest, func(dst []byte, x *line) []byte { return x.scheme(dst) }, noQuantity},
	{"RequestPath", "Path and query, the latter as queryParameters says.", false, ofItself, func(dst []byte, x *line) []byte { return x.path(dst) }, noQuantity},
	counted("RequestContentSize", "Bytes of the request's body that have been read.", receivedBytes),
	counted("OriginStatus", "The status that the server answered; absent if no server did.", originStatus),
	{"OriginStatusLine", "OriginStatus with its text.", true, ofItself, func(dst []byte, x *line) []byte { return x.statusLine(dst, x.rec.Origin.Status) }, noQuantity},
	counted("OriginContentSize", "Bytes of the body that the server answered, if it said how many they are.", originBytes),
	counted("OriginDuration", "How long the server took to the head of its answer.", tookOrigin),
	counted("Overhead", "Duration without OriginDuration.", tookHere),
	counted("DownstreamStatus", "The status that the client got; 499 if it went away before.", answeredStatus),
	{"DownstreamStatusLine", "DownstreamStatus with its text.", true, ofItself, func(dst []byte, x *line) []byte { return x.statusLine(dst, x.e.Status) }, noQuantity},
	counted("DownstreamContentSize", "Bytes of the body that the client got.", answeredBytes),
	{"GzipRatio", "OriginContentSize to DownstreamContentSize, where they differ.", false, ofItself, func(dst []byte, x *line) []byte { return x.ratio(dst) }, noQuantity},
	counted("RetryAttempts", "How often the request was tried again.", triedAgain),
	counted("RequestCount", "How many requests have been answered since the start, this one included.", countOfAll),
	{"RequestID", "What the middleware requestID gave the request.", false, ofTracing, func(dst []byte, x *line) []byte { return x.text(dst, x.rec.RequestID) }, noQuantity},
	{"TraceId", "The trace that the request belongs to: the one that fairway follows, else the one in the header traceparent, which is the client's, or tells servers that the request is not followed.", false, ofTracing, func(dst []byte, x *line) []byte { return x.trace(dst) }, noQuantity},
	{"SpanId", "The span of the request, if it is followed.", false, ofTracing, func(dst []byte, x *line) []byte { return x.span(dst) }, noQuantity},
	{"auth", "Whether the client could show who it is: passed or refused; absent if no middleware asked.", false, ofVerdict, func(dst []byte, x *line) []byte { return x.text(dst, string(x.rec.Auth)) }, noQuantity},
	{"auth_method", "The middleware that last found out who the client is, as jwt.", false, ofVerdict, func(dst []byte, x *line) []byte { return x.text(dst, x.identity().Method) }, noQuantity},
	{"consumer", "The consumer that the request is of, with its provider.", false, ofVerdict, func(dst []byte, x *line) []byte { return x.text(dst, x.consumer().Name) }, noQuantity},
	{"consumer_plan", "What the consumer has booked.", false, ofVerdict, func(dst []byte, x *line) []byte { return x.text(dst, x.consumer().Plan) }, noQuantity},
	{"rate_limit", "Whether the request was within the limits of rateLimit and inFlightReq: passed or refused; absent without them.", false, ofVerdict, func(dst []byte, x *line) []byte { return x.text(dst, string(x.rec.Limit)) }, noQuantity},
	{"cache_status", "How the middleware cache has answered: hit, stale, revalidated, coalesced, miss or bypass; absent without it.", false, ofVerdict, func(dst []byte, x *line) []byte { return x.text(dst, x.rec.Cache) }, noQuantity},
	{"TLSVersion", "The version of TLS, as 1.3.", false, ofTLS, func(dst []byte, x *line) []byte { return x.tlsVersion(dst) }, noQuantity},
	{"TLSCipher", "The cipher suite of TLS.", false, ofTLS, func(dst []byte, x *line) []byte { return x.tlsCipher(dst) }, noQuantity},
	{"TLSClientSubject", "The subject of the client's certificate.", false, ofTLS, func(dst []byte, x *line) []byte { return x.tlsSubject(dst) }, noQuantity},
	{"error_cause", "Why the request did not get a server's answer, in words.", false, ofFailure, func(dst []byte, x *line) []byte { return x.text(dst, x.rec.Cause) }, noQuantity},
	{"error_class", "The kind of the failure, as RFC 9209, section 2.3, names it, where the status does not tell it.", false, ofFailure, func(dst []byte, x *line) []byte { return x.text(dst, x.rec.Class) }, noQuantity},
	{"error_page", "true if the response is a page of the middleware errors.", false, ofFailure, func(dst []byte, x *line) []byte { return x.paged(dst) }, noQuantity},
}

// neverFilled are fields of Traefik's that may be configured, and are never known here.
var neverFilled = []string{
	"trace_id", "span_id", "KubernetesIngressNamespace", "KubernetesIngressName", "KubernetesServiceName", "KubernetesServicePort",
	"KubernetesIngressRouteNamespace", "KubernetesIngressRouteName",
}

// fieldOf finds a field without regard to case.
func fieldOf(name string) *Field {
	for i := range fields {
		if strings.EqualFold(fields[i].Name, name) {
			return &fields[i]
		}
	}
	return nil
}

func unknownField(name string) error {
	known := make([]string, len(fields))
	for i := range fields {
		known[i] = fields[i].Name
	}
	if near := nearest.Name(name, known); near != "" {
		return fmt.Errorf("there is no field %q; did you mean %q?", name, near)
	}
	return fmt.Errorf("there is no field %q", name)
}

func (x *line) statusLine(dst []byte, status int) []byte {
	if status == 0 {
		return dst
	}
	dst = x.number(x.quote(dst), int64(status))
	if text := answer.StatusText(status); text != "" {
		dst = x.escape(x.escape(dst, " "), text)
	}
	return x.quote(dst)
}

func (x *line) ratio(dst []byte) []byte {
	o := &x.rec.Origin
	if o.Status == 0 || o.Length < 0 || x.e.Written <= 0 || o.Length == x.e.Written {
		return dst
	}
	return strconv.AppendFloat(dst, float64(o.Length)/float64(x.e.Written), 'f', -1, 64)
}

func (x *line) paged(dst []byte) []byte {
	if !x.rec.Paged {
		return dst
	}
	return append(dst, "true"...)
}

func (x *line) tlsVersion(dst []byte) []byte {
	if x.r.TLS == nil {
		return dst
	}
	switch x.r.TLS.Version {
	case tls.VersionTLS10:
		return x.text(dst, "1.0")
	case tls.VersionTLS11:
		return x.text(dst, "1.1")
	case tls.VersionTLS12:
		return x.text(dst, "1.2")
	case tls.VersionTLS13:
		return x.text(dst, "1.3")
	}
	return dst
}

func (x *line) tlsCipher(dst []byte) []byte {
	if x.r.TLS == nil || x.r.TLS.CipherSuite == 0 {
		return dst
	}
	return x.text(dst, tls.CipherSuiteName(x.r.TLS.CipherSuite))
}

// tlsSubject allocates. Few gateways ask for certificates of clients.
func (x *line) tlsSubject(dst []byte) []byte {
	if x.r.TLS == nil || len(x.r.TLS.PeerCertificates) == 0 {
		return dst
	}
	return x.text(dst, x.r.TLS.PeerCertificates[0].Subject.String())
}
