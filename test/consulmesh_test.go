//go:build e2e

package test

import (
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
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
	stopProxy := sidecarOf(t, c, "web")
	// Intentions are asked when a connection begins: the first one has to be refused.
	c.put("/v1/connect/intentions/exact?source=gateway&destination=web", object{"Action": "deny"})

	f := consulFairway(t, c, "--providers.consulcatalog.connectaware", "--providers.consulcatalog.servicename=gateway")
	f.await("the service of the mesh, which does not let fairway in", func() bool { return f.get("web.test", "/").status == http.StatusBadGateway })
	c.put("/v1/connect/intentions/exact?source=gateway&destination=web", object{"Action": "allow"})
	f.await("it to let fairway in", f.says("web.test", "web"))
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
	var problems []problem
	if f.api("/api/problems", &problems); len(problems) > 0 {
		t.Errorf("problems: %v", problems)
	}
	c.put("/v1/connect/ca/configuration", object{"Provider": "consul", "Config": object{"LeafCertTTL": "72h", "RotationPeriod": "2160h", "PrivateKeyType": "ec", "PrivateKeyBits": 384}})
	f.await("another authority", func() bool {
		_, text := c.try(http.MethodGet, "/v1/connect/ca/roots", nil)
		return strings.Count(text, "RootCert\"") > 1
	})
	stopProxy()
	sidecarOf(t, c, "web")
	f.await("the service, by certificates of the new authority", f.says("web.test", "web"))
}

// sidecarOf starts the proxy that Consul itself has in front of a service; what it returns
// ends it.
func sidecarOf(t *testing.T, c *consul, service string) (stop func()) {
	t.Helper()
	proxy := exec.Command(c.args[0], "connect", "proxy", "-http-addr="+c.http, "-sidecar-for="+service, "-log-level=error")
	proxy.Stderr = os.Stderr
	if err := proxy.Start(); err != nil {
		t.Fatal(err)
	}
	stop = sync.OnceFunc(func() { _ = proxy.Process.Signal(syscall.SIGKILL); _ = proxy.Wait() })
	t.Cleanup(stop)
	return stop
}
