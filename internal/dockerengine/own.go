package dockerengine

import (
	"context"
	"net"
	"net/url"
	"os"
	"regexp"
	"time"
)

var mountedContainer = regexp.MustCompile(`/containers/([0-9a-f]{64})/`)

// OwnID is the ID of the container that fairway runs in, or its beginning: Docker
// mounts files from a folder with that name, and uses it as the host name.
func OwnID() string {
	if mounts, err := os.ReadFile("/proc/self/mountinfo"); err == nil {
		if m := mountedContainer.FindSubmatch(mounts); m != nil {
			return string(m[1])
		}
	}
	host, err := os.Hostname()
	if err != nil || !regexp.MustCompile(`^[0-9a-f]{12}$`).MatchString(host) {
		return ""
	}
	return host
}

// HostAddress is the address under which the engine's machine is reached, for
// containers in its network.
func HostAddress(ctx context.Context, address string, local bool) string {
	if u, err := url.Parse(address); err == nil && !local {
		return u.Hostname()
	}
	for _, name := range []string{"host.docker.internal", "host.containers.internal"} {
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		found, err := net.DefaultResolver.LookupHost(ctx, name)
		cancel()
		if err == nil && len(found) > 0 {
			return found[0]
		}
	}
	return "127.0.0.1"
}
