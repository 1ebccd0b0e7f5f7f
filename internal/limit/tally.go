package limit

import "time"

// tally counts what a source has taken in parts of time, which have numbers. Those that do not
// count any more make room for new ones. A window of the calendar is one part.
type tally struct {
	unit   int64 // what is numbered; numbers of another unit say nothing
	newest int64
	sum    int64
	counts []int64 // by number, in a circle
}

// advance forgets what does not count any more. Time does not go back: what is earlier than the
// newest part belongs to that.
func (t *tally) advance(s span) {
	if t.unit != s.unit || int64(len(t.counts)) != s.parts {
		*t = tally{unit: s.unit, newest: s.number, counts: make([]int64, s.parts)}
		return
	}
	steps := s.number - t.newest
	if steps <= 0 {
		return
	}
	if steps >= s.parts {
		clear(t.counts)
		t.sum, t.newest = 0, s.number
		return
	}
	for range steps {
		t.newest++
		i := t.newest % s.parts
		t.sum -= t.counts[i]
		t.counts[i] = 0
	}
}

func (t *tally) take(s span, most, n int64) Decision {
	t.advance(s)
	if n > most-t.sum {
		return Decision{Wait: t.wait(s, t.sum+n-most), Left: max(most-t.sum, 0), Reset: t.wait(s, t.sum)}
	}
	t.add(s, n)
	return Decision{OK: true, Left: most - t.sum, Reset: s.over(t.newest)}
}

func (t *tally) add(s span, n int64) {
	t.advance(s)
	i := t.newest % s.parts
	n = max(n, -t.counts[i])
	t.counts[i] += n
	t.sum += n
}

// over is the time until a part counts no more.
func (s span) over(number int64) time.Duration {
	return s.until + time.Duration(number+s.parts-1-s.number)*s.length
}

// wait is the time until so much counts no more.
func (t *tally) wait(s span, much int64) time.Duration {
	for back := s.parts - 1; back >= 0 && much > 0; back-- {
		number := t.newest - back
		if number < 0 {
			continue
		}
		if much -= t.counts[number%s.parts]; much <= 0 {
			return s.over(number)
		}
	}
	if much <= 0 {
		return 0
	}
	return s.until + time.Duration(s.parts-1)*s.length // more than there ever is
}
