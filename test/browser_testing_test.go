//go:build e2e

package test

import (
	"bufio"
	"compress/gzip"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/websocket"
)

// browser asks a gateway as browsers do, but follows no redirect.
type browser struct {
	t      *testing.T
	ports  map[string]string // addresses where those of the gateway are reached
	client *http.Client
}

func newBrowser(t *testing.T) *browser {
	b := &browser{t: t, ports: map[string]string{}}
	b.client = &http.Client{
		Timeout:       20 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext: b.dial, ForceAttemptHTTP2: true, DisableCompression: true,
			TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
		},
	}
	t.Cleanup(b.client.CloseIdleConnections)
	return b
}

// dial connects to the gateway, whatever the name is.
func (b *browser) dial(ctx context.Context, _, address string) (net.Conn, error) {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	return new(net.Dialer).DialContext(ctx, "tcp", b.ports[port])
}

func (b *browser) await(what string, condition func() bool) {
	b.t.Helper()
	await(b.t, what, condition)
}

func await(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !condition(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// told is an answer with what stand-ins tell on top of what backends do.
type told struct {
	answer
	Method, Port string
	Length       int
}

// ask sends a request with headers written as "Name: value".
func (b *browser) ask(method, url, body string, headers ...string) (told, error) {
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		return told{}, err
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Add(name, value)
	}
	res, err := b.client.Do(req)
	if err != nil {
		return told{}, err
	}
	defer res.Body.Close()
	reader := io.Reader(res.Body)
	if res.Header.Get("Content-Encoding") == "gzip" {
		if reader, err = gzip.NewReader(res.Body); err != nil {
			return told{}, err
		}
	}
	text, err := io.ReadAll(reader)
	if err != nil {
		return told{}, err
	}
	a := told{answer: answer{status: res.StatusCode, header: res.Header, text: string(text)}}
	_ = json.Unmarshal(text, &a)
	return a, nil
}

func (b *browser) get(url string, headers ...string) told {
	b.t.Helper()
	a, err := b.ask(http.MethodGet, url, "", headers...)
	if err != nil {
		b.t.Fatal(err)
	}
	return a
}

// visit is a request and what its client and the service see. An empty value of a
// header says that it is not there.
type visit struct {
	name, method, url, body string
	with                    []string // headers: "Name: value"

	status int
	by     string            // the service that answers; empty: the gateway itself
	path   string            // that the service sees
	seen   map[string]string // headers that the service sees
	shown  map[string]string // headers that the client sees
}

// tour makes visits. First it waits until the services that answer are there.
func (b *browser) tour(visits []visit) {
	b.t.Helper()
	for _, v := range visits {
		if v.by == "" {
			continue
		}
		b.await(fmt.Sprintf("%s to answer %s with %d", v.by, v.url, v.status), func() bool {
			a, err := b.ask(v.method, v.url, v.body, v.with...)
			return err == nil && a.status == v.status && a.Name == v.by
		})
	}
	for _, v := range visits {
		b.t.Run(v.name, func(t *testing.T) { b.visit(t, v) })
	}
}

// visit asks once.
func (b *browser) visit(t *testing.T, v visit) {
	t.Helper()
	a, err := b.ask(v.method, v.url, v.body, v.with...)
	if err != nil {
		t.Fatal(err)
	}
	v.check(t, a)
}

func (v *visit) check(t *testing.T, a told) {
	t.Helper()
	if a.status != v.status || a.Name != v.by {
		t.Fatalf("%s: got %d by %q, want %d by %q\n%v\n%.300s", v.url, a.status, a.Name, v.status, v.by, a.header, a.text)
	}
	if v.path != "" && a.Path != v.path {
		t.Errorf("the service sees the path %s, want %s", a.Path, v.path)
	}
	for name, want := range v.seen {
		if got := strings.Join(a.Headers.Values(name), ", "); got != want {
			t.Errorf("the service sees %s: %q, want %q", name, got, want)
		}
	}
	for name, want := range v.shown {
		if got := strings.Join(a.header.Values(name), ", "); got != want {
			t.Errorf("the client sees %s: %q, want %q", name, got, want)
		}
	}
}

// checkSocket sends a message through a websocket and hears it again.
func (b *browser) checkSocket(url string) {
	b.t.Helper()
	b.t.Run("websocket "+url, func(t *testing.T) {
		cfg, err := websocket.NewConfig(url, "https://"+strings.TrimPrefix(url, "wss://"))
		if err != nil {
			t.Fatal(err)
		}
		raw, err := b.dial(t.Context(), "tcp", cfg.Location.Host+":443")
		if err != nil {
			t.Fatal(err)
		}
		defer raw.Close()
		_ = raw.SetDeadline(time.Now().Add(10 * time.Second))
		conn := tls.Client(raw, &tls.Config{InsecureSkipVerify: true, ServerName: cfg.Location.Host, NextProtos: []string{"http/1.1"}})
		ws, err := websocket.NewClient(cfg, conn)
		if err != nil {
			t.Fatal(err)
		}
		for _, said := range []string{"hello", strings.Repeat("long ", 20000)} {
			var heard string
			if err := websocket.Message.Send(ws, said); err != nil {
				t.Fatal(err)
			}
			if err := websocket.Message.Receive(ws, &heard); err != nil || heard != said {
				t.Fatalf("got %d bytes, %v", len(heard), err)
			}
		}
	})
}

// checkEvents reads the first event of a stream that has no end, and leaves.
func (b *browser) checkEvents(url string) {
	b.t.Helper()
	b.t.Run("events "+url, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Accept", "text/event-stream")
		req.Header.Set("Accept-Encoding", "gzip, br")
		res, err := b.client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		line, err := bufio.NewReader(res.Body).ReadString('\n')
		if line != "data: first\n" || res.Header.Get("Content-Encoding") != "" {
			t.Errorf("got %q, %v, %v", line, err, res.Header)
		}
	})
}
