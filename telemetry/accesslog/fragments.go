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
)

// key is what the fields of a group are made of.
func (g groupOf) key(x *line) (key groupKey) {
	switch g {
	case ofRoute:
		return groupKey{x.rec.EntryPoint, x.rec.Router, x.rec.Leaf, x.rec.Server}
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
	case ofItself:
	}
	return key
}

const (
	fragmentsKept   = 64  // of a group
	longestFragment = 512 // with its key
)

// fragments are those of one group that have been encoded, each at a place that its key
// chooses; the next with the same place takes it.
type fragments struct {
	seed maphash.Seed
	list [fragmentsKept]fragment
}

// fragment is a key and what was made of it. It owns its bytes: those of a request end
// with it.
type fragment struct {
	ends [len(groupKey{})]int // of the parts of the key in text
	text []byte               // the key, then the fragment
}

func newFragments() *fragments { return &fragments{seed: maphash.MakeSeed()} }

// at is the place of a key.
func (f *fragments) at(key *groupKey) *fragment {
	hash := maphash.String(f.seed, key[0])
	for _, part := range key[1:] {
		if part != "" {
			hash = hash*31 + maphash.String(f.seed, part)
		}
	}
	return &f.list[hash%fragmentsKept]
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
	if g == ofItself {
		return x.appendParts(dst, parts)
	}
	key := g.key(x)
	at := x.fragments[g].at(&key)
	if at.is(&key) {
		return append(dst, at.fragment()...)
	}
	from := len(dst)
	dst = x.appendParts(dst, parts)
	at.keep(&key, dst[from:])
	return dst
}
