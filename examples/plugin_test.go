package examples

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestPlugin_IsBuiltAndKnown builds the gateway with the middleware of the example, and has it look at
// configurations with it.
func TestPlugin_IsBuiltAndKnown(t *testing.T) {
	dir := t.TempDir()
	program := filepath.Join(dir, "fairway")
	if out, err := exec.CommandContext(t.Context(), "plugin/build.sh", program).CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	for text, want := range map[string]string{"text: hello": "", "text: ''": "greeting: text: is required", "txt: hello": "text"} {
		routes := filepath.Join(dir, "routes.yml")
		if err := os.WriteFile(routes, []byte("http:\n  middlewares: {hello: {greeting: {"+text+"}}}\n  routers: {all: {rule: 'PathPrefix(`/`)', service: s, middlewares: [hello]}}\n  services: {s: {respond: {body: ok}}}\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.CommandContext(t.Context(), program, "check", routes).CombinedOutput()
		if failed := err != nil; failed != (want != "") || !strings.Contains(string(out), want) {
			t.Errorf("%s: got %v\n%s", text, err, out)
		}
	}
}
