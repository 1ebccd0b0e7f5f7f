package proxyprotocol

import (
	"net/netip"
	"testing"
)

func TestAppend_IsReadAgain(t *testing.T) {
	four, six := netip.MustParseAddrPort("192.0.2.1:4711"), netip.MustParseAddrPort("[2001:db8::1]:443")
	seen4 := netip.MustParseAddrPort("[::ffff:192.0.2.1]:4711")
	for _, tt := range []struct{ in, want Header }{
		{Header{four, netip.MustParseAddrPort("198.51.100.2:80")}, Header{four, netip.MustParseAddrPort("198.51.100.2:80")}},
		{Header{six, netip.MustParseAddrPort("[2001:db8::2]:80")}, Header{six, netip.MustParseAddrPort("[2001:db8::2]:80")}},
		{Header{seen4, netip.MustParseAddrPort("198.51.100.2:80")}, Header{four, netip.MustParseAddrPort("198.51.100.2:80")}},
		{Header{four, six}, Header{seen4, six}},
		{Header{four, netip.AddrPort{}}, Header{}},
		{Header{}, Header{}},
	} {
		if got, err := parseLine(Append(nil, 1, tt.in)); err != nil || got != tt.want {
			t.Errorf("version 1 of %v: got %v, %v from %q", tt.in, got, err, Append(nil, 1, tt.in))
		}
		if got, err := parseBinary(Append(nil, 2, tt.in)); err != nil || got != tt.want {
			t.Errorf("version 2 of %v: got %v, %v", tt.in, got, err)
		}
	}
}
