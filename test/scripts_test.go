//go:build e2e

package test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestScripts_OfFiles edits a script under load of requests: what is wrong with it costs nobody anything
// but the requests that it is wrong for, is shown while it lasts, and counted.
func TestScripts_OfFiles(t *testing.T) {
	script := filepath.Join(t.TempDir(), "edge.lua")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(script, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("function on_response(request, response)\n  response.headers:set('X-Version', '1')\n  if request.query:get('loop') then while true do end end\n" +
		"  if request.query:get('panic') then error('what is this') end\n  if request.query:get('memory') then local s = 'x' while true do s = s .. s end end\nend")
	f := startFairway(t, routesIn(t, strings.NewReplacer("SCRIPT", script, "BACKEND", named(t, "service")).Replace(`http:
  routers:
    good: {rule: 'Host("good.test")', service: s, middlewares: [edge], entryPoints: [web]}
    wrong: {rule: 'Host("wrong.test")', service: s, middlewares: [wrong], entryPoints: [web]}
  middlewares:
    edge: {lua: {file: 'SCRIPT'}}
    wrong: {lua: {script: "x = 1\nfunction on_request("}}
  services:
    s: {loadBalancer: {servers: [{url: 'BACKEND'}]}}
`)), "--metrics.prometheus")
	f.awaitStatus("good.test", 200)
	f.problem("wrong@file", "at its end: syntax error")
	if got := f.get("wrong.test", "/").status; got != 503 {
		t.Errorf("the router of a script that is none answers %d", got)
	}
	for bomb, want := range map[string]string{"loop": "edge.lua:3: it takes more than 100000 instructions", "panic": "edge.lua:4: what is this", "memory": "edge.lua:5: it takes more than 8388608 bytes of memory"} {
		if got := f.get("good.test", "/?"+bomb+"=1").status; got != 500 {
			t.Errorf("%s is answered with %d", bomb, got)
		}
		f.problem("edge@file", want)
		if got := f.get("good.test", "/").status; got != 200 {
			t.Errorf("the request after %s gets %d", bomb, got)
		}
	}
	if text := f.metrics(); !strings.Contains(text, `fairway_script_errors_total{kind="lua",middleware="edge@file"} 3`) {
		t.Error("the metrics do not count it")
	}
	write("function on_response(request, response)\n  response.headers:set('X-Version' '2')\nend")
	f.await("the mistake to be shown", func() bool {
		return f.get("good.test", "/").header.Get("X-Version") == "1" && strings.Contains(f.problemsText(), "line 2, near")
	})
	write("function on_response(request, response)\n  response.headers:set('X-Version', '3')\nend")
	f.await("the script that was put right", func() bool {
		return f.get("good.test", "/").header.Get("X-Version") == "3" && !strings.Contains(f.problemsText(), "edge@file")
	})
}
