package config

import (
	"os"
	"path/filepath"
	"testing"
)

// write puts text into a file of that name in a directory of its own, and returns
// its path.
func write(tb testing.TB, name, text string) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		tb.Fatal(err)
	}
	return path
}

// nowhere makes a working directory and a home without configuration files.
func nowhere(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("HOME", filepath.Join(dir, "home"))
	t.Setenv("XDG_CONFIG_HOME", "")
	t.Chdir(dir)
	return dir
}

func load(tb testing.TB, args, environ []string) *Loaded {
	tb.Helper()
	l, err := Load(args, environ)
	if err != nil {
		tb.Fatal(err)
	}
	return l
}
