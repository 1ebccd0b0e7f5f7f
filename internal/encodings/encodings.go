// Package encodings chooses the encoding of a body for a client.
package encodings

import (
	"strconv"
	"strings"
)

// Choose finds the encoding that a client likes best (Accept-Encoding, RFC 9110,
// section 12.5.3), by weight, and then by the order of ours. Empty: none.
func Choose(lines, ours []string, byDefault string) string {
	if len(lines) == 0 {
		return byDefault
	}
	best, most := "", 0.0
	for _, name := range ours {
		if q, named := weight(lines, name); q > most {
			best, most = name, q
		} else if !named {
			if q, _ := weight(lines, "*"); q > most {
				best, most = name, q
			}
		}
	}
	if q, named := weight(lines, "identity"); named && q > most {
		return ""
	}
	return best
}

// weight is that of an encoding, from 0, not wanted, to 1.
func weight(lines []string, name string) (q float64, named bool) {
	for _, line := range lines {
		for more := true; more; {
			var item string
			item, line, more = strings.Cut(line, ",")
			coding, parameters, _ := strings.Cut(item, ";")
			coding = strings.TrimSpace(coding)
			if strings.EqualFold(coding, name) || name == "gzip" && strings.EqualFold(coding, "x-gzip") {
				return quality(parameters), true
			}
		}
	}
	return 0, false
}

// quality reads the parameter q. One that makes no sense is 0: what a client does not
// take for certain is not sent.
func quality(parameters string) float64 {
	for more := true; more; {
		var item string
		item, parameters, more = strings.Cut(parameters, ";")
		name, value, _ := strings.Cut(item, "=")
		if !strings.EqualFold(strings.TrimSpace(name), "q") {
			continue
		}
		q, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
		if err != nil || !(q >= 0 && q <= 1) {
			return 0
		}
		return q
	}
	return 1
}
