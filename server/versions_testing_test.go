package server

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"slices"
	"strings"
	"testing"

	"github.com/quic-go/quic-go/http3"
)

// versions are clients that speak one version of HTTP each, all by TLS.
type versions map[string]http.RoundTripper

var trusting = &tls.Config{InsecureSkipVerify: true}

func newVersions(t testing.TB) versions {
	t.Helper()
	h1 := &http.Transport{TLSClientConfig: trusting.Clone(), DisableCompression: true}
	h2 := &http.Transport{TLSClientConfig: trusting.Clone(), DisableCompression: true, ForceAttemptHTTP2: true}
	h3 := &http3.Transport{TLSClientConfig: trusting.Clone(), DisableCompression: true}
	t.Cleanup(func() {
		h1.CloseIdleConnections()
		h2.CloseIdleConnections()
		_ = h3.Close()
	})
	return versions{"HTTP/1.1": h1, "HTTP/2.0": h2, "HTTP/3.0": h3}
}

// each runs a test with each version.
func (v versions) each(t *testing.T, test func(t *testing.T, client http.RoundTripper)) {
	for _, name := range slices.Sorted(maps.Keys(v)) {
		t.Run(name, func(t *testing.T) { test(t, v[name]) })
	}
}

// secured makes the router of a document one that answers TLS.
func secured(routes string) string {
	return strings.Replace(routes, "service: all", "tls: {}, service: all", 1)
}

// start3 is start with HTTP/3.
func start3(t *testing.T, routes string, options ...string) *running {
	t.Helper()
	return start(t, secured(routes), append([]string{"--entrypoints.web.http3"}, options...)...)
}

func (r *running) url(path string) string { return "https://" + r.Addresses()["web"] + path }

// call is a request of a test, and ends when the test does.
func (r *running) call(t testing.TB, method, path string, body io.Reader) *http.Request {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), longest)
	t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, method, r.url(path), body)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = "a.test"
	req.Header.Set("User-Agent", "test")
	return req
}

// over sends a request by a client and hears the answer.
func over(client http.RoundTripper, req *http.Request) (got reply) {
	trace := &httptrace.ClientTrace{Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
		h.Del("Alt-Svc")
		got.informed = append(got.informed, fmt.Sprint(code, http.Header(h)))
		return nil
	}}
	res, err := client.RoundTrip(req.WithContext(httptrace.WithClientTrace(req.Context(), trace)))
	if err != nil {
		got.err = err
		return got
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	got.status, got.proto, got.header, got.body, got.cut, got.trailer = res.StatusCode, res.Proto, res.Header, string(text), err != nil, res.Trailer
	return got
}

// multilingual starts a server that speaks HTTP/2 in plain text, and HTTP/1.1.
func multilingual(t testing.TB, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.Config.Protocols = new(http.Protocols)
	s.Config.Protocols.SetHTTP1(true)
	s.Config.Protocols.SetUnencryptedHTTP2(true)
	s.Config.ErrorLog = silent
	s.Start()
	t.Cleanup(s.Close)
	return s
}

// h2c is the URL of a server for talking HTTP/2 to it.
func h2c(s *httptest.Server) string { return strings.Replace(s.URL, "http:", "h2c:", 1) }

// everyHop runs a test for each version of clients with each of servers.
func everyHop(t *testing.T, h http.HandlerFunc, test func(t *testing.T, r *running, client http.RoundTripper)) {
	s := multilingual(t, h)
	for name, url := range map[string]string{"to http": s.URL, "to h2c": h2c(s)} {
		t.Run(name, func(t *testing.T) {
			r := start3(t, routeTo(url))
			newVersions(t).each(t, func(t *testing.T, client http.RoundTripper) { test(t, r, client) })
		})
	}
}
