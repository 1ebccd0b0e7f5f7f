//go:build e2e

package test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// secured is what is known of certificates at the API.
type secured struct {
	Names           []string
	Resolver, Error string
	Routers         []string
	NotAfter        string
}

// leaf is the certificate that a client gets who asks for a name; no request is sent.
func (f *fairway) leaf(name string) *x509.Certificate {
	f.t.Helper()
	conn, err := tls.Dial("tcp", f.address("websecure"), &tls.Config{ServerName: name, InsecureSkipVerify: true})
	if err != nil {
		f.t.Fatal(err)
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0]
}

// certs runs the command on the storage.
func certs(t *testing.T, options []string, args ...string) string {
	t.Helper()
	out, err := exec.Command(binary, append(append([]string{"certs"}, args...), options...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("certs %v: %v\n%s", args, err, out)
	}
	return string(out)
}

// A container with a label gets a certificate before anybody has asked for it.
func TestHTTPS_CertificatesByLabel(t *testing.T) {
	e := needDocker(t)
	web, secure := freePort(t), freePort(t)
	ca := startAuthority(t, web, secure)
	storage := filepath.Join(t.TempDir(), "acme.json")
	options := []string{
		"--entrypoints.web.address=127.0.0.1:" + web, "--entrypoints.websecure.address=127.0.0.1:" + secure,
		"--entrypoints.web.http.redirections.entrypoint.to=websecure",
		"--certificatesresolvers.le.acme.caserver=" + ca.directory, "--certificatesresolvers.le.acme.cacertificates=" + ca.roots,
		"--certificatesresolvers.le.acme.storage=" + storage, "--certificatesresolvers.le.acme.email=you@example.com",
		"--certificatesresolvers.le.acme.httpchallenge.entrypoint=web",
		"--certificatesresolvers.alpn.acme.caserver=" + ca.directory, "--certificatesresolvers.alpn.acme.cacertificates=" + ca.roots,
		"--certificatesresolvers.alpn.acme.storage=" + storage, "--certificatesresolvers.alpn.acme.tlschallenge",
	}
	f := dockerFairway(t, e, options...)
	e.container(t, "secured",
		"-l", "traefik.http.routers.secured.rule=Host(`secured.test`)", "-l", "traefik.http.routers.secured.entrypoints=websecure",
		"-l", "traefik.http.routers.secured.tls.certresolver=le",
		"-l", "traefik.http.routers.second.rule=Host(`second.test`)", "-l", "traefik.http.routers.second.entrypoints=websecure",
		"-l", "traefik.http.routers.second.tls.certresolver=alpn",
		"-l", "traefik.http.routers.bad.rule=Host(`no_host.test`)", "-l", "traefik.http.routers.bad.entrypoints=websecure",
		"-l", "traefik.http.routers.bad.tls.certresolver=le",
		"-l", "traefik.http.routers.typo.rule=Host(`typo.test`)", "-l", "traefik.http.routers.typo.tls.certresolver=lets")
	has := func(name string) bool {
		var all []secured
		f.api("/api/certificates", &all)
		for _, c := range all {
			if strings.Join(c.Names, " ") == name && c.NotAfter != "" {
				return true
			}
		}
		return false
	}
	f.await("both certificates, without a visitor", func() bool { return has("secured.test") && has("second.test") })
	first := f.leaf("secured.test")
	for _, name := range []string{"secured.test", "second.test"} {
		if leaf := f.leaf(name); leaf.VerifyHostname(name) != nil || !strings.Contains(leaf.Issuer.CommonName, "Pebble") || leaf.PublicKeyAlgorithm != x509.ECDSA {
			t.Errorf("%s: got a certificate of %s for %v", name, leaf.Issuer, leaf.DNSNames)
		}
	}
	if a := f.get("secured.test", "/"); a.status != 301 && a.status != 308 {
		t.Errorf("plain HTTP: got %d", a.status)
	}
	if p := f.problem("no_host.test", "cannot be got"); p.Severity != "error" || p.Source != "resolver le" {
		t.Errorf("got %+v", p)
	}
	f.problem("typo@docker", `there is no certificate resolver "lets"`)

	// A restart, without any goodbye, finds what was there.
	if err := f.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	f.wait()
	g := dockerFairway(t, e, options...)
	g.await("the certificate of before", func() bool { return g.leaf("secured.test").SerialNumber.Cmp(first.SerialNumber) == 0 })
	certsOfStorage(t, options, first)
}

// certsOfStorage tries the command while fairway runs.
func certsOfStorage(t *testing.T, options []string, first *x509.Certificate) {
	t.Helper()
	if out := certs(t, options, "list"); !strings.Contains(out, "secured.test") || !strings.Contains(out, "alpn") || !strings.Contains(out, "second.test") {
		t.Errorf("certs list:\n%s", out)
	}
	text := []byte(certs(t, options, "export", "secured.test"))
	block, rest := pem.Decode(text)
	if block == nil || !strings.Contains(string(rest), "PRIVATE KEY") {
		t.Fatalf("certs export:\n%s", text)
	}
	if leaf, err := x509.ParseCertificate(block.Bytes); err != nil || leaf.SerialNumber.Cmp(first.SerialNumber) != 0 {
		t.Errorf("certs export: another certificate, %v", err)
	}
	if out := certs(t, options, "revoke", "second.test"); !strings.Contains(out, "revoked and removed") {
		t.Errorf("certs revoke: %s", out)
	}
	if out, err := exec.Command(binary, append([]string{"certs", "renew", "nowhere.test"}, options...)...).CombinedOutput(); err == nil || !strings.Contains(string(out), "no resolver has a certificate for nowhere.test") {
		t.Errorf("certs renew of another name: %v, %s", err, out)
	}
	if out, err := exec.Command(binary, "certs", "show").CombinedOutput(); err == nil || !strings.Contains(string(out), `there is no "show"`) {
		t.Errorf("certs show: %v, %s", err, out)
	}
	for _, dir := range []string{"le", "alpn"} {
		info, err := os.Stat(filepath.Join(strings.TrimSuffix(storageOf(options), ".json"), dir))
		if err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("the folder of %s: %v, %v", dir, info, err)
		}
	}
}

func storageOf(options []string) string {
	for _, o := range options {
		if value, ok := strings.CutPrefix(o, "--certificatesresolvers.le.acme.storage="); ok {
			return value
		}
	}
	return ""
}
