package pemtext

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRead(t *testing.T) {
	const text = "-----BEGIN THING-----\nAAAA\n-----END THING-----\n"
	path := filepath.Join(t.TempDir(), "thing.pem")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, given := range []string{text, path} {
		if got, err := Read(given); string(got) != text || err != nil {
			t.Errorf("%q: got %q, %v", given, got, err)
		}
	}
	if _, err := Read(""); err == nil {
		t.Error("nothing was read, without an error")
	}
}

// What may be a key is not shown, and what is sure to be a path is.
func TestRead_ErrorsShowPathsAlone(t *testing.T) {
	for _, path := range []string{"/nowhere/key.pem", "./key", "../key", "key.pem", "/tmp/no-such-key"} {
		if _, err := Read(path); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: got %v", path, err)
		}
	}
	const body = "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg+w=="
	for _, key := range []string{body, "----BEGIN PRIVATE KEY-----" + body, "/" + body, "/" + strings.TrimRight(body, "+w=") + "abcd", strings.Repeat(body, 10), body + "\n" + body} {
		if _, err := Read(key); err == nil || strings.Contains(err.Error(), body[4:20]) {
			t.Errorf("%s: got %v", key, err)
		}
	}
}
