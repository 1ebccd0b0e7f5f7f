package acme

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"
)

// An authority has limits for an account as a whole, and for all that is below a domain.
// Who runs into one of them learns it for all others: they wait, instead of asking as well.
// Each limit is in the file of the certificate that ran into it, so that it outlasts a
// restart, and other instances read of it. How many orders of a name may fail in an hour is
// a limit of our own.

// pause is a refusal that is about other certificates as well (RFC 8555, section 6.6).
type pause struct {
	CAServer string `json:"caServer"`
	// For are the names that it is about; ".example.com" is that domain with all below it.
	// None: all that is ordered.
	For   []string  `json:"for,omitempty"`
	Since time.Time `json:"since"`
	Until time.Time `json:"until"`
	Text  string    `json:"text"`
}

func (p *pause) concerns(names []string) bool {
	return len(p.For) == 0 || slices.ContainsFunc(p.For, func(domain string) bool {
		return slices.ContainsFunc(names, func(name string) bool {
			return name == domain || strings.HasPrefix(domain, ".") && strings.HasSuffix("."+name, domain)
		})
	})
}

// about is for the log.
func (p *pause) about() string {
	if len(p.For) == 0 {
		return ""
	}
	return " for " + strings.TrimPrefix(p.For[len(p.For)-1], ".")
}

// pauseFor tells what a refusal means for others than the order for names; nil: nothing.
func (r *Resolver) pauseFor(err error, names []string, transport *bound) *pause {
	if err == nil || !isKind(err, "rateLimited") && (transport == nil || !transport.overloaded()) {
		return nil
	}
	text := err.Error()
	if strings.Contains(text, "exact set") {
		return nil // of names: no other certificate has them
	}
	return &pause{CAServer: r.cfg.CAServer, For: domainsIn(text, names)}
}

var (
	links = regexp.MustCompile(`[a-z]+://\S+`)
	words = regexp.MustCompile(`[a-z0-9._*:-]+`)
)

// domainsIn finds the domains that a refusal of an order names, as Let's Encrypt does:
// "too many certificates (50) already issued for "example.com" in the last 168h0m0s". That
// one is about all below the domain; a name of which too many proofs have failed stands for
// itself.
func domainsIn(text string, names []string) (found []string) {
	text = links.ReplaceAllString(strings.ToLower(text), "")
	for _, word := range words.FindAllString(text, -1) {
		word = strings.TrimRight(word, ".:")
		exact, wildcard := slices.Contains(names, word), slices.Contains(names, "*."+word)
		switch {
		case (exact || wildcard) && !strings.Contains(text, "issued"):
			found = append(found, word, "*."+word)
		case exact, slices.ContainsFunc(names, func(name string) bool { return isBelow(name, word) }):
			found = append(found, "."+word)
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// isBelow tells whether a name is below a domain. No limit is about a domain of one label,
// which might be any word.
func isBelow(name, domain string) bool {
	if _, err := netip.ParseAddr(name); err == nil {
		return false
	}
	return strings.Contains(domain, ".") && domain[0] != '.' && strings.HasSuffix(name, "."+domain)
}

// holds is what holds orders back at the moment.
type holds struct {
	now    time.Time
	failed map[string][]time.Time // orders in the last hour, by name and whatever the certificate
	pauses []*pause
}

// holds looks at all that is stored. r.mu is held.
func (r *Resolver) holds() holds {
	now := time.Now()
	h := holds{now: now, failed: map[string][]time.Time{}}
	for _, e := range r.entries {
		for _, at := range inLastHour(e.rec.FailedAt, now) {
			for _, name := range e.names {
				h.failed[name] = append(h.failed[name], at)
			}
		}
		if p := e.rec.Pause; p != nil && p.CAServer == r.cfg.CAServer && p.Until.After(now) {
			h.add(p)
		}
	}
	return h
}

// add keeps of two pauses for the same the longer one.
func (h *holds) add(p *pause) {
	for i, other := range h.pauses {
		if slices.Equal(other.For, p.For) {
			if p.Until.After(other.Until) {
				h.pauses[i] = p
			}
			return
		}
	}
	h.pauses = append(h.pauses, p)
}

// pause is the longest one that concerns names; nil if there is none.
func (h *holds) pause(names []string) (longest *pause) {
	for _, p := range h.pauses {
		if p.concerns(names) && (longest == nil || p.Until.After(longest.Until)) {
			longest = p
		}
	}
	return longest
}

// has tells whether there is a pause for the same already.
func (h *holds) has(p *pause) bool {
	return slices.ContainsFunc(h.pauses, func(other *pause) bool { return slices.Equal(other.For, p.For) })
}

// hourly is when the limit of failed orders for an hour allows one for all the names.
func (r *Resolver) hourly(names []string, held holds) (at time.Time) {
	for _, name := range names {
		at = latest(at, r.limit(held.failed[name]))
	}
	return at
}

// limit is when the limit of failed orders for an hour allows another one.
func (r *Resolver) limit(failed []time.Time) time.Time {
	if len(failed) < r.pace.perHour {
		return time.Time{}
	}
	slices.SortFunc(failed, time.Time.Compare)
	return failed[len(failed)-r.pace.perHour].Add(time.Hour)
}

// inLastHour leaves out what is older, or yet to come: a clock was ahead.
func inLastHour(times []time.Time, now time.Time) (lately []time.Time) {
	for _, at := range times {
		if at.After(now.Add(-time.Hour)) && !at.After(now.Add(time.Minute)) {
			lately = append(lately, at)
		}
	}
	return lately
}
