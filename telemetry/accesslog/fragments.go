package accesslog

import "hash/maphash"

// Most of a line of JSON is the same in the next request of the same client, or to the same
// router. Such fields stand side by side in groups, and a group is encoded once: as long as
// what it is made of stays the same it is copied as a whole.

// A group is made of four texts at most.
type groupKey [4]string

// groupOf says what a field is made of.
type groupOf uint8

const (
	ofItself groupOf = iota // belongs to no group
	ofRoute
	ofClient
	ofRequest
	// Groups that most requests have nothing of: they are passed over as a whole, and
	// written field by field.
	ofTracing
	ofVerdict
	ofTLS
	ofFailure
)

const kept = ofRequest // the last group that is kept as a fragment

// absent tells that no field of a group is known.
func (g groupOf) absent(x *line) bool {
	switch g {
	case ofTracing:
		return x.rec.RequestID == "" && x.rec.Trace == nil && len(x.r.Header["Traceparent"]) == 0
	case ofVerdict:
		return x.rec.Auth == "" && x.rec.Limit == "" && x.rec.Cache == "" && x.rec.Identity == nil
	case ofTLS:
		return x.r.TLS == nil
	case ofFailure:
		return x.rec.Cause == "" && x.rec.Class == "" && !x.rec.Paged
	case ofItself, ofRoute, ofClient, ofRequest:
	}
	return false
}

// key is what the fields of a group are made of. The first two texts tell most keys apart.
func (g groupOf) key(x *line) (key groupKey) {
	switch g {
	case ofRoute:
		return groupKey{x.rec.Server, x.rec.Router, x.rec.Leaf, x.rec.EntryPoint}
	case ofClient:
		key = groupKey{x.r.RemoteAddr, x.rec.Peer}
		if forwarded := x.r.Header["X-Forwarded-For"]; len(forwarded) > 0 {
			key[2] = forwarded[0]
		}
	case ofRequest:
		key = groupKey{x.r.Host, x.r.Method, x.r.Proto}
		if x.r.TLS != nil {
			key[3] = "tls"
		}
	case ofItself, ofTracing, ofVerdict, ofTLS, ofFailure:
	}
	return key
}

const (
	clientsKept     = 1024 // fragments of that group; of others:
	fragmentsKept   = 64
	longestFragment = 512 // with its key
)

// fragments are those of one group that have been encoded, each at a place that its key
// chooses; the next with the same place takes it.
type fragments struct {
	seed maphash.Seed
	list []fragment
	last *fragment // that was asked for
}

// fragment is a key and what was made of it. It owns its bytes: those of a request end
// with it.
type fragment struct {
	ends [len(groupKey{})]int // of the parts of the key in text
	text []byte               // the key, then the fragment
}

func newFragments(n int) *fragments {
	f := &fragments{seed: maphash.MakeSeed(), list: make([]fragment, n)}
	f.last = &f.list[0]
	return f
}

// at is the place of a key, and tells whether its fragment is there.
func (f *fragments) at(key *groupKey) (at *fragment, there bool) {
	if f.last.is(key) {
		return f.last, true
	}
	hash := maphash.String(f.seed, key[0])*31 + maphash.String(f.seed, key[1])
	f.last = &f.list[hash%uint64(len(f.list))]
	return f.last, f.last.is(key)
}

// is tells whether a fragment was made of key.
func (f *fragment) is(key *groupKey) bool {
	from := 0
	for i, end := range f.ends {
		if string(f.text[from:end]) != key[i] {
			return false
		}
		from = end
	}
	return from > 0
}

// keep makes it the fragment of a key.
func (f *fragment) keep(key *groupKey, text []byte) {
	n := len(text)
	for _, part := range key {
		n += len(part)
	}
	if n > longestFragment {
		return
	}
	f.text = f.text[:0]
	for i, part := range key {
		f.text = append(f.text, part...)
		f.ends[i] = len(f.text)
	}
	f.text = append(f.text, text...)
}

// fragment is what was made of the key.
func (f *fragment) fragment() []byte { return f.text[f.ends[len(f.ends)-1]:] }

// appendGroup adds fields that stand side by side.
func (x *line) appendGroup(dst []byte, g groupOf, parts []part) []byte {
	switch {
	case g == ofItself:
		return x.appendParts(dst, parts)
	case g > kept && g.absent(x):
		return dst
	case g > kept:
		return x.appendParts(dst, parts)
	}
	key := g.key(x)
	at, there := x.fragments[g].at(&key)
	if there {
		return append(dst, at.fragment()...)
	}
	from := len(dst)
	dst = x.appendParts(dst, parts)
	at.keep(&key, dst[from:])
	return dst
}
