//go:build e2e

package test

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fairway/internal/lambdatest"
)

// TestFunctions_OfARealRuntime has functions that were made with aws-lambda-go decide about requests, and
// answer them, behind the real program.
func TestFunctions_OfARealRuntime(t *testing.T) {
	rt := lambdatest.Start(t, 2)
	log := filepath.Join(t.TempDir(), "access.log")
	f := startFairway(t, "--accesslog.filepath="+log, "--accesslog.format=json", "--providers.file.filename="+writeFile(t, "functions.yml", strings.ReplaceAll(`http:
  routers:
    shop: {rule: 'Host("shop.test")', service: shop, middlewares: [guard]}
    stream: {rule: 'Host("stream.test")', service: stream}
    later: {rule: 'Host("later.test")', service: later}
    small: {rule: 'Host("small.test")', service: small}
  middlewares:
    guard: {authorizer: {identitySources: ['header:Authorization'], forwardHeaders: {X-User: user}, function: {endpoint: AT}}}
  services:
    shop: {function: {endpoint: AT, stageVariables: {lang: de}}}
    stream: {function: {endpoint: AT, mode: stream}}
    later: {function: {endpoint: AT, mode: event}}
    small: {function: {endpoint: AT, maxPayloadBytes: 2000}}
`, "AT", rt.URL)))
	f.awaitStatus("shop.test", http.StatusUnauthorized)
	get := func(host, path string, status int, header ...string) string {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+f.address("web")+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = host
		for i := 0; i < len(header); i += 2 {
			req.Header.Set(header[i], header[i+1])
		}
		res, err := fresh.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		if err != nil || res.StatusCode != status {
			t.Errorf("%s%s: got %d, %s, %v", host, path, res.StatusCode, text, err)
		}
		return string(text)
	}
	get("shop.test", "/", http.StatusForbidden, "Authorization", "Bearer bob")
	get("shop.test", "/", http.StatusInternalServerError, "Authorization", "Bearer broken")
	var said struct {
		Path    string
		Headers map[string]string
		Lambda  map[string]any
		Stage   map[string]string
	}
	text := get("shop.test", "/orders/7?a=b", http.StatusOK, "Authorization", "Bearer ann", "X-User", "root")
	if err := json.Unmarshal([]byte(text), &said); err != nil {
		t.Fatal(err)
	}
	if said.Path != "/orders/7" || said.Lambda["user"] != "ann" || said.Headers["x-user"] != "ann" || said.Headers["x-forwarded-for"] != "127.0.0.1" || said.Stage["lang"] != "de" {
		t.Errorf("got %+v", said)
	}
	get("shop.test", "/error", http.StatusBadGateway, "Authorization", "Bearer ann")
	if got := get("stream.test", "/stream", http.StatusAccepted); got != "one two" {
		t.Errorf("got %q", got)
	}
	file := filepath.Join(t.TempDir(), "called")
	get("later.test", "/once?file="+file, http.StatusAccepted)
	f.await("the function to be called", func() bool { _, err := os.Stat(file); return err == nil })
	get("small.test", "/?"+strings.Repeat("x", 2000), http.StatusRequestEntityTooLarge)
	for _, cause := range []string{
		"authorizer: it is not allowed to this client", "authorizer: the function has failed: errorString: the book of names is lost",
		"function: function: the function has failed: errorString: no bread today", "function: function: the event is longer than maxPayloadBytes",
	} {
		f.await("the log to tell "+cause, func() bool {
			text, err := os.ReadFile(log)
			return err == nil && strings.Contains(string(text), cause)
		})
	}
}

// A function in a container, by labels alone; the credentials of the gateway are not to be had so.
func TestFunctions_ByLabels(t *testing.T) {
	e := needDocker(t)
	f := dockerFairway(t, e)
	e.container(t, "fn-one")
	at := "http://" + e.do(t, "inspect", "-f", "{{.NetworkSettings.IPAddress}}", "fn-one")
	e.container(t, "fn-labels",
		"-l", "fairway.http.routers.fn.rule=Host(`fn.test`)", "-l", "fairway.http.routers.fn.service=fn",
		"-l", "fairway.http.services.fn.function.endpoint="+at, "-l", "fairway.http.services.fn.function.path=/pets/{id}",
		"-l", "fairway.http.routers.paid.rule=Host(`paid.test`)", "-l", "fairway.http.routers.paid.service=paid",
		"-l", "fairway.http.services.paid.function.name=payments", "-l", "fairway.http.services.paid.function.aws=true")
	f.awaitStatus("fn.test", http.StatusNotFound) // the path is none of its
	if a := f.get("fn.test", "/pets/7"); a.status != http.StatusOK || a.text != `hello 7` {
		t.Errorf("got %d %s", a.status, a.text)
	}
	f.problem("paid", "cannot be set by a label, only in a file")
}
