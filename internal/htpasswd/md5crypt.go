package htpasswd

import (
	"crypto/md5"
	"crypto/subtle"
	"errors"
	"strings"
)

// md5Crypt is MD5-crypt: a thousand rounds of MD5 over password and salt, made for
// FreeBSD with the magic $1$ and taken over by Apache with the magic $apr1$.
type md5Crypt struct {
	magic, salt, sum string
}

// crypt64 is the alphabet of crypt(3), which is not the one of base64.
const crypt64 = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

func parseMD5Crypt(hash string) (Hash, error) {
	const maxSalt, sumLength = 8, 22
	parts := strings.Split(hash, "$")
	if len(parts) != 4 || len(parts[2]) > maxSalt || len(parts[3]) != sumLength {
		return nil, errors.New("not a valid MD5-crypt hash")
	}
	return md5Crypt{magic: "$" + parts[1] + "$", salt: parts[2], sum: parts[3]}, nil
}

func (h md5Crypt) Matches(password string) bool {
	return equal([]byte(h.encode(h.digest(password))), []byte(h.sum))
}

func (md5Crypt) Cost() int { return 2 }

func (h md5Crypt) digest(password string) [md5.Size]byte {
	inner := md5.Sum([]byte(password + h.salt + password))
	first := []byte(password + h.magic + h.salt)
	for n := len(password); n > 0; n -= md5.Size {
		first = append(first, inner[:min(n, md5.Size)]...)
	}
	for n := len(password); n > 0; n >>= 1 {
		if n&1 == 1 {
			first = append(first, 0)
		} else {
			first = append(first, password[0])
		}
	}
	sum := md5.Sum(first)
	var round []byte
	for i := range 1000 {
		round = h.round(round[:0], i, password, sum)
		sum = md5.Sum(round)
	}
	return sum
}

// round is the input of one of the thousand rounds, which vary by their number.
func (h md5Crypt) round(buf []byte, i int, password string, sum [md5.Size]byte) []byte {
	odd := i&1 == 1
	if odd {
		buf = append(buf, password...)
	} else {
		buf = append(buf, sum[:]...)
	}
	if i%3 != 0 {
		buf = append(buf, h.salt...)
	}
	if i%7 != 0 {
		buf = append(buf, password...)
	}
	if odd {
		return append(buf, sum[:]...)
	}
	return append(buf, password...)
}

// encode writes the digest six bits at a time, in the byte order of crypt(3).
func (md5Crypt) encode(d [md5.Size]byte) string {
	out := make([]byte, 0, 22)
	put := func(bits uint32, chars int) {
		for range chars {
			out = append(out, crypt64[bits&63])
			bits >>= 6
		}
	}
	for _, at := range [5][3]int{{0, 6, 12}, {1, 7, 13}, {2, 8, 14}, {3, 9, 15}, {4, 10, 5}} {
		put(uint32(d[at[0]])<<16|uint32(d[at[1]])<<8|uint32(d[at[2]]), 4)
	}
	put(uint32(d[11]), 2)
	return string(out)
}

func equal(a, b []byte) bool { return subtle.ConstantTimeCompare(a, b) == 1 }
