package proxyprotocol

import (
	"encoding/binary"
	"fmt"
	"net/netip"
)

// Append writes a header of version 1 or 2. One without both ends says that they are not known, or that the
// connection is the sender's own.
func Append(dst []byte, version int, h Header) []byte {
	from, to := netip.AddrPortFrom(h.Source.Addr().Unmap(), h.Source.Port()), netip.AddrPortFrom(h.Destination.Addr().Unmap(), h.Destination.Port())
	known := from.IsValid() && to.IsValid()
	if known && from.Addr().Is4() != to.Addr().Is4() { // one family for both
		from, to = mapped(from), mapped(to)
	}
	if version == 1 {
		switch {
		case !known:
			return append(dst, "PROXY UNKNOWN\r\n"...)
		case from.Addr().Is4():
			return fmt.Appendf(dst, "PROXY TCP4 %s %s %d %d\r\n", from.Addr(), to.Addr(), from.Port(), to.Port())
		}
		return fmt.Appendf(dst, "PROXY TCP6 %s %s %d %d\r\n", six(from.Addr()), six(to.Addr()), from.Port(), to.Port())
	}
	dst = append(dst, signature2...)
	if !known {
		return append(dst, 0x20, 0, 0, 0) // LOCAL
	}
	family, length := byte(overTCP4), addresses4
	if !from.Addr().Is4() {
		family, length = overTCP6, addresses6
	}
	dst = append(dst, 0x21, family, 0, byte(length))
	dst = append(append(dst, from.Addr().AsSlice()...), to.Addr().AsSlice()...)
	dst = binary.BigEndian.AppendUint16(dst, from.Port())
	return binary.BigEndian.AppendUint16(dst, to.Port())
}

func mapped(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom16(a.Addr().As16()), a.Port())
}

// six is an IPv6 address without a zone, which the line has no room for.
func six(a netip.Addr) netip.Addr { return a.WithZone("") }
