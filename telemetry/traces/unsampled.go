package traces

import (
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"net/http"
	"strings"

	"fairway/internal/record"
)

// A server that is told nothing decides for itself, and most follow what they are not told
// of. So a request that is not followed tells so: by a trace that nobody has (W3C Trace
// Context, section 3.2.2.5), or by a zero of B3. One that came with a trace is passed on
// as it came.

const (
	lengthOfParent = len("00-") + 32 + len("-") + 16 + len("-00")
	parentsAtOnce  = 64
)

// notSampled is what B3 says of such a request. Nobody changes a value of a header in place.
var notSampled = []string{"0"}

// tellUnsampled edits the headers of a request that is not followed.
func (t *Tracer) tellUnsampled(r *http.Request, rec *record.Record) {
	for _, name := range t.telling {
		if _, told := r.Header[name]; told {
			return
		}
	}
	if t.w3c {
		r.Header["Traceparent"] = rec.Value(t.parent())
	}
	for _, name := range t.flags {
		r.Header[name] = notSampled
	}
	rec.Untell = t.untell
}

// parents are values of traceparent for so many requests, in one text.
type parents struct{ text string }

// parent is a value of traceparent that no other request has. It is a part of a larger
// text, so that a request allocates nothing.
func (t *Tracer) parent() (one string) {
	p, _ := t.parents.Get().(*parents)
	if p == nil {
		p = &parents{}
	}
	if p.text == "" {
		p.text = newParents()
	}
	one, p.text = p.text[:lengthOfParent], p.text[lengthOfParent:]
	t.parents.Put(p)
	return one
}

func newParents() string {
	var text strings.Builder
	text.Grow(parentsAtOnce * lengthOfParent)
	var ids [24]byte
	var digits [48]byte
	for range parentsAtOnce {
		for at := 0; at < len(ids); at += 8 {
			binary.BigEndian.PutUint64(ids[at:], rand.Uint64()|1) //nolint:gosec // a name, not a secret; never zero
		}
		hex.Encode(digits[:], ids[:])
		text.WriteString("00-")
		text.Write(digits[:32])
		text.WriteByte('-')
		text.Write(digits[32:])
		text.WriteString("-00")
	}
	return text.String()
}
