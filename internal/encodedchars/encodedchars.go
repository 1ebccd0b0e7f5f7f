// Package encodedchars says which characters may be written %XX in a path: those by
// which gateway and server could take one path for two.
package encodedchars

import (
	"strconv"
	"strings"
)

// Allowed are the characters that may be written so. All others may be in any case.
type Allowed struct {
	Slash, BackSlash, NullCharacter, Semicolon, Percent, QuestionMark, Hash bool
}

// Table has the answer for each byte.
type Table [256]bool

// Table returns the table of what is allowed.
func (a Allowed) Table() *Table {
	t := new(Table)
	for i := range t {
		t[i] = true
	}
	for char, allowed := range map[byte]bool{
		'/': a.Slash, '\\': a.BackSlash, 0: a.NullCharacter, ';': a.Semicolon, '%': a.Percent, '?': a.QuestionMark, '#': a.Hash,
	} {
		t[char] = allowed
	}
	return t
}

// Forbidden returns the first sequence of a path that is not allowed, or "".
func (t *Table) Forbidden(path string) string {
	for i := strings.IndexByte(path, '%'); i >= 0 && i+2 < len(path); i++ {
		if path[i] != '%' {
			continue
		}
		if char, err := strconv.ParseUint(path[i+1:i+3], 16, 8); err == nil && !t[char] {
			return path[i : i+3]
		}
	}
	return ""
}
