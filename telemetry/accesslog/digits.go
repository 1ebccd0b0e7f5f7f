package accesslog

import "math/bits"

// pairs are the digits of the numbers below a hundred.
const pairs = "00010203040506070809101112131415161718192021222324252627282930313233343536373839404142434445464748495051525354555657585960616263646566676869707172737475767778798081828384858687888990919293949596979899"

// tens are the powers of ten.
var tens = func() (all [20]uint64) {
	for i, power := 0, uint64(1); i < len(all); i, power = i+1, power*10 {
		all[i] = power
	}
	return all
}()

// appendInt adds a number in decimal, as strconv.AppendInt does, but right where it belongs: a
// line has a dozen.
func appendInt(dst []byte, n int64) []byte {
	u := uint64(n)
	if n < 0 {
		dst, u = append(dst, '-'), -u
	}
	size := 1
	if u >= 10 {
		size = bits.Len64(u) * 1233 >> 12 // the logarithm, or one less
		if u >= tens[size] {
			size++
		}
	}
	at := len(dst) + size
	if at > cap(dst) {
		dst = append(dst, pairs[:size]...)
	}
	dst = dst[:at]
	for u >= 100 {
		two := u % 100 * 2
		u /= 100
		at -= 2
		dst[at], dst[at+1] = pairs[two], pairs[two+1]
	}
	if u >= 10 {
		dst[at-2], dst[at-1] = pairs[u*2], pairs[u*2+1]
		return dst
	}
	dst[at-1] = '0' + byte(u)
	return dst
}
