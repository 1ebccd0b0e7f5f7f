// Package statuses reads sets of HTTP statuses, as operators write them: 500,
// 500-599.
package statuses

import (
	"fmt"
	"strconv"
	"strings"
)

// Set is a set of statuses from 100 to 999. The zero value is empty.
type Set struct{ has [1000]bool }

// Parse reads a list of statuses and ranges of them.
func Parse(list []string) (*Set, error) {
	s := &Set{}
	for _, text := range list {
		for part := range strings.SplitSeq(text, ",") { // a label may have got its commas quoted
			first, last, isRange := strings.Cut(strings.TrimSpace(part), "-")
			if !isRange {
				last = first
			}
			from, err1 := strconv.Atoi(strings.TrimSpace(first))
			to, err2 := strconv.Atoi(strings.TrimSpace(last))
			if err1 != nil || err2 != nil || from < 100 || to > 999 || from > to {
				return nil, fmt.Errorf("status %q: is neither a status, as 503, nor a range of them, as 500-599", part)
			}
			for status := from; status <= to; status++ {
				s.has[status] = true
			}
		}
	}
	return s, nil
}

// Has tells whether a status is in the set.
func (s *Set) Has(status int) bool { return status >= 0 && status < len(s.has) && s.has[status] }
