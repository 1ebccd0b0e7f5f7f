package traces

import (
	"math/rand/v2"
	"net/http"
	"strings"
)

// The headers that tell of a trace: of W3C Trace Context, and of B3 in one or in several.
var (
	headersOfW3C = [...]string{"Traceparent", "Tracestate"}
	headersOfB3  = [...]string{"B3", "X-B3-Traceid", "X-B3-Spanid", "X-B3-Parentspanid", "X-B3-Sampled", "X-B3-Flags"}
)

// sampled decides: as the sender of a trace does, else by lot. It allocates nothing.
func (t *Tracer) sampled(h http.Header) bool {
	if parent := h["Traceparent"]; t.w3c && len(parent) == 1 && len(parent[0]) >= 55 {
		return hexDigit(parent[0][54])&1 == 1 // the flag "sampled" (W3C Trace Context, section 3.2.2.5)
	}
	if t.b3 {
		if sampled, known := sampledByB3(h); known {
			return sampled
		}
	}
	return t.rate >= 1 || t.rate > 0 && rand.Float64() < t.rate //nolint:gosec // a lot, not a secret
}

func hexDigit(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	}
	return 0
}

// sampledByB3 reads what a sender with B3 has decided.
func sampledByB3(h http.Header) (sampled, known bool) {
	if single := h["B3"]; len(single) == 1 {
		state, rest, ids := strings.Cut(single[0], "-") // alone, or behind the ids of the trace and the span
		if ids {
			_, state, _ = strings.Cut(rest, "-")
		}
		if state != "" {
			return state[0] == '1' || state[0] == 'd', true
		}
	}
	if debug := h["X-B3-Flags"]; len(debug) == 1 && debug[0] == "1" {
		return true, true
	}
	if flag := h["X-B3-Sampled"]; len(flag) == 1 {
		return flag[0] == "1" || flag[0] == "true", true
	}
	return false, false
}
