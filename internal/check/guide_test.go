package check

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The examples of the guide are routing without a fault.
func TestGuide_ExamplesAreRight(t *testing.T) {
	text, err := os.ReadFile("../../docs/guides/load-balancing.md")
	if err != nil {
		t.Fatal(err)
	}
	examples := strings.Split(string(text), "```yaml\n")[1:]
	if len(examples) == 0 {
		t.Error("there are none")
	}
	for _, rest := range examples {
		example, _, _ := strings.Cut(rest, "```")
		path := filepath.Join(t.TempDir(), "routes.yml")
		if err := os.WriteFile(path, []byte(example), 0o600); err != nil {
			t.Fatal(err)
		}
		if problems, err := Configuration(path); err != nil || len(problems) > 0 {
			t.Errorf("got %v, %v of:\n%s", problems, err, example)
		}
	}
}
