package proxyprotocol

import (
	"encoding/binary"
	"hash/crc32"
	"net/netip"
	"strings"
	"testing"
)

var (
	ends4 = Header{netip.MustParseAddrPort("192.0.2.1:56324"), netip.MustParseAddrPort("198.51.100.2:443")}
	ends6 = Header{netip.MustParseAddrPort("[2001:db8::1]:56324"), netip.MustParseAddrPort("[2001:db8::2]:443")}
)

// lines are headers of version 1, and what they tell.
var lines = []struct {
	name, line string
	want       Header
	fails      string
}{
	{"IPv4", "PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n", ends4, ""},
	{"IPv6", "PROXY TCP6 2001:db8::1 2001:db8::2 56324 443\r\n", ends6, ""},
	{"the longest", "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n", Header{
		netip.MustParseAddrPort("[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"), netip.MustParseAddrPort("[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"),
	}, ""},
	{"port 0", "PROXY TCP4 192.0.2.1 198.51.100.2 0 443\r\n", Header{netip.MustParseAddrPort("192.0.2.1:0"), ends4.Destination}, ""},
	{"unknown", "PROXY UNKNOWN\r\n", Header{}, ""},
	{"unknown, with anything", "PROXY UNKNOWN ffff::1 x 1 2 3\r\n", Header{}, ""},
	{"another family", "PROXY UDP4 192.0.2.1 198.51.100.2 56324 443\r\n", Header{}, `is no address of family "UDP4"`},
	{"IPv6 as IPv4", "PROXY TCP4 2001:db8::1 2001:db8::2 56324 443\r\n", Header{}, "is no address of family"},
	{"IPv4 as IPv6", "PROXY TCP6 192.0.2.1 198.51.100.2 56324 443\r\n", Header{}, "is no address of family"},
	{"a zone", "PROXY TCP6 fe80::1%eth0 2001:db8::2 56324 443\r\n", Header{}, "is no address"},
	{"a name", "PROXY TCP4 localhost 198.51.100.2 56324 443\r\n", Header{}, "source: "},
	{"a bad destination", "PROXY TCP4 192.0.2.1 198.51.100 56324 443\r\n", Header{}, "destination: "},
	{"a port too high", "PROXY TCP4 192.0.2.1 198.51.100.2 65536 443\r\n", Header{}, "is no port"},
	{"a port with a zero in front", "PROXY TCP4 192.0.2.1 198.51.100.2 056 443\r\n", Header{}, "is no port"},
	{"a negative port", "PROXY TCP4 192.0.2.1 198.51.100.2 -1 443\r\n", Header{}, "is no port"},
	{"two spaces", "PROXY TCP4  192.0.2.1 198.51.100.2 56324 443\r\n", Header{}, "7 fields"},
	{"a field too few", "PROXY TCP4 192.0.2.1 198.51.100.2 56324\r\n", Header{}, "5 fields"},
	{"nothing", "PROXY \r\n", Header{}, "2 fields"},
	{"LF alone", "PROXY UNKNOWN\n", Header{}, "CRLF"},
	{"no end", "PROXY UNKNOWN" + strings.Repeat("x", 94), Header{}, "CRLF"},
}

// binaryHeader puts a header of version 2 together.
func binaryHeader(command, family byte, rest ...byte) []byte {
	b := append([]byte(signature2), command, family)
	return append(binary.BigEndian.AppendUint16(b, uint16(len(rest))), rest...)
}

var (
	rest4 = []byte{192, 0, 2, 1, 198, 51, 100, 2, 0xdc, 0x04, 0x01, 0xbb}
	rest6 = func() []byte {
		source, destination := ends6.Source.Addr().As16(), ends6.Destination.Addr().As16()
		return append(append(source[:], destination[:]...), 0xdc, 0x04, 0x01, 0xbb)
	}()
	noop = []byte{0x04, 0, 1, 0xff}
)

// checked adds the checksum to a header.
func checked(wrong byte) []byte {
	b := binaryHeader(0x21, 0x11, join(rest4, noop, []byte{typeCRC32C, 0, 4, 0, 0, 0, 0})...)
	binary.BigEndian.PutUint32(b[len(b)-4:], crc32.Checksum(b, castagnoli))
	b[len(b)-1] ^= wrong
	return b
}

func join(parts ...[]byte) (all []byte) {
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

// binaries are headers of version 2, and what they tell.
var binaries = []struct {
	name   string
	header []byte
	want   Header
	fails  string
}{
	{"IPv4", binaryHeader(0x21, 0x11, rest4...), ends4, ""},
	{"IPv6", binaryHeader(0x21, 0x21, rest6...), ends6, ""},
	{"extensions", binaryHeader(0x21, 0x11, join(rest4, noop, []byte{0xee, 0, 0}, noop)...), ends4, ""},
	{"a checksum", checked(0), ends4, ""},
	{"LOCAL", binaryHeader(0x20, 0x00), Header{}, ""},
	{"LOCAL with addresses", binaryHeader(0x20, 0x11, rest4...), Header{}, ""},
	{"no family", binaryHeader(0x21, 0x00, 1, 2, 3), Header{}, ""},
	{"UDP", binaryHeader(0x21, 0x12, rest4...), Header{}, ""},
	{"a path", binaryHeader(0x21, 0x31, make([]byte, 216)...), Header{}, ""},
	{"version 1", binaryHeader(0x11, 0x11, rest4...), Header{}, "version 1"},
	{"a command", binaryHeader(0x22, 0x11, rest4...), Header{}, "command 2 is unknown"},
	{"a family", binaryHeader(0x21, 0x41, rest4...), Header{}, "0x41 are unknown"},
	{"a transport", binaryHeader(0x21, 0x13, rest4...), Header{}, "0x13 are unknown"},
	{"addresses cut short", binaryHeader(0x21, 0x11, rest4[:11]...), Header{}, "no two addresses"},
	{"IPv6 cut short", binaryHeader(0x21, 0x21, rest4...), Header{}, "no two addresses"},
	{"an extension cut short", binaryHeader(0x21, 0x11, join(rest4, []byte{0x04, 0, 2, 1})...), Header{}, "cut short"},
	{"the head of an extension cut short", binaryHeader(0x21, 0x11, join(rest4, []byte{0x04, 0})...), Header{}, "cut short"},
	{"a wrong checksum", checked(1), Header{}, "checksum is wrong"},
	{"a short checksum", binaryHeader(0x21, 0x11, join(rest4, []byte{typeCRC32C, 0, 1, 0})...), Header{}, "checksum of 1 bytes"},
	{"too long", binaryHeader(0x21, 0x11, make([]byte, longestRest+1)...), Header{}, "more than 4096"},
}

func TestParseLine(t *testing.T) {
	for _, tt := range lines {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parseLine([]byte(tt.line))
			judge(t, got, err, tt.want, tt.fails)
		})
	}
}

func TestParseBinary(t *testing.T) {
	for _, tt := range binaries {
		t.Run(tt.name, func(t *testing.T) {
			_, err := restLength(tt.header)
			var got Header
			if err == nil {
				got, err = parseBinary(tt.header)
			}
			judge(t, got, err, tt.want, tt.fails)
		})
	}
}

func judge(t *testing.T, got Header, err error, want Header, fails string) {
	t.Helper()
	if got != want {
		t.Errorf("got %v, want %v", got, want)
	}
	if (err == nil) != (fails == "") || err != nil && !strings.Contains(err.Error(), fails) {
		t.Errorf("got error %v, want %q", err, fails)
	}
}

// A line that is accepted names two ends of one family, or none.
func FuzzParseLine(f *testing.F) {
	for _, tt := range lines {
		f.Add([]byte(strings.TrimPrefix(tt.line, signature1)))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		h, err := parseLine(append([]byte(signature1), line...))
		if err != nil || !h.Source.IsValid() {
			return
		}
		if !h.Destination.IsValid() || h.Source.Addr().Is4() != h.Destination.Addr().Is4() || h.Source.Addr().Zone() != "" {
			t.Errorf("%q: got %v", line, h)
		}
	})
}

func FuzzParseBinary(f *testing.F) {
	for _, tt := range binaries {
		f.Add(tt.header[12:])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < fixedPart-len(signature2) {
			return
		}
		b = append([]byte(signature2), b...)
		if n, err := restLength(b); err != nil || n != len(b)-fixedPart {
			return
		}
		h, err := parseBinary(b)
		if err != nil && h != (Header{}) || h.Source.IsValid() != h.Destination.IsValid() {
			t.Errorf("%x: got %v, %v", b, h, err)
		}
	})
}
