package accesslog

import "time"

// The layouts of a second.
const (
	layoutDay  = "2006-01-02T15:04:05"
	layoutZone = "Z07:00"
	layoutCLF  = "02/Jan/2006:15:04:05 -0700"
)

// stamp writes times, and keeps the texts of the last second: the next time is most
// likely of the same one.
type stamp struct {
	local   *time.Location
	second  int64
	written bool
	utc     []byte // as layoutDay, and so on
	here    []byte
	zone    []byte
	clf     []byte
	clfHere []byte

	nanos    int
	fraction []byte
}

func (s *stamp) turn(t time.Time) {
	second := t.Unix()
	if s.written && second == s.second {
		return
	}
	s.second, s.written = second, true
	utc, here := t.UTC(), t.In(s.local)
	s.utc = utc.AppendFormat(s.utc[:0], layoutDay)
	s.here = here.AppendFormat(s.here[:0], layoutDay)
	s.zone = here.AppendFormat(s.zone[:0], layoutZone)
	s.clf = utc.AppendFormat(s.clf[:0], layoutCLF)
	s.clfHere = here.AppendFormat(s.clfHere[:0], layoutCLF)
}

// set makes it the time that appendUTC and appendLocal add.
func (s *stamp) set(t time.Time) {
	s.turn(t)
	if n := t.Nanosecond(); n != s.nanos {
		s.nanos, s.fraction = n, fractionOf(s.fraction[:0], n)
	}
}

// appendUTC and appendLocal add it as time.RFC3339Nano has it.
func (s *stamp) appendUTC(dst []byte) []byte {
	return append(append(append(dst, s.utc...), s.fraction...), 'Z')
}

func (s *stamp) appendLocal(dst []byte) []byte {
	return append(append(append(dst, s.here...), s.fraction...), s.zone...)
}

// appendSecond adds a time as time.RFC3339 has it.
func (s *stamp) appendSecond(dst []byte, t time.Time) []byte {
	s.turn(t)
	return append(append(dst, s.here...), s.zone...)
}

// fractionOf is the part of a second, without zeros at its end.
func fractionOf(dst []byte, n int) []byte {
	if n == 0 {
		return dst
	}
	dst = appendInt(dst, int64(time.Second)+int64(n))
	dst[0] = '.'
	for dst[len(dst)-1] == '0' {
		dst = dst[:len(dst)-1]
	}
	return dst
}
