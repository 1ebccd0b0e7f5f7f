// Package httpcache has the rules of HTTP caching (RFC 9111) without a cache: what the
// directives of requests and responses say, whether a response may be stored, for how long
// it is fresh, which request it answers, and how it is validated. A stored response is an
// Entry. Who keeps entries is package cachestore, and who serves them the middleware cache.
//
// All times are handed in, nothing here looks at a clock, dials or waits.
package httpcache

import (
	"strings"
	"time"
)

// Directives are what Cache-Control says (RFC 9111, section 5.2), or a field that takes
// its place. The zero value is that of a message that says nothing.
type Directives struct {
	NoStore, NoCache, Private, Public bool
	MustRevalidate, ProxyRevalidate   bool
	MustUnderstand, OnlyIfCached      bool
	AnyStale                          bool // max-stale without a number

	MaxAge, SharedMaxAge, MinFresh, MaxStale Seconds
	StaleWhileRevalidate, StaleIfError       Seconds

	// Withheld are the fields that no-cache and private name: they are not stored.
	Withheld []string
	// Present tells that there was at least one directive.
	Present bool
}

// Seconds are an argument in seconds, if there is one.
type Seconds struct {
	D     time.Duration
	Given bool
}

// Or is the argument, or otherwise if there is none.
func (s Seconds) Or(otherwise time.Duration) time.Duration {
	if s.Given {
		return s.D
	}
	return otherwise
}

// longest is the number of seconds that larger ones are taken for (RFC 9111, section 1.2.2).
const longest = 1 << 31

// ParseDirectives reads the lines of a Cache-Control field.
//
// Names are of any case. What nobody knows is left out. An argument that is no number of
// seconds counts as 0, so that the response is stale; of one that is given several times
// the least counts. A quoted string that does not end makes the response one that is not
// stored: nobody can tell what else it was to say.
func ParseDirectives(lines []string) (d Directives) {
	for _, line := range lines {
		d.line(line)
	}
	return d
}

func (d *Directives) line(line string) {
	for line != "" {
		var name, argument string
		var has, broken bool
		name, argument, has, line, broken = cutDirective(line)
		if broken {
			d.NoStore, d.Present = true, true
			return
		}
		if name != "" {
			d.Present = true
			d.take(name, argument, has)
		}
	}
}

// cutDirective takes the next one off a line.
func cutDirective(line string) (name, argument string, has bool, rest string, broken bool) {
	line = strings.TrimLeft(line, " \t,")
	end := strings.IndexAny(line, "=,")
	if end < 0 {
		return strings.TrimRight(line, " \t"), "", false, "", false
	}
	name, rest = strings.TrimRight(line[:end], " \t"), line[end+1:]
	if line[end] == ',' {
		return name, "", false, rest, false
	}
	if !strings.HasPrefix(rest, `"`) {
		argument, rest, _ = strings.Cut(rest, ",")
		return name, strings.TrimRight(argument, " \t"), true, rest, false
	}
	argument, rest, ok := cutQuoted(rest[1:])
	if !ok {
		return "", "", false, "", true
	}
	more := ""
	more, rest, _ = strings.Cut(rest, ",")
	return name, argument + strings.Trim(more, " \t"), true, rest, false
}

// cutQuoted takes a quoted string, whose first quote is gone, off a line (RFC 9110, section
// 5.6.4).
func cutQuoted(s string) (content, rest string, ok bool) {
	var plain strings.Builder
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '"':
			if plain.Len() == 0 {
				return s[:i], s[i+1:], true
			}
			return plain.String(), s[i+1:], true
		case '\\':
			if plain.Len() == 0 {
				plain.WriteString(s[:i])
			}
			if i++; i == len(s) {
				return "", "", false
			}
			plain.WriteByte(s[i])
		default:
			if plain.Len() > 0 {
				plain.WriteByte(s[i])
			}
		}
	}
	return "", "", false
}

func (d *Directives) take(name, argument string, has bool) {
	switch strings.ToLower(name) {
	case "no-store":
		d.NoStore = true
	case "no-cache":
		d.NoCache = d.limited(argument, has) || d.NoCache
	case "private":
		d.Private = d.limited(argument, has) || d.Private
	case "public":
		d.Public = true
	case "must-revalidate":
		d.MustRevalidate = true
	case "proxy-revalidate":
		d.ProxyRevalidate = true
	case "must-understand":
		d.MustUnderstand = true
	case "only-if-cached":
		d.OnlyIfCached = true
	case "max-stale":
		if !has {
			d.AnyStale = true
			return
		}
		d.MaxStale.atMost(argument)
	default:
		if s := d.seconds(name); s != nil {
			s.atMost(argument)
		}
	}
}

// seconds is the argument of a name.
func (d *Directives) seconds(name string) *Seconds {
	switch strings.ToLower(name) {
	case "max-age":
		return &d.MaxAge
	case "s-maxage":
		return &d.SharedMaxAge
	case "min-fresh":
		return &d.MinFresh
	case "stale-while-revalidate":
		return &d.StaleWhileRevalidate
	case "stale-if-error":
		return &d.StaleIfError
	}
	return nil
}

// limited notes the fields that no-cache or private is limited to. It tells whether it is
// about all of the response.
func (d *Directives) limited(argument string, has bool) (all bool) {
	if !has || strings.Trim(argument, " \t,") == "" {
		return true
	}
	for name := range strings.SplitSeq(argument, ",") {
		if name = strings.TrimSpace(name); name != "" {
			d.Withheld = append(d.Withheld, name)
		}
	}
	return false
}

func (s *Seconds) atMost(argument string) {
	d := parseSeconds(argument)
	if !s.Given || d < s.D {
		s.D = d
	}
	s.Given = true
}

// parseSeconds reads digits; whatever else there is makes it 0.
func parseSeconds(s string) time.Duration {
	n, ok := digits(s)
	if !ok {
		return 0
	}
	return time.Duration(n) * time.Second
}

// digits reads a number that is not negative; a larger one than longest is longest.
func digits(s string) (n int64, ok bool) {
	if s == "" {
		return 0, false
	}
	for i := range len(s) {
		c := s[i]
		if c < '0' || c > '9' {
			return 0, false
		}
		n = min(n*10+int64(c-'0'), longest)
	}
	return n, true
}
