package server

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"fairway/config"
)

// outerOf makes what requests pass at an entry point with the options.
func outerOf(t *testing.T, next http.Handler, options ...string) *outer {
	t.Helper()
	loaded, err := config.Load(append([]string{"--entrypoints.web.address=:80"}, options...), nil)
	if err != nil {
		t.Fatal(err)
	}
	log, _ := newLog()
	o, err := newOuter("web", loaded.EntryPoints["web"], newPasses(), nil, next, log)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// ways runs a test with each protocol and engine: fairway's engine, the standard
// library, and HTTP/2 in plain text and by TLS. The client reaches the entry point
// web through dial.
func ways(t *testing.T, routes string, options []string, test func(t *testing.T, r *running, client *http.Client)) {
	for name, with := range map[string]struct {
		options   []string
		transport func() *http.Transport
		scheme    string
	}{
		"engine": {nil, func() *http.Transport { return &http.Transport{} }, "http"},
		"std":    {[]string{"--entrypoints.web.engine=std"}, func() *http.Transport { return &http.Transport{} }, "http"},
		"h2c":    {nil, plainHTTP2, "http"},
		"h2":     {[]string{"--entrypoints.web.http.tls"}, secureHTTP2, "https"},
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t, routes, append(append([]string{}, options...), with.options...)...)
			transport := with.transport()
			t.Cleanup(transport.CloseIdleConnections)
			test(t, r, &http.Client{Transport: &toEntryPoint{with.scheme, r.Addresses()["web"], transport}, Timeout: longest})
		})
	}
}

func plainHTTP2() *http.Transport {
	t := &http.Transport{Protocols: new(http.Protocols)}
	t.Protocols.SetUnencryptedHTTP2(true)
	return t
}

func secureHTTP2() *http.Transport {
	return &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
}

// toEntryPoint asks one address, whatever the host of the request is.
type toEntryPoint struct {
	scheme, address string
	transport       *http.Transport
}

func (t *toEntryPoint) RoundTrip(r *http.Request) (*http.Response, error) {
	r2 := r.Clone(r.Context())
	r2.Host, r2.URL.Host, r2.URL.Scheme = r.URL.Host, t.address, t.scheme
	return t.transport.RoundTrip(r2)
}

// fetch asks, and returns the response with its whole body.
func fetch(t *testing.T, client *http.Client, r *http.Request) (*http.Response, string) {
	t.Helper()
	res, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(body)
}

// ask makes a request to the host a.test.
func ask(t *testing.T, method, target string, body io.Reader) *http.Request {
	t.Helper()
	r, err := http.NewRequest(method, "http://a.test"+target, body)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// telling is a server that answers with the first line and the named headers of
// what it received.
func telling(t *testing.T, headers ...string) string {
	return scripted(t, func(c net.Conn, r *bufio.Reader) {
		for {
			line, err := r.ReadString('\n')
			if err != nil {
				return
			}
			text := strings.TrimSuffix(strings.TrimSpace(line), " HTTP/1.1") + "\n"
			for line != "\r\n" {
				if line, err = r.ReadString('\n'); err != nil {
					return
				}
				for _, name := range headers {
					if key, _, _ := strings.Cut(line, ":"); strings.EqualFold(key, name) {
						text += strings.TrimSpace(line) + "\n"
					}
				}
			}
			fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nContent-Length: %d\r\n\r\n%s", len(text), text)
		}
	})
}
