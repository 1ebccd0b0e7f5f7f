// Package limit counts what sources ask for, and tells what is too much: here, or in Redis for
// several gateways, by the same rules.
//
// rule.go is what is counted by, bucket.go and tally.go how it is kept, and table.go where: for
// each source, in bounded memory. scripts.go does the same in Redis, shared.go asks it, and
// knows what to do while it is away. file.go keeps a table over restarts. handler.go is the way
// of a request, and fields.go tells clients how much is left.
package limit

import (
	"fmt"
	"math"
	"slices"
	"time"
)

type algorithm int

const (
	bucketed algorithm = iota
	sliding
	calendar
)

// Rule is a limit. It never changes.
type Rule struct {
	algorithm algorithm
	bucket    pace
	most      int64         // in a window
	part      time.Duration // of a sliding window
	period    Period        // of the calendar
	zone      *time.Location

	quota  int64 // what clients are told
	window time.Duration
}

// Bucket is a bucket of burst tokens, which fills at the rate of average per period.
func Bucket(average int64, period time.Duration, burst int64) *Rule {
	return &Rule{algorithm: bucketed, bucket: paceOf(average, period, burst), quota: average, window: period}
}

// parts of a sliding window are counted apart. A part that the window has not left wholly counts as
// a whole, so that no window of the length has more than the limit.
const parts = 32

// Sliding lets at most so many through in any time of this length.
func Sliding(most int64, length time.Duration) *Rule {
	return &Rule{algorithm: sliding, most: most, part: max(length/parts, 1), quota: most, window: length}
}

// Calendar lets at most so many through in each hour, day, week or month of a time zone.
func Calendar(most int64, period Period, zone *time.Location) *Rule {
	return &Rule{algorithm: calendar, most: most, period: period, zone: zone, quota: most, window: period.length()}
}

// Decision is what becomes of a request.
type Decision struct {
	OK    bool
	Wait  time.Duration // that it is held, or after which it is worth while to ask again
	Left  int64         // that may come at once now
	Reset time.Duration // after which all of the limit is there again
}

// corrected is a decision when n more have been taken.
func (r *Rule) corrected(d Decision, n int64) Decision {
	d.Left = max(d.Left-n, 0)
	if r.algorithm == bucketed {
		d.Reset = max(d.Reset+r.bucket.cost(n), 0)
	}
	return d
}

// span is the part of time that something is counted in, with the numbers of all that count now.
type span struct {
	unit   int64 // the length of a part, or the period of the calendar
	number int64
	parts  int64
	until  time.Duration // to its end
	length time.Duration // of a part; 0: of the calendar
}

func (r *Rule) span(now time.Time) span {
	if r.algorithm == calendar {
		number, end := r.period.at(now, r.zone)
		return span{unit: -int64(slices.Index(periods, r.period)) - 1, number: number, parts: 1, until: end.Sub(now)}
	}
	at := now.UnixNano()
	number := at / int64(r.part)
	return span{unit: int64(r.part), number: number, parts: parts + 1, until: time.Duration((number+1)*int64(r.part) - at), length: r.part}
}

// Most is the most that a request can cost and still get through.
func (r *Rule) Most() int64 {
	if r.algorithm == bucketed {
		return int64(min(r.bucket.tolerance/r.bucket.interval, math.MaxInt32)) + 1
	}
	return r.most
}

// Period is a part of the calendar.
type Period string

// The periods.
const (
	Hour  Period = "hour"
	Day   Period = "day"
	Week  Period = "week"
	Month Period = "month"
)

var periods = []Period{Hour, Day, Week, Month}

// ParsePeriod reads the name of a period.
func ParsePeriod(name string) (Period, error) {
	if p := Period(name); slices.Contains(periods, p) {
		return p, nil
	}
	return "", fmt.Errorf("%q is none of hour, day, week and month", name)
}

// length is the usual one; a month has 30 days.
func (p Period) length() time.Duration {
	switch p {
	case Hour:
		return time.Hour
	case Day:
		return 24 * time.Hour
	case Week:
		return 7 * 24 * time.Hour
	default:
		return 30 * 24 * time.Hour
	}
}

// Length is that of a window that slides.
func (p Period) Length() time.Duration { return p.length() }

// at is the number of the period that a moment is in, and its end. Weeks begin on Monday. The
// clock of the zone counts: a day may have 23 hours. Numbers grow, and are those of one kind of
// period only.
func (p Period) at(now time.Time, zone *time.Location) (number int64, end time.Time) {
	local := now.In(zone)
	year, month, day := local.Date()
	midnight := func(day int) time.Time { return time.Date(year, month, day, 0, 0, 0, 0, zone) }
	// Days are numbered as if there were no zones.
	days := time.Date(year, month, day, 0, 0, 0, 0, time.UTC).Unix() / 86400
	switch p {
	case Hour: // by the clock on the wall: an hour that comes twice is two
		_, offset := local.Zone()
		wall := now.Unix() + int64(offset)
		rest := wall % 3600
		return (now.Unix() - rest) / 900, now.Truncate(time.Second).Add(time.Duration(3600-rest) * time.Second)
	case Day:
		return days, midnight(day + 1)
	case Week:
		since := (int(local.Weekday()) + 6) % 7
		return (days + 3) / 7, midnight(day - since + 7)
	default:
		return int64(year)*12 + int64(month), time.Date(year, month+1, 1, 0, 0, 0, 0, zone)
	}
}
