package accesslog

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"fairway/internal/identity"
	"fairway/internal/record"
	"fairway/telemetry"
)

// head is a telemetry.Fields.
type head http.Header

func (h head) Get(name string) string { return http.Header(h).Get(name) }

func (h head) Each(visit func(name, value string)) {
	for name, values := range h {
		for _, v := range values {
			visit(name, v)
		}
	}
}

// zone is a time zone that no machine is in.
var zone = time.FixedZone("here", 5*3600+45*60)

var start = time.Date(2024, 2, 29, 23, 59, 58, 123450000, time.UTC)

func quiet() logrus.FieldLogger {
	log := logrus.New()
	log.SetOutput(io.Discard)
	return log
}

// built is the log of c without outputs, with times of zone.
func built(tb testing.TB, c *Config) *Log {
	tb.Helper()
	l, err := c.build(quiet())
	if err != nil {
		tb.Fatal(err)
	}
	return l
}

// oneLine is what c writes about e.
func oneLine(tb testing.TB, c *Config, e *telemetry.Exchange) string {
	tb.Helper()
	l := built(tb, c)
	return string(newLine(l.form, zone).write(e, 7))
}

func target(s string) *url.URL {
	u, err := url.ParseRequestURI(s)
	if err != nil {
		panic(err)
	}
	return u
}

// ordinary is an exchange that went well.
func ordinary() *telemetry.Exchange {
	return &telemetry.Exchange{
		Record: &record.Record{
			Start: start, EntryPoint: "web", Host: "shop.example", Router: "shop@docker", Service: "shop@docker", Leaf: "shop@docker", Server: "http://10.0.0.2:8080",
			RequestID: "id-1", User: "ann", Timed: true, Origin: record.Origin{Status: 200, Duration: 20 * time.Millisecond, Length: 1000, Header: http.Header{"Server": {"shop/1"}, "Set-Cookie": {"a=1"}}},
		},
		Request: &http.Request{
			Method: "GET", URL: target("/a%20b?x=1&token=abc"), Proto: "HTTP/1.1", Host: "shop.example:8000", RemoteAddr: "192.0.2.1:5000",
			Header: http.Header{
				"User-Agent": {`Mozilla "5.0"`}, "Referer": {"https://x.example/?token=abc#top"}, "Authorization": {"Basic abc"}, "Accept": {"a", "b"},
				"Traceparent": {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
			},
		},
		Duration: 23456789 * time.Nanosecond, Status: 200, Received: 5, Written: 500,
		Response: head{"Content-Type": {"text/plain"}, "Set-Cookie": {"a=1", "b=2"}},
	}
}

// followed is a request that is traced.
type followed struct{ record.Trace }

func (followed) TraceID() [16]byte { return [16]byte{1, 2, 3} }
func (followed) SpanID() [8]byte   { return [8]byte{9} }

// exchanges are what can happen, by name.
func exchanges() map[string]*telemetry.Exchange {
	all := map[string]*telemetry.Exchange{"ordinary": ordinary()}
	one := func(name string, change func(e *telemetry.Exchange)) {
		e := ordinary()
		change(e)
		all[name] = e
	}
	one("no router", func(e *telemetry.Exchange) {
		e.Record = &record.Record{Start: start, EntryPoint: "web", Host: "other.example", Outcome: record.Outcome{Cause: "no router matches"}}
		e.Request.Header = http.Header{"X-Forwarded-For": {"198.51.100.7, 203.0.113.9"}}
		e.Status, e.Written, e.Duration = 404, 19, 80*time.Microsecond
	})
	one("bad gateway", func(e *telemetry.Exchange) {
		e.Record.Origin, e.Record.User = record.Origin{}, ""
		e.Record.Outcome = record.Outcome{Cause: "dial 10.0.0.2:8080: connection refused", Class: "connection_refused", Paged: true}
		e.Status = 502
	})
	one("retry", func(e *telemetry.Exchange) { e.Record.Attempts, e.Record.Timed = 3, false })
	one("guarded", func(e *telemetry.Exchange) {
		e.Record.Auth, e.Record.Limit, e.Record.Cache = record.Passed, record.Refused, "hit"
		e.Record.Identity = (&identity.Consumer{Name: "ann@file", Plan: "gold"}).Of("jwt", "17")
	})
	one("token in the query", func(e *telemetry.Exchange) { e.Record.Hide("token") })
	one("followed", func(e *telemetry.Exchange) { e.Record.Trace = followed{} })
	one("client certificate", func(e *telemetry.Exchange) {
		e.Request.TLS = &tls.ConnectionState{
			Version: tls.VersionTLS13, CipherSuite: tls.TLS_AES_128_GCM_SHA256,
			PeerCertificates: []*x509.Certificate{{Subject: pkix.Name{CommonName: "ann", Organization: []string{`"Shop"`}}}},
		}
		e.Request.Proto = "HTTP/2.0"
	})
	one("IPv6", func(e *telemetry.Exchange) {
		e.Request.RemoteAddr, e.Request.Host, e.Record.Server = "[2001:db8::1]:5000", "[2001:db8::2]", "http://u:pass@[2001:db8::3]:80/base"
	})
	one("hostile", func(e *telemetry.Exchange) {
		e.Record.User = "ann\" - [x]\n127.0.0.1 - root"
		e.Request.URL = &url.URL{Path: "/\"\r\n\x1b[31m", RawQuery: "a=\"\xff\u2028 b"}
		e.Request.Header["User-Agent"] = []string{"\" 200 5 \"\u009b31m\x7f\\é"}
	})
	all["nothing"] = &telemetry.Exchange{}
	return all
}
