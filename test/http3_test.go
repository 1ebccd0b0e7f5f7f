//go:build e2e

package test

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/quic-go/quic-go/http3"
)

// A client finds its way from HTTP/2 to HTTP/3, uses it, and is let go in the end.
func TestHTTP3_FromAltSvcToGoodbye(t *testing.T) {
	begun, release := make(chan struct{}), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/echo":
			_ = http.NewResponseController(w).EnableFullDuplex()
			_, _ = io.Copy(w, r.Body)
		case "/slow":
			close(begun)
			<-release
		}
		_, _ = fmt.Fprintf(w, "%s %s", r.Header.Get("X-Forwarded-Proto"), r.Header.Get("X-Forwarded-For"))
	}))
	defer server.Close()
	file := filepath.Join(t.TempDir(), "routes.yml")
	text := "http:\n  routers: {a: {rule: 'PathPrefix(`/`)', service: a, tls: {}, entryPoints: [web]}}\n  services: {a: {loadBalancer: {servers: [{url: '" + server.URL + "'}]}}}\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	f := startFairway(t, "--providers.file.filename="+file, "--entrypoints.web.http3")
	url := "https://" + f.address("web")
	trust := &tls.Config{InsecureSkipVerify: true}

	two := &http.Transport{TLSClientConfig: trust, ForceAttemptHTTP2: true}
	defer two.CloseIdleConnections()
	var res *http.Response
	f.await("the route", func() bool {
		var err error
		if res, err = two.RoundTrip(get(t, url+"/")); err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		return res.StatusCode == http.StatusOK
	})
	_, port, _ := net.SplitHostPort(f.address("web"))
	if want := `h3=":` + port + `"; ma=2592000`; res.ProtoMajor != 2 || res.Header.Get("Alt-Svc") != want {
		t.Fatalf("got %s, Alt-Svc %q, want %q", res.Proto, res.Header.Get("Alt-Svc"), want)
	}

	three := &http3.Transport{TLSClientConfig: trust}
	defer three.Close()
	if got := hear(t, three, get(t, url+"/")); got != "HTTP/3.0 200 https 127.0.0.1" {
		t.Errorf("got %q", got)
	}
	long := bytes.Repeat([]byte("0123456789abcdef"), 1<<18)
	req, err := http.NewRequest(http.MethodPost, url+"/echo", io.NopCloser(bytes.NewReader(long)))
	if err != nil {
		t.Fatal(err)
	}
	if got := hear(t, three, req); !strings.HasPrefix(got, "HTTP/3.0 200 "+string(long)) {
		t.Errorf("a long body: got %d bytes", len(got))
	}

	slow := make(chan string)
	go func() { slow <- hear(t, three, get(t, url+"/slow")) }()
	<-begun
	if err := f.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	f.await("the order to stop", func() bool { return strings.Contains(f.text(), "stopping") })
	close(release)
	if got := <-slow; got != "HTTP/3.0 200 https 127.0.0.1" {
		t.Errorf("the request under way: got %q", got)
	}
	if code := f.wait(); code != 0 {
		t.Errorf("got exit code %d", code)
	}
	for line := range strings.Lines(f.text()) {
		if !strings.HasPrefix(line, "{") {
			t.Errorf("a line that is not of the log's format: %s", line)
		}
	}
}

func get(t *testing.T, url string) *http.Request {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	return req
}

// hear returns version, status and body of a response.
func hear(t *testing.T, client http.RoundTripper, req *http.Request) string {
	t.Helper()
	res, err := client.RoundTrip(req)
	if err != nil {
		return err.Error()
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%s %d %s", res.Proto, res.StatusCode, text)
}
