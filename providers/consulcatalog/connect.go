package consulcatalog

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/consul/api"

	"fairway/config/dynamic"
	"fairway/internal/secret"
	"fairway/proxy"
)

// mesh is what is needed to be one of the services of Consul Connect: the authorities, and a
// certificate of our own, which Consul renews.
type mesh struct {
	*provider
	dc      string
	changed chan struct{}

	mu    sync.Mutex
	trust string   // domain
	roots []string // as PEM text
	leaf  *api.LeafCert
}

// join gets the authorities and the certificate, and follows them until ctx ends.
func (c *catalog) join(ctx context.Context) (*mesh, error) {
	m := &mesh{provider: c.provider, changed: make(chan struct{}, 1)}
	within, cancel := c.asking(ctx, 0)
	defer cancel()
	self, err := c.self(within)
	if err != nil {
		return nil, fmt.Errorf("ask the agent for its datacenter: %w", err)
	}
	if m.dc, _ = self["Config"]["Datacenter"].(string); c.config.Endpoint.Datacenter != "" {
		m.dc = c.config.Endpoint.Datacenter
	}
	roots, rootsMeta, err := c.client.Agent().ConnectCARoots(c.options(within, 0))
	if err != nil {
		return nil, fmt.Errorf("get the authorities of the mesh: %w", err)
	}
	leaf, leafMeta, err := c.client.Agent().ConnectCALeaf(c.config.ServiceName, c.options(within, 0))
	if err != nil {
		return nil, fmt.Errorf("get a certificate of the mesh for %q: %w", c.config.ServiceName, err)
	}
	m.take(roots, leaf)
	go m.follow(ctx, rootsMeta.LastIndex, func(index uint64) (uint64, error) {
		ctx, cancel := m.asking(ctx, index)
		defer cancel()
		roots, meta, err := m.client.Agent().ConnectCARoots(m.options(ctx, index))
		if err != nil {
			return index, err
		}
		m.take(roots, nil)
		return meta.LastIndex, nil
	})
	go m.follow(ctx, leafMeta.LastIndex, func(index uint64) (uint64, error) {
		ctx, cancel := m.asking(ctx, index)
		defer cancel()
		leaf, meta, err := m.client.Agent().ConnectCALeaf(m.config.ServiceName, m.options(ctx, index))
		if err != nil {
			return index, err
		}
		m.take(nil, leaf)
		return meta.LastIndex, nil
	})
	return m, nil
}

// self is what the agent says of itself; the library asks that without an end.
func (p *provider) self(ctx context.Context) (self map[string]map[string]any, err error) {
	_, err = p.client.Raw().Query("/v1/agent/self", &self, p.options(ctx, 0))
	return self, err
}

// follow asks a long question time and again. While it fails the last answer stays: a
// certificate lasts for days.
func (m *mesh) follow(ctx context.Context, index uint64, ask func(uint64) (uint64, error)) {
	for ctx.Err() == nil {
		now, err := ask(index)
		rest := pace
		if err != nil {
			rest = lastRetry
		} else {
			index = next(index, now)
		}
		select {
		case <-time.After(rest):
		case <-ctx.Done():
		}
	}
}

// take keeps what is not nil, and tells that something is another.
func (m *mesh) take(roots *api.CARootList, leaf *api.LeafCert) {
	m.mu.Lock()
	defer m.mu.Unlock()
	changed := false
	if roots != nil {
		var texts []string
		for _, r := range roots.Roots {
			texts = append(texts, r.RootCertPEM)
		}
		changed = !slices.Equal(texts, m.roots) || m.trust != roots.TrustDomain
		m.trust, m.roots = roots.TrustDomain, texts
	}
	if leaf != nil && (m.leaf == nil || m.leaf.CertPEM != leaf.CertPEM) {
		m.leaf, changed = leaf, true
	}
	if !changed {
		return
	}
	select {
	case m.changed <- struct{}{}:
	default:
	}
}

// renewed tells when an authority or the certificate is another one. Without a mesh it never
// does.
func (m *mesh) renewed() <-chan struct{} {
	if m == nil {
		return nil
	}
	return m.changed
}

// secure has the servers of a configuration that are proxies of the mesh reached by mTLS: as
// who we are, and only if they are who they have to be (SPIFFE).
//
// services are those of the mesh by the addresses of their proxies.
func (m *mesh) secure(cfg *dynamic.Configuration, services map[string]string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.leaf == nil {
		return
	}
	for name, svc := range cfg.HTTP.Services {
		if svc.LoadBalancer == nil || len(svc.LoadBalancer.Servers) == 0 {
			continue
		}
		u, err := url.Parse(svc.LoadBalancer.Servers[0].URL)
		if err != nil || services[u.Host] == "" {
			continue
		}
		behind := services[u.Host]
		lb := *svc.LoadBalancer
		lb.Servers = slices.Clone(lb.Servers)
		for i := range lb.Servers {
			lb.Servers[i].URL = "https://" + strings.TrimPrefix(strings.TrimPrefix(lb.Servers[i].URL, "http://"), "https://")
		}
		lb.ServersTransport = "tls-" + cmp.Or(m.namespace, "default") + "-" + m.dc + "-" + behind
		secured := *svc
		secured.LoadBalancer = &lb
		cfg.HTTP.Services[name] = &secured
		cfg.HTTP.ServersTransports[lb.ServersTransport] = m.transport(behind)
	}
}

func (m *mesh) transport(service string) *proxy.ServersTransport {
	t := &proxy.ServersTransport{}
	t.SetDefaults()
	t.RootCAs = slices.Clone(m.roots)
	t.Certificates = []proxy.ClientCertificate{{CertFile: m.leaf.CertPEM, KeyFile: secret.String(m.leaf.PrivateKeyPEM)}}
	t.PeerCertURI = "spiffe://" + m.trust + "/ns/" + cmp.Or(m.namespace, "default") + "/dc/" + m.dc + "/svc/" + service
	return t
}
