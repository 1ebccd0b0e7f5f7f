package server

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestServer_HeadersOfTheServer are in the log as the server answered them, whatever
// middlewares made of them for the client, and whichever engine talks to the server.
func TestServer_HeadersOfTheServer(t *testing.T) {
	answer := func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X-Made-By", "shop") }
	plain, secure := httptest.NewServer(http.HandlerFunc(answer)), httptest.NewTLSServer(http.HandlerFunc(answer))
	t.Cleanup(plain.Close)
	t.Cleanup(secure.Close)
	for name, url := range map[string]string{"plain": plain.URL, "TLS": secure.URL} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "access.log")
			routes := strings.Replace(routeTo(url), "service: all}", "service: all, middlewares: [other]}", 1) +
				"  middlewares: {other: {headers: {customResponseHeaders: {X-Made-By: gateway}}}}\n"
			r := start(t, routes, "--entrypoints.traefik.address=127.0.0.1:0", "--serverstransport.insecureskipverify", "--accesslog.filepath="+file,
				"--accesslog.format=json", "--accesslog.flushinterval=10ms", "--accesslog.fields.headers.names.X-Made-By=keep")
			r.get(t, "any.test", "/")
			var text []byte
			await(t, "a line", func() bool { text, _ = os.ReadFile(file); return strings.Count(string(text), "\n") == 1 })
			var got struct {
				Origin     string `json:"origin_X-Made-By"`
				Downstream string `json:"downstream_X-Made-By"`
			}
			if err := json.Unmarshal(text, &got); err != nil {
				t.Fatal(err)
			}
			if got.Origin != "shop" || got.Downstream != "gateway" {
				t.Errorf("got %+v in %s", got, text)
			}
		})
	}
}
