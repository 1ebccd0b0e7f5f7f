package config

import (
	"os"
	"strings"
	"testing"
)

// The examples of guides are configurations without fault.
func TestGuides_ExamplesAreRight(t *testing.T) {
	var examples []string
	for _, guide := range []string{"entrypoints", "http-provider", "observability"} {
		text, err := os.ReadFile("../docs/guides/" + guide + ".md")
		if err != nil {
			t.Fatal(err)
		}
		of := strings.Split(string(text), "```yaml\n")[1:]
		if len(of) == 0 {
			t.Errorf("%s has none", guide)
		}
		examples = append(examples, of...)
	}
	nowhere(t)
	for _, rest := range examples {
		example, _, _ := strings.Cut(rest, "```")
		l, err := Load([]string{"--configFile=" + write(t, "c.yml", example)}, nil)
		if err != nil || len(l.Warnings) > 0 {
			t.Errorf("got %v, %q of:\n%s", err, l.Warnings, example)
		}
	}
}
