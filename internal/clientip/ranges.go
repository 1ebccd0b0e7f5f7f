package clientip

import (
	"fmt"
	"net/netip"
	"strings"
)

// Ranges is a set of addresses.
type Ranges []netip.Prefix

// ParseRanges reads addresses and CIDR ranges; a single address is a range of one.
func ParseRanges(list []string) (Ranges, error) {
	var ranges Ranges
	for _, s := range list {
		p, err := parseRange(strings.TrimSpace(s))
		if err != nil {
			return nil, fmt.Errorf("%q is neither an address nor a CIDR range", s)
		}
		ranges = append(ranges, p)
	}
	return ranges, nil
}

// Contains reports whether addr is in one of the ranges. The invalid address is in
// none, not even in 0.0.0.0/0.
func (rs Ranges) Contains(addr netip.Addr) bool {
	addr = plain(addr)
	for _, p := range rs {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

func parseRange(s string) (netip.Prefix, error) {
	if !strings.Contains(s, "/") {
		addr, err := netip.ParseAddr(s)
		if err != nil {
			return netip.Prefix{}, err
		}
		addr = plain(addr)
		return addr.Prefix(addr.BitLen())
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return netip.Prefix{}, err
	}
	if p.Addr().Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p.Masked(), nil
}
