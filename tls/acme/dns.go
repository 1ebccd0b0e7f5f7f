package acme

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-acme/lego/v4/challenge"
	"github.com/go-acme/lego/v4/challenge/dns01"
	"github.com/go-acme/lego/v4/providers/dns/acmedns"
	"github.com/go-acme/lego/v4/providers/dns/cloudflare"
	"github.com/go-acme/lego/v4/providers/dns/desec"
	"github.com/go-acme/lego/v4/providers/dns/digitalocean"
	"github.com/go-acme/lego/v4/providers/dns/dnsimple"
	"github.com/go-acme/lego/v4/providers/dns/duckdns"
	"github.com/go-acme/lego/v4/providers/dns/exec"
	"github.com/go-acme/lego/v4/providers/dns/gandiv5"
	"github.com/go-acme/lego/v4/providers/dns/godaddy"
	"github.com/go-acme/lego/v4/providers/dns/hetzner"
	"github.com/go-acme/lego/v4/providers/dns/httpreq"
	"github.com/go-acme/lego/v4/providers/dns/inwx"
	"github.com/go-acme/lego/v4/providers/dns/ionos"
	"github.com/go-acme/lego/v4/providers/dns/namecheap"
	"github.com/go-acme/lego/v4/providers/dns/netcup"
	"github.com/go-acme/lego/v4/providers/dns/ovh"
	"github.com/go-acme/lego/v4/providers/dns/pdns"
	"github.com/go-acme/lego/v4/providers/dns/porkbun"
	"github.com/go-acme/lego/v4/providers/dns/rfc2136"
	"github.com/go-acme/lego/v4/providers/dns/route53"
	"github.com/go-acme/lego/v4/providers/dns/vultr"
)

// dnsProviders are the DNS services that are built in, by the names of lego and Traefik.
var dnsProviders = map[string]func() (challenge.Provider, error){
	"acme-dns":     open(acmedns.NewDNSProvider),
	"cloudflare":   open(cloudflare.NewDNSProvider),
	"desec":        open(desec.NewDNSProvider),
	"digitalocean": open(digitalocean.NewDNSProvider),
	"dnsimple":     open(dnsimple.NewDNSProvider),
	"duckdns":      open(duckdns.NewDNSProvider),
	"exec":         open(exec.NewDNSProvider),
	"gandiv5":      open(gandiv5.NewDNSProvider),
	"godaddy":      open(godaddy.NewDNSProvider),
	"hetzner":      open(hetzner.NewDNSProvider),
	"httpreq":      open(httpreq.NewDNSProvider),
	"inwx":         open(inwx.NewDNSProvider),
	"ionos":        open(ionos.NewDNSProvider),
	"linode":       newLinode,
	"namecheap":    open(namecheap.NewDNSProvider),
	"netcup":       open(netcup.NewDNSProvider),
	"ovh":          open(ovh.NewDNSProvider),
	"pdns":         open(pdns.NewDNSProvider),
	"porkbun":      open(porkbun.NewDNSProvider),
	"rfc2136":      open(rfc2136.NewDNSProvider),
	"route53":      open(route53.NewDNSProvider),
	"vultr":        open(vultr.NewDNSProvider),
}

func open[P challenge.Provider](construct func() (P, error)) func() (challenge.Provider, error) {
	return func() (challenge.Provider, error) { return construct() }
}

// dnsSolver proves names by records. A nil one cannot.
type dnsSolver struct {
	provider   challenge.Provider
	servers    []string // that know all zones
	port       string   // of the servers of a zone
	settings   Propagation
	sequential bool          // the service can have one record at a time,
	pause      time.Duration // with this between them
	timeout    time.Duration
	interval   time.Duration
}

// newDNSSolver checks the options. Errors begin with the name of one.
func newDNSSolver(c *DNSChallenge) (*dnsSolver, error) {
	if c == nil {
		return nil, nil
	}
	known := slices.Sorted(maps.Keys(dnsProviders))
	construct := dnsProviders[strings.ToLower(c.Provider)]
	switch {
	case c.Provider == "":
		return nil, fmt.Errorf("provider: is required: one of %s", strings.Join(known, ", "))
	case construct == nil:
		return nil, fmt.Errorf("provider: %q is none of %s%s", c.Provider, strings.Join(known, ", "), meant(c.Provider, known))
	}
	s := &dnsSolver{port: "53", timeout: dns01.DefaultPropagationTimeout, interval: dns01.DefaultPollingInterval}
	if c.Propagation != nil {
		s.settings = *c.Propagation
	}
	s.settings.DisableChecks = s.settings.DisableChecks || c.DisablePropagationCheck
	s.settings.DelayBeforeChecks = max(s.settings.DelayBeforeChecks, c.DelayBeforeCheck)
	if s.settings.DelayBeforeChecks < 0 || c.DelayBeforeCheck < 0 {
		return nil, errors.New("propagation.delayBeforeChecks: must not be negative")
	}
	var err error
	if s.servers, err = nameServers(c.Resolvers); err != nil {
		return nil, fmt.Errorf("resolvers: %w", err)
	}
	if s.provider, err = construct(); err != nil {
		return nil, fmt.Errorf("provider: %w", err)
	}
	if p, ok := s.provider.(challenge.ProviderTimeout); ok {
		s.timeout, s.interval = p.Timeout()
	}
	if p, ok := s.provider.(interface{ Sequential() time.Duration }); ok {
		s.sequential, s.pause = true, p.Sequential()
	}
	return s, nil
}

// nameServers completes ports, or returns the servers of the system.
func nameServers(configured []string) ([]string, error) {
	if len(configured) == 0 {
		return systemServers(), nil
	}
	for _, server := range configured {
		host, port, err := net.SplitHostPort(server)
		if err != nil {
			host, port = strings.Trim(server, "[]"), "53"
		}
		if _, err := strconv.ParseUint(port, 10, 16); host == "" || err != nil || strings.ContainsAny(host, "/ ") {
			return nil, fmt.Errorf("%q is no host:port", server)
		}
	}
	return dns01.ParseNameservers(configured), nil
}

// dnsTurn is held by who calls a provider: they look zones up at servers that the library
// keeps in a variable of the whole program, and few of them like to be called twice at
// once.
var dnsTurn = make(chan struct{}, 1)

// turn calls f when it is our turn. f cannot be interrupted, but has timeouts of its own.
func (s *dnsSolver) turn(ctx context.Context, f func() error) error {
	select {
	case dnsTurn <- struct{}{}:
		defer func() { <-dnsTurn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	_ = dns01.AddRecursiveNameservers(s.servers)(nil)
	return f()
}

// present writes a record, and returns where it is and what it is.
func (s *dnsSolver) present(ctx context.Context, domain, token, keyAuth string) (info dns01.ChallengeInfo, err error) {
	err = s.turn(ctx, func() error {
		if err := s.provider.Present(domain, token, keyAuth); err != nil {
			return err
		}
		info = dns01.GetChallengeInfo(domain, keyAuth)
		return nil
	})
	return info, err
}

// cleanUp removes a record, also after the resolver was told to stop.
func (s *dnsSolver) cleanUp(domain, token, keyAuth string) error {
	ctx, cancel := context.WithTimeout(context.Background(), s.timeout)
	defer cancel()
	return s.turn(ctx, func() error { return s.provider.CleanUp(domain, token, keyAuth) })
}
