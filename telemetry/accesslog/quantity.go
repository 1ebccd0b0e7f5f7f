package accesslog

// Half of a line are numbers and times. They are found and written by one loop over small
// steps, instead of a function for each field: what a line costs is above all the code that
// has to be fetched for it, since what serves requests has used the caches in between.

// quantity is a number about an exchange, or a time.
type quantity uint8

const (
	noQuantity quantity = iota
	startedUTC
	startedLocal
	// Those from here on are numbers.
	receivedBytes
	originStatus
	originBytes
	answeredStatus
	answeredBytes
	triedAgain
	countOfAll
	// Those from here on are durations as well.
	tookAll
	tookOrigin
	tookHere
)

// counted is a field with a number.
func counted(name, text string, q quantity) Field {
	return Field{Name: name, Text: text, quantity: q, append: func(dst []byte, x *line) []byte { return x.appendQuantity(dst, q) }}
}

// numberOf tells whether it is known as well.
func (x *line) numberOf(q quantity) (n int64, known bool) {
	o := &x.rec.Origin
	switch q {
	case receivedBytes:
		return x.e.Received, true
	case originStatus:
		return int64(o.Status), o.Status != 0
	case originBytes:
		return o.Length, o.Status != 0 && o.Length >= 0
	case answeredStatus:
		return int64(x.e.Status), x.e.Status != 0
	case answeredBytes:
		return x.e.Written, true
	case triedAgain:
		return int64(max(x.rec.Attempts-1, 0)), true
	case countOfAll:
		return int64(x.count), true
	case tookAll:
		return int64(x.e.Duration), true
	case tookOrigin:
		return int64(o.Duration), x.timed()
	case tookHere:
		if !x.timed() {
			return int64(x.e.Duration), true
		}
		return int64(x.e.Duration - o.Duration), true
	case noQuantity, startedUTC, startedLocal:
	}
	return 0, false
}

// timed tells whether it is known how long the server took.
func (x *line) timed() bool { return x.rec.Timed && x.rec.Origin.Status != 0 }

// appendQuick adds a part of a line of JSON that is a quantity.
func (x *line) appendQuick(dst []byte, p *part) []byte {
	switch p.quick {
	case startedUTC, startedLocal:
		if x.rec.Start.IsZero() {
			return dst
		}
		dst = append(append(dst, p.before...), '"')
		if p.quick == startedUTC {
			dst = x.start.appendUTC(dst)
		} else {
			dst = x.start.appendLocal(dst)
		}
		return append(dst, '"')
	default:
		n, known := x.numberOf(p.quick)
		if !known {
			return dst
		}
		return appendInt(append(dst, p.before...), n)
	}
}

// appendQuantity adds a number, if it is known. Durations are in nanoseconds for programs,
// and in milliseconds for people.
func (x *line) appendQuantity(dst []byte, q quantity) []byte {
	n, known := x.numberOf(q)
	if !known {
		return dst
	}
	if q >= tookAll && !x.json {
		n /= 1e6
	}
	return x.number(dst, n)
}
