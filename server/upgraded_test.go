package server

import (
	"bufio"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// upgrading is a handler that changes the protocol, and echoes what comes then.
func upgrading(w http.ResponseWriter, _ *http.Request) {
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nhello ")
	_, _ = io.Copy(conn, io.LimitReader(rw, 10))
}

// What passes after the protocol has changed counts, with both engines, and to servers by
// TLS as well.
func TestServer_BytesOfUpgradedConnectionsCount(t *testing.T) {
	plain, secure := httptest.NewServer(http.HandlerFunc(upgrading)), httptest.NewTLSServer(http.HandlerFunc(upgrading))
	t.Cleanup(plain.Close)
	t.Cleanup(secure.Close)
	for name, tt := range map[string]struct{ url, engine string }{"engine": {plain.URL, ""}, "standard": {plain.URL, "std"}, "by TLS": {secure.URL, ""}} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "access.log")
			r := start(t, routeTo(tt.url), "--serverstransport.insecureskipverify", "--entrypoints.web.engine="+tt.engine,
				"--accesslog.filepath="+file, "--accesslog.format=json", "--accesslog.bufferingsize=1")
			conn, err := net.Dial("tcp", r.Addresses()["web"])
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nearly late"); err != nil {
				t.Fatal(err)
			}
			in := bufio.NewReader(conn)
			if res, err := http.ReadResponse(in, nil); err != nil || res.StatusCode != http.StatusSwitchingProtocols {
				t.Fatalf("got %v, %v", res, err)
			}
			if text, err := io.ReadAll(in); err != nil || string(text) != "hello early late" {
				t.Fatalf("got %q, %v", text, err)
			}
			_ = conn.Close()
			var line struct{ RequestContentSize, DownstreamContentSize int }
			await(t, "the line", func() bool {
				text, err := os.ReadFile(file)
				return err == nil && strings.HasSuffix(string(text), "\n") && json.Unmarshal(text, &line) == nil
			})
			if line.RequestContentSize != 10 || line.DownstreamContentSize != 16 {
				t.Errorf("got %+v", line)
			}
		})
	}
}
