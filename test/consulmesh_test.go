//go:build e2e

package test

import (
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// TestConsul_ReachesServicesOfTheMesh has a service behind the proxy that Consul itself has,
// which lets nobody in but by mTLS with certificates of Consul's own authority.
func TestConsul_ReachesServicesOfTheMesh(t *testing.T) {
	c := aloneConsul(t, "-hcl=connect { enabled = true }")
	_, port := hostPort(t, named(t, "web"))
	sidecar := number(t, freePort(t))
	c.put("/v1/agent/service/register", object{
		"Name": "web", "ID": "web", "Port": port, "Address": "127.0.0.1", "Tags": []string{"fairway.consulcatalog.connect=true", "fairway.http.routers.web.rule=Host(`web.test`)"},
		"Connect": object{"SidecarService": object{"Port": sidecar, "Address": "127.0.0.1", "Checks": []object{}}},
	})
	c.register("plain", "plain", named(t, "plain"), nil, "fairway.http.routers.plain.rule=Host(`plain.test`)")
	proxy := exec.Command(c.args[0], "connect", "proxy", "-http-addr="+c.http, "-sidecar-for=web", "-log-level=error")
	proxy.Stderr = os.Stderr
	if err := proxy.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = proxy.Process.Signal(syscall.SIGKILL); _ = proxy.Wait() })

	f := consulFairway(t, c, "--providers.consulcatalog.connectaware", "--providers.consulcatalog.servicename=gateway")
	f.await("the service of the mesh", f.says("web.test", "web"))
	f.await("the one beside it", f.says("plain.test", "plain"))
	var s struct {
		Load struct {
			Servers []struct{ URL string } `json:"servers"`
		} `json:"loadBalancer"`
	}
	f.api("/api/http/services/web@consulcatalog", &s)
	if len(s.Load.Servers) != 1 || !strings.HasPrefix(s.Load.Servers[0].URL, "https://") {
		t.Errorf("it is reached at %v", s.Load.Servers)
	}
	c.put("/v1/connect/intentions/exact?source=gateway&destination=web", object{"Action": "deny"})
	f.await("an intention to keep fairway out", func() bool { return f.get("web.test", "/").status == http.StatusBadGateway })
	c.put("/v1/connect/intentions/exact?source=gateway&destination=web", object{"Action": "allow"})
	f.await("it to be let in again", f.says("web.test", "web"))
	c.put("/v1/connect/ca/configuration", object{"Provider": "consul", "Config": object{"LeafCertTTL": "72h", "RotationPeriod": "2160h", "PrivateKeyType": "ec", "PrivateKeyBits": 384}})
	f.await("another authority", func() bool {
		_, text := c.try(http.MethodGet, "/v1/connect/ca/roots", nil)
		return strings.Count(text, "RootCert\"") > 1
	})
	for range 20 {
		f.await("the service, by certificates of the new authority", f.says("web.test", "web"))
	}
}
