// Package proxyprotocol reads the header that a load balancer puts in front of a
// connection to tell who is at the other end: the PROXY protocol of HAProxy,
// version 1 (a line of text) and version 2 (binary), as in its proxy-protocol.txt.
//
// The header is taken off the socket to its last byte and no further, so that
// what follows is a plain TCP connection as before: the kernel still splices it,
// and whoever comes next may look at its first bytes. Libraries put a buffer over
// the connection instead.
package proxyprotocol

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"net/netip"
	"strconv"
	"strings"
)

// Header tells the ends of the connection that the load balancer has accepted.
// They are zero when it names none, as for its own health checks: those of the
// socket count then.
type Header struct {
	Source, Destination netip.AddrPort
}

const (
	signature1 = "PROXY "
	signature2 = "\r\n\r\n\x00\r\nQUIT\n"

	longestLine = 107 // of version 1, with CRLF (section 2.1)
	fixedPart   = 16  // of version 2: signature, command, family, length
	longestRest = 4 << 10
)

// parseLine reads a header of version 1, which ends with CRLF (section 2.1).
func parseLine(line []byte) (Header, error) {
	text, ok := strings.CutSuffix(string(line), "\r\n")
	if !ok {
		return Header{}, fmt.Errorf("line of more than %d bytes, or not ended by CRLF", longestLine)
	}
	fields := strings.Split(text, " ")
	switch {
	case len(fields) >= 2 && fields[1] == "UNKNOWN":
		return Header{}, nil
	case len(fields) != 6:
		return Header{}, fmt.Errorf("%d fields instead of 6", len(fields))
	}
	var h Header
	var err error
	if h.Source, err = parseEnd(fields[1], fields[2], fields[4]); err != nil {
		return Header{}, fmt.Errorf("source: %w", err)
	}
	if h.Destination, err = parseEnd(fields[1], fields[3], fields[5]); err != nil {
		return Header{}, fmt.Errorf("destination: %w", err)
	}
	return h, nil
}

func parseEnd(family, address, port string) (netip.AddrPort, error) {
	addr, err := netip.ParseAddr(address)
	if err != nil || addr.Zone() != "" {
		return netip.AddrPort{}, fmt.Errorf("%q is no address", address)
	}
	if family == "TCP4" && !addr.Is4() || family == "TCP6" && !addr.Is6() || family != "TCP4" && family != "TCP6" {
		return netip.AddrPort{}, fmt.Errorf("%q is no address of family %q", address, family)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || strconv.FormatUint(n, 10) != port {
		return netip.AddrPort{}, fmt.Errorf("%q is no port", port)
	}
	return netip.AddrPortFrom(addr, uint16(n)), nil
}

// restLength is how many bytes follow the fixed part of version 2 (section 2.2).
func restLength(fixed []byte) (int, error) {
	n := int(binary.BigEndian.Uint16(fixed[14:]))
	if n > longestRest {
		return 0, fmt.Errorf("%d bytes behind the fixed part, more than %d", n, longestRest)
	}
	return n, nil
}

// Families and transports of version 2, and how long their addresses are. Others
// than these exist, and are of no use here: their addresses are not read.
const (
	overTCP4, addresses4 = 0x11, 12
	overTCP6, addresses6 = 0x21, 36
)

// parseBinary reads a whole header of version 2 (section 2.2).
func parseBinary(b []byte) (Header, error) {
	command, family, rest := b[12], b[13], b[fixedPart:]
	switch {
	case command>>4 != 2:
		return Header{}, fmt.Errorf("version %d", command>>4)
	case command&15 > 1:
		return Header{}, fmt.Errorf("command %d is unknown", command&15)
	case family>>4 > 3 || family&15 > 2:
		return Header{}, fmt.Errorf("address family and transport %#02x are unknown", family)
	}
	var h Header
	size := 0
	switch family {
	case overTCP4:
		size = addresses4
	case overTCP6:
		size = addresses6
	default:
		return Header{}, nil
	}
	if len(rest) < size {
		return Header{}, fmt.Errorf("%d bytes are no two addresses of family %#02x", len(rest), family)
	}
	if err := checkExtensions(b, fixedPart+size); err != nil {
		return Header{}, err
	}
	if command&15 == 0 {
		return Header{}, nil // LOCAL: the load balancer speaks for itself
	}
	length := (size - 4) / 2
	source, _ := netip.AddrFromSlice(rest[:length])
	destination, _ := netip.AddrFromSlice(rest[length : 2*length])
	ports := rest[2*length:]
	h.Source = netip.AddrPortFrom(source, binary.BigEndian.Uint16(ports))
	h.Destination = netip.AddrPortFrom(destination, binary.BigEndian.Uint16(ports[2:]))
	return h, nil
}

const typeCRC32C = 0x03

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// checkExtensions walks over the fields of type, length and value behind the
// addresses. Only a checksum matters (section 2.2.4).
func checkExtensions(b []byte, at int) error {
	for at < len(b) {
		if len(b)-at < 3 {
			return errors.New("an extension is cut short")
		}
		kind, value := b[at], at+3
		next := value + int(binary.BigEndian.Uint16(b[at+1:]))
		if next > len(b) {
			return errors.New("an extension is cut short")
		}
		if kind == typeCRC32C {
			if next-value != crc32.Size {
				return fmt.Errorf("a checksum of %d bytes", next-value)
			}
			zeroed := bytes.Clone(b)
			clear(zeroed[value:next])
			if crc32.Checksum(zeroed, castagnoli) != binary.BigEndian.Uint32(b[value:]) {
				return errors.New("the checksum is wrong")
			}
		}
		at = next
	}
	return nil
}
