package cache

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/traefik/paerser/types"
)

// ttlOf makes lifetimes by status of what an operator has written. A status by itself goes
// before a range that has it.
func ttlOf(written map[string]types.Duration) (func(status int) (time.Duration, bool), error) {
	if len(written) == 0 {
		return nil, nil //nolint:nilnil // there are none
	}
	single, ranges := map[int]time.Duration{}, map[int]time.Duration{}
	for text, ttl := range written {
		from, to, ranged := strings.Cut(text, "-")
		if !ranged {
			to = from
		}
		first, err := strconv.Atoi(strings.TrimSpace(from))
		last, err2 := strconv.Atoi(strings.TrimSpace(to))
		switch {
		case err != nil || err2 != nil || first < 200 || last > 599 || first > last:
			return nil, fmt.Errorf("ttl: %q is no status from 200 to 599, and no range of them", text)
		case ttl < 0:
			return nil, fmt.Errorf("ttl: that of %s must not be negative", text)
		}
		into := single
		if ranged {
			into = ranges
		}
		for status := first; status <= last; status++ {
			if _, twice := into[status]; twice {
				return nil, fmt.Errorf("ttl: %d is in several ranges", status)
			}
			into[status] = time.Duration(ttl)
		}
	}
	return func(status int) (time.Duration, bool) {
		ttl, ok := single[status]
		if !ok {
			ttl, ok = ranges[status]
		}
		return ttl, ok
	}, nil
}
