package accesslog

import "unicode/utf8"

const (
	upperHex = "0123456789ABCDEF"
	lowerHex = "0123456789abcdef"
)

// plainJSON has the bytes that stand for themselves in a string of JSON; plainText and
// plainWord those of a text, the latter without the space.
var (
	plainJSON = plainBytes(' ')
	plainText = plainBytes(' ')
	plainWord = plainBytes('!')
)

func plainBytes(first byte) (plain [256]bool) {
	for c := first; c <= '~'; c++ {
		plain[c] = c != '"' && c != '\\'
	}
	return plain
}

// escapeJSON adds the inside of a string of JSON (RFC 8259, section 7). Bytes that are no
// UTF-8 become U+FFFD, as encoding/json does it. Controls beyond ASCII and the separators
// of lines and paragraphs are written by their numbers as well: terminals and readers of
// lines obey them.
func escapeJSON(dst []byte, s string) []byte {
	from := 0
	for i := 0; i < len(s); {
		c := s[i]
		if plainJSON[c] {
			i++
			continue
		}
		size, r := 1, rune(c)
		if c >= utf8.RuneSelf {
			r, size = utf8.DecodeRuneInString(s[i:])
			if r >= 0xa0 && r != '\u2028' && r != '\u2029' && (r != utf8.RuneError || size > 1) {
				i += size
				continue
			}
		}
		dst = append(dst, s[from:i]...)
		switch r {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, `\n`...)
		case '\r':
			dst = append(dst, `\r`...)
		case '\t':
			dst = append(dst, `\t`...)
		default:
			dst = append(dst, '\\', 'u', lowerHex[r>>12&15], lowerHex[r>>8&15], lowerHex[r>>4&15], lowerHex[r&15])
		}
		i += size
		from = i
	}
	return append(dst, s[from:]...)
}

// escapeText adds what stands in a line of text. Quotes, backslashes, controls and all
// bytes beyond ASCII are written by their numbers, as nginx does it: nothing that a client
// sends ends the line, or a field of it.
func escapeText(dst []byte, s string, plain *[256]bool) []byte {
	from := 0
	for i := range len(s) {
		if c := s[i]; !plain[c] {
			dst = append(dst, s[from:i]...)
			dst = append(dst, '\\', 'x', upperHex[c>>4], upperHex[c&15])
			from = i + 1
		}
	}
	return append(dst, s[from:]...)
}
