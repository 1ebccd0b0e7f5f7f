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

// appendUTC and appendLocal add a time as time.RFC3339Nano has it.
func (s *stamp) appendUTC(dst []byte, t time.Time) []byte {
	s.turn(t)
	return append(appendNanos(append(dst, s.utc...), t.Nanosecond()), 'Z')
}

func (s *stamp) appendLocal(dst []byte, t time.Time) []byte {
	s.turn(t)
	return append(appendNanos(append(dst, s.here...), t.Nanosecond()), s.zone...)
}

// appendSecond adds a time as time.RFC3339 has it.
func (s *stamp) appendSecond(dst []byte, t time.Time) []byte {
	s.turn(t)
	return append(append(dst, s.here...), s.zone...)
}

// appendNanos adds the part of a second, without zeros at its end.
func appendNanos(dst []byte, n int) []byte {
	if n == 0 {
		return dst
	}
	digits := [10]byte{'.'}
	for i := 9; i > 0; i-- {
		digits[i] = byte('0' + n%10)
		n /= 10
	}
	end := len(digits)
	for digits[end-1] == '0' {
		end--
	}
	return append(dst, digits[:end]...)
}
