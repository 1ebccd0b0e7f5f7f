package check

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The examples of the guides are routing without a fault.
func TestGuides_ExamplesAreRight(t *testing.T) {
	var examples []string
	for _, guide := range []string{"load-balancing", "caching"} {
		text, err := os.ReadFile("../../docs/guides/" + guide + ".md")
		if err != nil {
			t.Fatal(err)
		}
		of := strings.Split(string(text), "```yaml\n")[1:]
		if len(of) == 0 {
			t.Errorf("%s has none", guide)
		}
		examples = append(examples, of...)
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
