//go:build e2e

package test

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The suite, and what it fetches by, as npm has them.
var cacheSuite = []string{"http-cache-tests@0.4.5", "node-fetch@2.7.0", "whatwg-url@5.0.0", "tr46@0.0.3", "webidl-conversions@3.0.1"}

// TestCache_Suite runs the tests of the HTTP working group against the real program.
func TestCache_Suite(t *testing.T) {
	needProgram(t, "npm")
	modules := cacheModules(t)
	port := freePort(t)
	origin := exec.Command("node", "server/server.mjs")
	origin.Dir = filepath.Join(modules, "http-cache-tests")
	origin.Env = append(os.Environ(), "npm_package_config_protocol=http", "npm_package_config_port="+port, "npm_package_config_pidfile="+filepath.Join(modules, "pid"))
	if err := origin.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = origin.Process.Kill(), origin.Wait() })
	await(t, "the server of the suite", func() bool {
		conn, err := dialTCP("localhost:" + port)
		if err != nil {
			return false
		}
		return conn.Close() == nil
	})
	f := startFairway(t, "--providers.file.filename="+writeFile(t, "cache.yml", fmt.Sprintf(`http:
  routers: {all: {rule: 'PathPrefix("/")', service: all, middlewares: [cache]}}
  services: {all: {loadBalancer: {servers: [{url: 'http://localhost:%s'}]}}}
  middlewares:
    cache: {cache: {heuristicFraction: 0.1, staleIfError: 1m, storeCookies: true, targetedFields: [Surrogate-Control, CDN-Cache-Control]}}
`, port)))
	f.awaitStatus("127.0.0.1", 200)
	run := exec.Command("node", "--no-warnings", "run.mjs", "http://"+f.address("web"))
	run.Dir = modules
	out, err := run.CombinedOutput()
	if err != nil {
		t.Fatalf("run the suite: %v\n%s", err, out)
	}
	compareWithSuite(t, string(out))
}

// cacheModules fetches the suite and lays it out with the program that runs it.
func cacheModules(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "node_modules")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	pack := exec.Command("npm", append([]string{"pack", "--silent"}, cacheSuite...)...)
	pack.Dir = dir
	if out, err := pack.CombinedOutput(); err != nil {
		t.Fatalf("fetch %v: %v\n%s", cacheSuite, err, out)
	}
	for _, module := range cacheSuite {
		name, version, _ := strings.Cut(module, "@")
		at := filepath.Join(dir, name)
		if err := os.Mkdir(at, 0o755); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command("tar", "xzf", filepath.Join(dir, name+"-"+version+".tgz"), "-C", at, "--strip-components=1").CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	program, err := os.ReadFile("testdata/cachetests/run.mjs")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "run.mjs"), program, 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// compareWithSuite holds the results to what is known to fail.
func compareWithSuite(t *testing.T, out string) {
	t.Helper()
	text, err := os.ReadFile("testdata/cachetests/failing.txt")
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		if test, reason, ok := strings.Cut(line, ": "); ok && !strings.HasPrefix(line, "#") && strings.TrimSpace(reason) != "" {
			known[test] = true
		}
	}
	passed, all := map[string]int{}, map[string]int{}
	for line := range strings.Lines(out) {
		words := strings.SplitN(strings.TrimSpace(line), " ", 4)
		if len(words) < 4 {
			t.Errorf("not a result: %s", line)
			continue
		}
		kind, how, test := words[0], words[1], words[0]+" "+words[2]
		all[kind]++
		if how == "passed" {
			passed[kind]++
		}
		switch {
		case kind == "check": // these ask what a cache does, and call nothing wrong
		case how == "failed" && !known[test]:
			t.Errorf("%s fails: %s", test, words[3])
		case how == "passed" && known[test]:
			t.Errorf("%s passes: take it out of failing.txt", test)
		}
		delete(known, test)
	}
	if len(known) > 0 {
		t.Errorf("the suite does not have %q", slices.Sorted(maps.Keys(known)))
	}
	t.Logf("passed: %v of %v", passed, all)
	if passed["required"] < 158 || passed["optimal"] < 87 {
		t.Errorf("passed: %v of %v", passed, all)
	}
}
