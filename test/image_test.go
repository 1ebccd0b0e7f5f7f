//go:build e2e

package test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// buildVariant builds an image of the backend with a further line in its recipe,
// and without those lines that begin with one of the given words.
func buildVariant(t *testing.T, e *engine, image, line string, without ...string) {
	t.Helper()
	context := filepath.Join(e.dir, "image")
	recipe, err := os.ReadFile(filepath.Join(context, "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for l := range strings.Lines(string(recipe)) {
		keep := true
		for _, word := range without {
			keep = keep && !strings.HasPrefix(l, word)
		}
		if keep {
			lines = append(lines, strings.TrimSpace(l))
		}
	}
	variant := filepath.Join(t.TempDir(), "Dockerfile")
	if err := os.WriteFile(variant, []byte(strings.Join(append(lines, line, ""), "\n")), 0o644); err != nil {
		t.Fatal(err)
	}
	e.do(t, "build", "-q", "-t", image, "-f", variant, context)
}
