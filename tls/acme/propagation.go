package acme

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/go-acme/lego/v4/challenge/dns01"
	"github.com/miekg/dns"
)

// await waits until the record can be seen where the authority will look: at the zone's
// own name servers, and if so configured at all that were named. Unlike the library's way
// of waiting, this one ends when it is told to.
func (s *dnsSolver) await(ctx context.Context, info dns01.ChallengeInfo) error {
	if err := sleep(ctx, time.Duration(s.settings.DelayBeforeChecks)); err != nil {
		return err
	}
	if s.settings.DisableChecks {
		return nil
	}
	limited, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	var err error
	for {
		now := s.seen(limited, info)
		if now == nil {
			return nil
		}
		if err == nil || limited.Err() == nil {
			err = now // one that only says that the time is over says less than the last
		}
		if sleep(limited, s.interval) != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return fmt.Errorf("the record %s was not seen within %s: %w", info.EffectiveFQDN, s.timeout, err)
		}
	}
}

// seen looks once.
func (s *dnsSolver) seen(ctx context.Context, info dns01.ChallengeInfo) error {
	if s.settings.RequireAllRNS {
		for _, server := range s.servers {
			if err := has(ctx, server, info, true); err != nil {
				return err
			}
		}
	}
	if s.settings.DisableANSChecks {
		return nil
	}
	servers, err := s.authorities(ctx, info.EffectiveFQDN)
	if err != nil {
		return err
	}
	for _, server := range servers {
		if err := has(ctx, server, info, false); err != nil {
			return err
		}
	}
	return nil
}

// has asks one server for the record.
func has(ctx context.Context, server string, info dns01.ChallengeInfo, recursive bool) error {
	reply, err := query(ctx, []string{server}, info.EffectiveFQDN, dns.TypeTXT, recursive)
	if err != nil {
		return err
	}
	for _, record := range reply.Answer {
		if txt, ok := record.(*dns.TXT); ok && strings.Join(txt.Txt, "") == info.Value {
			return nil
		}
	}
	return fmt.Errorf("name server %s does not have it yet", server)
}

// authorities finds the name servers of the zone that a name is in: those of the nearest
// parent that has a start of authority.
func (s *dnsSolver) authorities(ctx context.Context, fqdn string) ([]string, error) {
	for at, end := 0, false; !end; at, end = dns.NextLabel(fqdn, at) {
		zone := fqdn[at:]
		reply, err := query(ctx, s.servers, zone, dns.TypeSOA, true)
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(reply.Answer, func(r dns.RR) bool { _, ok := r.(*dns.SOA); return ok }) {
			continue
		}
		if reply, err = query(ctx, s.servers, zone, dns.TypeNS, true); err != nil {
			return nil, err
		}
		var found []string
		for _, record := range reply.Answer {
			if ns, ok := record.(*dns.NS); ok {
				found = append(found, s.addresses(ctx, ns.Ns)...)
			}
		}
		if len(found) > 0 {
			return found, nil
		}
		return nil, fmt.Errorf("no name server of the zone %s is known", zone)
	}
	return nil, fmt.Errorf("the zone of %s is not known", fqdn)
}

// addresses looks a name server up. One address is enough: each is the same server.
func (s *dnsSolver) addresses(ctx context.Context, host string) []string {
	for _, kind := range []uint16{dns.TypeA, dns.TypeAAAA} {
		reply, err := query(ctx, s.servers, host, kind, true)
		if err != nil {
			continue
		}
		for _, record := range reply.Answer {
			switch record := record.(type) {
			case *dns.A:
				return []string{net.JoinHostPort(record.A.String(), s.port)}
			case *dns.AAAA:
				return []string{net.JoinHostPort(record.AAAA.String(), s.port)}
			}
		}
	}
	return nil
}

// query asks the servers one after the other until one answers; over TCP if the answer is
// too long for UDP.
func query(ctx context.Context, servers []string, name string, kind uint16, recursive bool) (*dns.Msg, error) {
	question := new(dns.Msg)
	question.SetQuestion(name, kind)
	question.SetEdns0(4096, false)
	question.RecursionDesired = recursive
	errs := errors.New("no name server is configured")
	for _, server := range servers {
		var reply *dns.Msg
		for _, network := range []string{"udp", "tcp"} {
			client := dns.Client{Net: network, Timeout: 5 * time.Second}
			var err error
			if reply, _, err = client.ExchangeContext(ctx, question, server); err != nil {
				errs, reply = fmt.Errorf("ask name server %s: %w", server, err), nil
				break
			}
			if !reply.Truncated {
				break
			}
		}
		switch {
		case reply == nil:
		case reply.Rcode == dns.RcodeSuccess || reply.Rcode == dns.RcodeNameError:
			return reply, nil
		default:
			errs = fmt.Errorf("name server %s answers %s for %s", server, dns.RcodeToString[reply.Rcode], name)
		}
	}
	return nil, errs
}

// systemServers are those of /etc/resolv.conf, or public ones where there is none.
func systemServers() []string {
	config, err := dns.ClientConfigFromFile("/etc/resolv.conf")
	if err != nil || len(config.Servers) == 0 {
		return []string{"1.1.1.1:53", "8.8.8.8:53"}
	}
	return dns01.ParseNameservers(config.Servers)
}

// sleep waits, unless the context ends before.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
