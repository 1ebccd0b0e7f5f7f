package http1

import (
	"bytes"
	"net/http"
	"strings"
)

// field is one line of a head. Both parts are substrings of the head, but the
// name of a common field, which is in canonical form.
type field struct {
	name, value string
	hop         bool // concerns this connection only: not to be passed on
}

// fieldReader takes a head apart line by line. raw and text have the same bytes:
// raw is searched, text is cut.
type fieldReader struct {
	raw  []byte
	text string
	at   int // where the next line begins

	rawName   []byte
	name      string // as it was sent
	value     string // without blanks around it
	canonical bool   // name is in canonical form already
}

// next reads one line. It returns false at the empty line, which ends the head.
func (f *fieldReader) next() (bool, error) {
	start := f.at
	if f.raw[start] == '\r' {
		if f.raw[start+1] != '\n' {
			return false, errBareCR
		}
		return false, nil
	}
	colon, err := f.scanName(start)
	if err != nil {
		return false, err
	}
	length := bytes.IndexByte(f.raw[colon:], '\n')
	end := colon + length - 1
	if f.raw[end] != '\r' {
		return false, errBareLF
	}
	f.at = end + 2
	from := colon + 1
	if err := checkValue(f.raw[min(from, end):end]); err != nil {
		return false, err
	}
	for from < end && isBlank(f.raw[from]) {
		from++
	}
	for from < end && isBlank(f.raw[end-1]) {
		end--
	}
	f.rawName, f.name = f.raw[start:colon], f.text[start:colon]
	f.value = f.text[from:max(from, end)]
	return true, nil
}

// scanName returns where the colon of the line is. The end of the head, which is
// no token, stops it in any case.
func (f *fieldReader) scanName(start int) (int, error) {
	f.canonical = true
	i, wrong := start, uint8(lowerByte)
	for ; is(f.raw[i], tokenByte); i++ {
		c := f.raw[i]
		if classes[c]&wrong != 0 {
			f.canonical = false
		}
		if wrong = upperByte; c == '-' {
			wrong = lowerByte
		}
	}
	switch c := f.raw[i]; {
	case c == ':' && i > start:
		return i, nil
	case i == start && isBlank(c):
		return 0, errFold
	case isBlank(c):
		return 0, errSpaceColon
	case c == '\n':
		return 0, errBareLF
	}
	return 0, errFieldName
}

// eachElement calls yield with the elements of a comma-separated list, until it
// returns false. Empty elements are left out.
func eachElement(list string, yield func(string) bool) {
	for more := true; more; {
		var element string
		element, list, more = strings.Cut(list, ",")
		if element = trimBlanks(element); element != "" && !yield(element) {
			return
		}
	}
}

func trimBlanks(s string) string {
	for s != "" && isBlank(s[0]) {
		s = s[1:]
	}
	for s != "" && isBlank(s[len(s)-1]) {
		s = s[:len(s)-1]
	}
	return s
}

// hasElement tells whether a comma-separated list has an element, which is given
// in lower case.
func hasElement(list, lower string) bool {
	if equalFold(list, lower) {
		return true
	}
	found := false
	eachElement(list, func(element string) bool {
		found = equalFold(element, lower)
		return !found
	})
	return found
}

// declareTrailers adds the names that a Trailer field announces to h.
func declareTrailers(h *http.Header, list string) (err error) {
	eachElement(list, func(name string) bool {
		if !isToken(name) {
			err = errTrailerName
			return false
		}
		if name = http.CanonicalHeaderKey(name); !isTrailerName(name) {
			err = errTrailerName
			return false
		}
		if *h == nil {
			*h = http.Header{}
		}
		(*h)[name] = nil
		return true
	})
	return err
}
