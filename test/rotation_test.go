//go:build e2e

package test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// Programs that rotate logs rename the files, and send SIGUSR1.
func TestRotation_BothLogsAreOpenedAnew(t *testing.T) {
	routes := writeFile(t, "routes.yml", "http:\n  routers: {a: {rule: \"PathPrefix(`/`)\", service: a}}\n  services: {a: {loadBalancer: {servers: [{url: \"http://127.0.0.1:1\"}]}}}\n")
	dir := t.TempDir()
	own, access := filepath.Join(dir, "own.log"), filepath.Join(dir, "access.log")
	f := &fairway{t: t, addresses: map[string]string{}, exited: make(chan error, 1), cmd: exec.Command(binary,
		"--entrypoints.web.address=127.0.0.1:0", "--providers.file.filename="+routes, "--log.format=json", "--log.filepath="+own,
		"--accesslog.format=json", "--accesslog.filepath="+access, "--accesslog.bufferingsize=1")}
	f.cmd.Env = append(os.Environ(), "HOME="+t.TempDir())
	if err := f.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.cmd.Process.Kill() })
	go func() { f.exited <- f.cmd.Wait() }()
	has := func(file, text string) func() bool {
		return func() bool {
			b, err := os.ReadFile(file)
			return err == nil && strings.Contains(string(b), text)
		}
	}
	f.await("the entry point", has(own, "entry point is open"))
	f.addresses["web"] = addressIn(t, own)
	seen := func(path string) (inOwn, inAccess string) {
		f.get("a.test", path)
		return fmt.Sprintf(`"path":%q`, path), fmt.Sprintf(`"RequestPath":%q`, path)
	}
	inOwn, inAccess := seen("/before")
	f.await("lines before", func() bool { return has(own, inOwn)() && has(access, inAccess)() })
	for _, file := range []string{own, access} {
		if err := os.Rename(file, file+".1"); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.cmd.Process.Signal(syscall.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	f.await("new files", func() bool { return has(own, "")() && has(access, "")() })
	inOwn, inAccess = seen("/after")
	f.await("lines in the new files", func() bool { return has(own, inOwn)() && has(access, inAccess)() })
	if has(own+".1", "/after")() || has(access+".1", "/after")() {
		t.Error("the old files are written to")
	}
	if err := f.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if code := f.wait(); code != 0 || !has(own, `"msg":"stopped"`)() {
		t.Errorf("it ended with %d, or without its last line", code)
	}
}

// addressIn reads the address of the entry point from a log in JSON.
func addressIn(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	_, line, _ := strings.Cut(string(text), `"address":"`)
	address, _, _ := strings.Cut(line, `"`)
	return address
}
