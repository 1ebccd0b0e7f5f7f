package http1

import "encoding/binary"

// Classes of bytes.
const (
	tokenByte = 1 << iota // may stand in a method or a field name
	upperByte             // A to Z
	lowerByte             // a to z
	pathByte              // url.URL writes it plainly in a path
	hostByte              // may stand in a host name
	digitByte
	hexByte
)

var classes = byteClasses()

func byteClasses() (t [256]uint8) {
	mark := func(class uint8, bytes string) {
		for i := range len(bytes) {
			t[bytes[i]] |= class
		}
	}
	const upper, lower, digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz", "0123456789"
	mark(upperByte, upper)
	mark(lowerByte, lower)
	mark(digitByte, digits)
	mark(hexByte, digits+"abcdefABCDEF")
	mark(tokenByte, upper+lower+digits+"!#$%&'*+-.^_`|~")
	mark(pathByte, upper+lower+digits+"-_.~$&+,/:;=@")
	mark(hostByte, upper+lower+digits+"-._~!$&'()*+;=")
	return t
}

func is(c byte, class uint8) bool { return classes[c]&class != 0 }

func allBytes(s string, class uint8) bool {
	for i := range len(s) {
		if !is(s[i], class) {
			return false
		}
	}
	return true
}

func isToken(s string) bool { return s != "" && allBytes(s, tokenByte) }

const (
	ones = 0x0101010101010101
	tops = 0x8080808080808080
)

// hasControl tells whether b has a byte below space, or DEL. Tab is one, too. It
// looks at eight bytes at a time.
func hasControl(b []byte) bool {
	for len(b) >= 8 {
		x := binary.LittleEndian.Uint64(b)
		del := x ^ 0x7f*ones
		below := (x - 0x20*ones) &^ x
		if (below|(del-ones)&^del)&tops != 0 {
			return true
		}
		b = b[8:]
	}
	for _, c := range b {
		if c < 0x20 || c == 0x7f {
			return true
		}
	}
	return false
}

// checkValue tells which rule the value of a field breaks, or nil. Bytes above
// ASCII are allowed, as is tab.
func checkValue(b []byte) error {
	if !hasControl(b) {
		return nil
	}
	for _, c := range b {
		switch {
		case c == '\r':
			return errBareCR
		case c == '\n':
			return errBareLF
		case c < 0x20 && c != '\t', c == 0x7f:
			return errControlByte
		}
	}
	return nil
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' }

// equalFold compares ASCII without regard to case; lower is in lower case.
func equalFold(s, lower string) bool {
	if len(s) != len(lower) {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if is(c, upperByte) {
			c |= 0x20
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}
