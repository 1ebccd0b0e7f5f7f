package httpcache

import (
	"net/http"
	"strings"
	"time"
)

// Policy is what an operator has decided beyond what responses say.
type Policy struct {
	// Targets are the fields that take the place of Cache-Control, the first first.
	Targets []string
	// TTL is the lifetime of a response that says nothing, by status; ok: there is one.
	TTL func(status int) (ttl time.Duration, ok bool)
	// Fraction of the time since Last-Modified is how long a response is fresh that does not
	// say it; 0: no guess is made. MostGuessed bounds that.
	Fraction    float64
	MostGuessed time.Duration
	// StaleWhileRevalidate and StaleIfError count where responses do not say.
	StaleWhileRevalidate, StaleIfError time.Duration
	// Cookies tells that responses with Set-Cookie are stored.
	Cookies bool
}

// Verdict is what the rules say of a response.
type Verdict struct {
	Store      bool
	Directives Directives
	Lifetime   time.Duration
	Age        time.Duration // at the time of the response
	// Always: it is validated before every use.
	Always bool
	// NeverStale: it is never used once it is stale (RFC 9111, section 4.2.4).
	NeverStale                         bool
	StaleWhileRevalidate, StaleIfError time.Duration
}

// Response is what is judged.
type Response struct {
	Status int
	Lines  Lines
	// Asked is when the request was sent, Came when the response did.
	Asked, Came time.Time
	// Authorized tells that the request says who sends it.
	Authorized bool
}

// Judge decides whether a shared cache stores the response to a GET (RFC 9111, section 3),
// and for how long it is fresh (section 4.2).
func (p *Policy) Judge(r *Response) Verdict {
	d, targeted := ResponseDirectives(r.Lines, p.Targets)
	v := Verdict{Directives: d}
	v.Age = age(r)
	v.Always = d.NoCache
	v.NeverStale = d.NoCache || d.MustRevalidate || d.ProxyRevalidate || d.SharedMaxAge.Given
	v.StaleWhileRevalidate = d.StaleWhileRevalidate.Or(p.StaleWhileRevalidate)
	v.StaleIfError = d.StaleIfError.Or(p.StaleIfError)
	explicit := false
	v.Lifetime, explicit = p.lifetime(r, &d, targeted)
	switch {
	case r.Status < 200 || r.Status == http.StatusPartialContent || r.Status == http.StatusNotModified:
	case d.MustUnderstand && !understood(r.Status), d.NoStore && !d.MustUnderstand, d.Private:
	case r.Authorized && !d.Public && !d.MustRevalidate && !d.SharedMaxAge.Given:
	case len(r.Lines("Set-Cookie")) > 0 && !p.Cookies:
	case variesByAll(r.Lines("Vary")):
	case len(r.Lines("Trailer")) > 0: // they would be lost
	case v.Lifetime > 0:
		v.Store = true
	default: // it is of use if it can be validated
		v.Store = explicit && (len(r.Lines("Etag")) > 0 || len(r.Lines("Last-Modified")) > 0)
	}
	return v
}

// lifetime is how long a response is fresh (RFC 9111, section 4.2.1). explicit tells that it
// is the response that says so.
func (p *Policy) lifetime(r *Response, d *Directives, targeted bool) (lifetime time.Duration, explicit bool) {
	switch {
	case d.SharedMaxAge.Given:
		return d.SharedMaxAge.D, true
	case d.MaxAge.Given:
		return d.MaxAge.D, true
	}
	expires := r.Lines("Expires")
	if len(expires) > 0 && !targeted {
		until, err := http.ParseTime(expires[0])
		if err != nil || len(expires) > 1 {
			return 0, true
		}
		from, err := http.ParseTime(first(r.Lines("Date")))
		if err != nil {
			from = r.Came
		}
		return min(max(until.Sub(from), -old), old), true // some send the year 1
	}
	if d.NoCache {
		return 0, true
	}
	if p.TTL != nil {
		if ttl, ok := p.TTL(r.Status); ok {
			return ttl, true
		}
	}
	return p.guess(r, d), false
}

// guess is a lifetime where nobody says one (RFC 9111, section 4.2.2).
func (p *Policy) guess(r *Response, d *Directives) time.Duration {
	if p.Fraction <= 0 || !guessable(r.Status) && !d.Public {
		return 0
	}
	changed, err := http.ParseTime(first(r.Lines("Last-Modified")))
	if err != nil {
		return 0
	}
	since, err := http.ParseTime(first(r.Lines("Date")))
	if err != nil {
		since = r.Came
	}
	return min(time.Duration(float64(max(since.Sub(changed), 0))*p.Fraction), p.MostGuessed)
}

// old is the age of a response whose Age makes no sense: it may be any. None is older, and
// no lifetime that a response says is longer: sums of these are times still.
const old = longest * time.Second

// age is that of a response when it came (RFC 9111, section 4.2.3). Of an Age that is no
// number, or is there several times, nobody can tell what was meant: the response is stale.
func age(r *Response) time.Duration {
	said := time.Duration(0)
	if lines := r.Lines("Age"); len(lines) > 0 {
		n, ok := digits(lines[0])
		if !ok || len(lines) > 1 {
			return old
		}
		said = time.Duration(n) * time.Second
	}
	apparent := time.Duration(0)
	if date, err := http.ParseTime(first(r.Lines("Date"))); err == nil {
		// Dates are whole seconds: less than one says nothing.
		if apparent = r.Came.Sub(date); apparent < 2*time.Second {
			apparent = 0
		}
	}
	return min(max(apparent, said+max(r.Came.Sub(r.Asked), 0)), old)
}

func first(lines []string) string {
	if len(lines) == 0 {
		return ""
	}
	return strings.TrimSpace(lines[0])
}

// guessable are the statuses whose responses may be stored without being told (RFC 9110,
// section 15.1).
func guessable(status int) bool {
	switch status {
	case 200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501:
		return true
	}
	return false
}

// understood are the statuses whose demands on caches are known, and met.
func understood(status int) bool {
	switch {
	case status >= 200 && status <= 205, status >= 300 && status <= 303, status == 307, status == 308:
		return true
	case status >= 400 && status <= 418, status >= 421 && status <= 426, status == 428, status == 429, status == 431, status == 451:
		return true
	}
	return status >= 500 && status <= 508 || status == 511
}
