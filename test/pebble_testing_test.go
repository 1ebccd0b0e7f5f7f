//go:build e2e

package test

import (
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"fairway/internal/certtest"
)

// authority is a certificate authority by ACME: Pebble, which is Let's Encrypt's own for
// tests, as strict as it can be.
type authority struct {
	directory string // its URL
	roots     string // file that its server is trusted by
}

// startAuthority starts it. It looks for names at the ports of this machine.
func startAuthority(t *testing.T, httpPort, tlsPort string) *authority {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"pebble", "pebble-challtestsrv"} {
		cmd := exec.Command("go", "build", "-modfile=tools.mod", "-o", filepath.Join(dir, name), "github.com/letsencrypt/pebble/v2/cmd/"+name)
		cmd.Dir = ".."
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("build %s: %v\n%s", name, err, out)
		}
	}
	own := certtest.NewAuthority(t, "server of the authority")
	cert, key := own.Files(time.Now().Add(time.Hour), "localhost")
	listen, management, dns, api := "127.0.0.1:"+freePort(t), "127.0.0.1:"+freePort(t), "127.0.0.1:"+freePort(t), "127.0.0.1:"+freePort(t)
	config, err := json.Marshal(map[string]any{"pebble": map[string]any{
		"listenAddress": listen, "managementListenAddress": management, "certificate": cert, "privateKey": key,
		"httpPort": number(t, httpPort), "tlsPort": number(t, tlsPort),
		"profiles": map[string]any{"default": map[string]any{"description": "as ever", "validityPeriod": 7776000}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	file := certtest.File(t, "pebble.json", string(config))
	background(t, nil, filepath.Join(dir, "pebble-challtestsrv"), "-http01", "", "-https01", "", "-doh", "", "-tlsalpn01", "",
		"-dnsserver", dns, "-management", api, "-defaultIPv6", "")
	background(t, []string{"PEBBLE_VA_NOSLEEP=1", "PEBBLE_WFE_NONCEREJECT=20"}, filepath.Join(dir, "pebble"), "-config", file, "-strict", "-dnsserver", dns)
	awaitDial(t, listen)
	awaitDial(t, api)
	_, port, _ := net.SplitHostPort(listen)
	return &authority{directory: "https://localhost:" + port + "/dir", roots: certtest.File(t, "roots.pem", own.PEM())}
}

func number(t *testing.T, port string) int {
	t.Helper()
	n, err := net.LookupPort("tcp", port)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// background runs a program until the test ends.
func background(t *testing.T, env []string, program string, args ...string) {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Env = append(os.Environ(), env...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
}

func awaitDial(t *testing.T, address string) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			_ = conn.Close()
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("nobody listens at %s: %v", address, err)
		}
		time.Sleep(5 * time.Millisecond)
	}
}
