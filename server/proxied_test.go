package server

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/sirupsen/logrus"
)

// header2 is a header of version 2 of the PROXY protocol for 203.0.113.7:1234.
func header2() string {
	b := append([]byte("\r\n\r\n\x00\r\nQUIT\n"), 0x21, 0x11)
	b = binary.BigEndian.AppendUint16(b, 12)
	return string(append(b, 203, 0, 113, 7, 198, 51, 100, 2, 0x04, 0xd2, 0x01, 0xbb))
}

const header1 = "PROXY TCP4 203.0.113.7 198.51.100.2 1234 443\r\n"

// through dials the entry point as a load balancer with a PROXY header does.
func through(t *testing.T, header string, transport *http.Transport) {
	t.Helper()
	transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		if err == nil {
			_, err = io.WriteString(conn, header)
		}
		return conn, err
	}
	t.Cleanup(transport.CloseIdleConnections)
}

func TestServer_ProxyProtocol(t *testing.T) {
	url := telling(t, "X-Forwarded-For", "X-Real-Ip")
	const trusted, insecure = "--entrypoints.web.proxyprotocol.trustedips=192.0.2.0/24,127.0.0.1", "--entrypoints.web.proxyprotocol.insecure"
	for name, options := range map[string][]string{"trusted": {trusted}, "insecure": {insecure}} {
		t.Run(name, func(t *testing.T) {
			ways(t, routeTo(url), options, func(t *testing.T, _ *running, client *http.Client) {
				for header, want := range map[string]string{
					"":                  "127.0.0.1",
					"PROXY UNKNOWN\r\n": "127.0.0.1",
					header1:             "203.0.113.7",
					header2():           "203.0.113.7",
					"PROXY TCP6 2001:db8::1 2001:db8::2 1 2\r\n": "2001:db8::1",
				} {
					through(t, header, client.Transport.(*toEntryPoint).transport)
					for range 2 {
						_, got := fetch(t, client, ask(t, "GET", "/", nil))
						if !strings.Contains(got, "X-Forwarded-For: "+want+"\n") || !strings.Contains(strings.ToLower(got), "x-real-ip: "+want+"\n") {
							t.Errorf("%q: the server got %s, want %s", header, got, want)
						}
					}
					client.Transport.(*toEntryPoint).transport.CloseIdleConnections()
				}
			})
		})
	}
}

// What everything else makes of the address.
func TestServer_ProxyProtocol_TheAddressCounts(t *testing.T) {
	url := telling(t, "X-Forwarded-For")
	routes := "http:\n  routers:\n    rule: {rule: 'ClientIP(`203.0.113.7`)', service: all, middlewares: [list]}\n" +
		"  middlewares: {list: {ipAllowList: {sourceRange: [203.0.113.0/24]}}}\n  services: {all: {loadBalancer: {servers: [{url: '" + url + "'}]}}}\n"
	for _, engine := range []string{"fairway", "std"} {
		r := start(t, routes, "--entrypoints.web.engine="+engine, "--entrypoints.web.proxyprotocol.insecure", "--entrypoints.web.forwardedheaders.trustedips=203.0.113.7")
		const request = "GET / HTTP/1.1\r\nHost: a.test\r\nX-Forwarded-For: 1.2.3.4\r\n\r\n"
		if got := r.ask(t, request); got.status != 404 {
			t.Errorf("%s: another client: got %d, want 404", engine, got.status)
		}
		got := r.dial(t).say(header1 + request).hear("GET")
		if got.status != 200 || !strings.Contains(got.body, "X-Forwarded-For: 1.2.3.4, 203.0.113.7\n") {
			t.Errorf("%s: trust goes by the address of the header: got %d %q", engine, got.status, got.body)
		}
	}
}

func TestServer_ProxyProtocol_NobodyElseIsHeard(t *testing.T) {
	for _, option := range []string{"--entrypoints.web.proxyprotocol.trustedips=192.0.2.1", "--entrypoints.web.proxyprotocol", "--entrypoints.web.proxyprotocol=false"} {
		for _, engine := range []string{"fairway", "std"} {
			r := start(t, routeTo(telling(t)), option, "--entrypoints.web.engine="+engine)
			for _, header := range []string{header1, header2()} {
				if got := r.dial(t).say(header + plainGet).hear("GET"); got.status != 400 {
					t.Errorf("%s, %s, %q: got %d, want 400", option, engine, header, got.status)
				}
			}
		}
	}
}

func TestServer_ProxyProtocol_Malformed(t *testing.T) {
	r := start(t, routeTo(telling(t)), "--entrypoints.web.proxyprotocol.insecure")
	r.Server.log.(*logrus.Logger).SetLevel(logrus.DebugLevel)
	for _, header := range []string{"PROXY TCP4 1.2.3 4.5.6.7 1 2\r\n", "PROXY " + strings.Repeat("x", 200), header2()[:12] + "\x11" + header2()[13:], header2()[:14] + "\xff\xff"} {
		if got := r.dial(t).say(header + plainGet).hear("GET"); got.err == nil {
			t.Errorf("%q: got %d, want no answer", header, got.status)
		}
	}
	await(t, "a line for each", func() bool { return strings.Count(r.log.String(), "PROXY header of version") == 4 })
}

func TestServer_ProxyProtocol_TheHeaderMustCome(t *testing.T) {
	r := start(t, routeTo(telling(t)), "--entrypoints.web.proxyprotocol.insecure", "--entrypoints.web.transport.respondingtimeouts.readheadertimeout=100ms")
	for _, header := range []string{"", "PRO", header1[:20], header2()[:13], header2()[:20], header1} {
		r.dial(t).say(header).mustEnd()
	}
}

// Behind the header the socket is as fast as without: the engine knows it.
func TestServer_ProxyProtocol_Uploads(t *testing.T) {
	const size = 1 << 20
	url := scripted(t, func(c net.Conn, r *bufio.Reader) {
		req, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		body, err := io.ReadAll(req.Body)
		if err != nil || len(body) != size {
			t.Errorf("got %d bytes, %v", len(body), err)
		}
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 1048576\r\n\r\n"+string(body))
	})
	r := start(t, routeTo(url), "--entrypoints.web.proxyprotocol.insecure")
	p := r.dial(t)
	go p.say(header1 + "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 1048576\r\n\r\n" + strings.Repeat("x", size))
	if got := p.hear("POST"); got.status != 200 || len(got.body) != size || got.cut {
		t.Errorf("got %d, %d bytes, cut %v", got.status, len(got.body), got.cut)
	}
}

func TestServer_ProxyProtocol_BeforeTLS(t *testing.T) {
	r := start(t, routeTo(telling(t, "X-Forwarded-For")), "--entrypoints.web.http.tls", "--entrypoints.web.proxyprotocol.insecure")
	conn := r.dial(t).say(header2())
	secure := tls.Client(conn.Conn, &tls.Config{InsecureSkipVerify: true})
	p := &peer{t: t, Conn: secure, r: bufio.NewReader(secure)}
	if got := p.say(plainGet).hear("GET"); !strings.Contains(got.body, "X-Forwarded-For: 203.0.113.7\n") {
		t.Errorf("got %d %q", got.status, got.body)
	}
}
