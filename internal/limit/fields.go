package limit

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"fairway/internal/responsehead"
)

// Fields are what clients are told of a limit.
type Fields struct {
	Standard bool   // RateLimit-Policy and RateLimit, draft-ietf-httpapi-ratelimit-headers-10
	Legacy   bool   // X-RateLimit-Limit, -Remaining and -Reset
	Name     string // of the policy
}

func (f *Fields) any() bool { return f.Standard || f.Legacy }

// tell adds the fields. What a server behind the gateway says of its own limits stays: it is one
// more policy of the list, and of the old fields those count that have less left.
func (f *Fields) tell(h responsehead.Head, r *Rule, d Decision) {
	if f.Standard {
		name := quoted(f.Name)
		h.Add("Ratelimit-Policy", name+";q="+strconv.FormatInt(r.quota, 10)+";w="+strconv.FormatInt(seconds(r.window), 10))
		h.Add("Ratelimit", name+";r="+strconv.FormatInt(d.Left, 10)+";t="+strconv.FormatInt(seconds(d.Reset), 10))
	}
	if !f.Legacy {
		return
	}
	if theirs, err := strconv.ParseInt(h.Get("X-Ratelimit-Remaining"), 10, 64); err == nil && theirs < d.Left {
		return
	}
	h.Set("X-Ratelimit-Limit", strconv.FormatInt(r.quota, 10))
	h.Set("X-Ratelimit-Remaining", strconv.FormatInt(d.Left, 10))
	h.Set("X-Ratelimit-Reset", strconv.FormatInt(seconds(d.Reset), 10))
}

// tooMany adds what a refusal says.
func (f *Fields) tooMany(h http.Header, r *Rule, d Decision) {
	h.Set("Retry-After", strconv.FormatInt(seconds(d.Wait), 10))
	if f.any() {
		f.tell(responsehead.HeadOf(h, nil), r, d)
	}
}

// seconds are rounded up, so that nobody comes too early.
func seconds(d time.Duration) int64 { return int64(math.Ceil(d.Seconds())) }

// quoted is a name as a string of structured fields (RFC 9651, section 3.3.3).
func quoted(name string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(name) {
		switch c := name[i]; {
		case c < ' ' || c > '~':
			b.WriteByte('_')
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// mostCost bounds what a service can say that a request has cost.
const mostCost = 1_000_000

// costOf reads what a service says in a header: a number, as 3 or 2.5, which is rounded up. What
// is none says nothing.
func costOf(text string) (n int64, ok bool) {
	text = strings.TrimSpace(text)
	if text == "" || strings.Trim(text, "0123456789.") != "" {
		return 0, false
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(f) {
		return 0, false
	}
	return int64(math.Ceil(min(f, mostCost))), true
}
