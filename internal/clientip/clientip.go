// Package clientip decides which address a request is from: the peer of the
// connection, or an entry of X-Forwarded-For when trusted proxies stand in front.
//
// X-Forwarded-For is a list each proxy appends to, so only its right end was
// written by machines one knows; everything is counted from there. Wherever the
// list does not say, the answer is the invalid address, which no range contains.
package clientip

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"fairway/internal/record"
)

const forwardedFor = "X-Forwarded-For"

// Strategy is how the address of a client is found. Without any option it is the
// peer of the connection.
type Strategy struct {
	// Depth is the position of the client in X-Forwarded-For, counted from the
	// right: 1 is the last entry, the one the nearest proxy added. A list that is
	// shorter gives no address. 0, the default, ignores the header.
	Depth int `json:"depth,omitempty"`
	// ExcludedIPs lists the addresses and CIDR ranges of the proxies in front. The
	// client is then the first entry of X-Forwarded-For, from the right, that is not
	// one of them. It is ignored when depth is set.
	ExcludedIPs []string `json:"excludedIPs,omitempty"`
	// IPv6Subnet is a prefix length in bits, 1 to 128, that IPv6 addresses are cut
	// to, so that all addresses of one household count as one client. 0, the
	// default, leaves them whole.
	IPv6Subnet int `json:"ipv6Subnet,omitempty"`
}

// Resolver returns the function that finds the client of a request. A nil
// Strategy is the one without options.
func (s *Strategy) Resolver() (func(*http.Request) netip.Addr, error) {
	if s == nil {
		return Peer, nil
	}
	if s.Depth < 0 {
		return nil, errors.New("depth must not be negative")
	}
	if s.IPv6Subnet < 0 || s.IPv6Subnet > 128 {
		return nil, errors.New("ipv6Subnet must be between 1 and 128 bits")
	}
	excluded, err := ParseRanges(s.ExcludedIPs)
	if err != nil {
		return nil, fmt.Errorf("excludedIPs: %w", err)
	}
	find := Peer
	switch {
	case s.Depth > 0:
		find = func(r *http.Request) netip.Addr { return atDepth(r.Header, s.Depth) }
	case len(excluded) > 0:
		find = func(r *http.Request) netip.Addr { return firstNotIn(r.Header, excluded) }
	}
	if s.IPv6Subnet == 0 {
		return find, nil
	}
	return func(r *http.Request) netip.Addr { return cut(find(r), s.IPv6Subnet) }, nil
}

// Peer returns the other end of the connection, as the entry point noted it.
func Peer(r *http.Request) netip.Addr {
	if rec := record.From(r.Context()); rec != nil && rec.ClientIP.IsValid() {
		return plain(rec.ClientIP)
	}
	return parse(r.RemoteAddr)
}

// atDepth returns the entry at the position, counted from 1 at the right.
func atDepth(h http.Header, depth int) netip.Addr {
	for entry := range fromRight(h) {
		if depth--; depth == 0 {
			return parse(entry)
		}
	}
	return netip.Addr{}
}

// firstNotIn returns the rightmost entry outside of the ranges. An entry that is
// no address ends the search: nothing left of it can be trusted.
func firstNotIn(h http.Header, excluded Ranges) netip.Addr {
	for entry := range fromRight(h) {
		if addr := parse(entry); !excluded.Contains(addr) {
			return addr
		}
	}
	return netip.Addr{}
}

// fromRight yields the entries of X-Forwarded-For, last one first. Several header
// lines are one list: a client that sends a line of its own must not hide the
// proxy's.
func fromRight(h http.Header) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		lines := h[forwardedFor]
		for _, line := range slices.Backward(lines) {
			rest, more := line, true
			for more {
				var entry string
				comma := strings.LastIndexByte(rest, ',')
				entry, rest, more = rest[comma+1:], rest[:max(comma, 0)], comma >= 0
				if !yield(entry) {
					return
				}
			}
		}
	}
}

// parse reads an address with or without a port, as some proxies add it.
func parse(s string) netip.Addr {
	s = strings.TrimSpace(s)
	addr, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(s, "["), "]"))
	if err == nil {
		return plain(addr)
	}
	withPort, _ := netip.ParseAddrPort(s)
	return plain(withPort.Addr())
}

// plain gives one client one address: IPv4 written as IPv6 becomes IPv4, and the
// zone, which only says which network card it was, goes.
func plain(addr netip.Addr) netip.Addr { return addr.Unmap().WithZone("") }

func cut(addr netip.Addr, bits int) netip.Addr {
	if !addr.Is6() {
		return addr
	}
	p, err := addr.Prefix(bits)
	if err != nil {
		return netip.Addr{}
	}
	return p.Addr()
}
