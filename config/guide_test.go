package config

import (
	"os"
	"strings"
	"testing"
)

// The examples of the guide are configurations without fault.
func TestGuide_ExamplesAreRight(t *testing.T) {
	text, err := os.ReadFile("../docs/guides/entrypoints.md")
	if err != nil {
		t.Fatal(err)
	}
	nowhere(t)
	examples := strings.Split(string(text), "```yaml\n")[1:]
	if len(examples) == 0 {
		t.Error("there are none")
	}
	for _, rest := range examples {
		example, _, _ := strings.Cut(rest, "```")
		l, err := Load([]string{"--configFile=" + write(t, "c.yml", example)}, nil)
		if err != nil || len(l.Warnings) > 0 {
			t.Errorf("got %v, %q of:\n%s", err, l.Warnings, example)
		}
	}
}
