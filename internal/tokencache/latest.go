package tokencache

import "sync/atomic"

const places = 256

// latest has a few of the tokens that were asked for last, each at a place that the end of its
// text chooses; the next at the same place takes it. To compare a token with one that was
// sent before takes less than to find it among all.
//
// Whoever changes what is kept of a token makes its place another one afterwards, so that
// somebody who has read the old value before cannot put that here.
type latest[V any] struct {
	places [places]atomic.Pointer[entry[V]]
}

// entry is what is kept of a token; nil, and the zero value, are of none.
type entry[V any] struct {
	token string
	value V
}

func (e *entry[V]) is(token string) bool { return e != nil && e.token == token && token != "" }

// place is where a token is, if it is here. Tokens end with what is random in them, a signature
// for most.
func (l *latest[V]) place(token string) *atomic.Pointer[entry[V]] {
	hash := uint32(len(token))
	for i := max(0, len(token)-8); i < len(token); i++ {
		hash = hash*31 + uint32(token[i])
	}
	return &l.places[hash%places]
}

func (l *latest[V]) forget(token string) { l.place(token).Store(&entry[V]{}) }

func (l *latest[V]) forgetAll() {
	for i := range l.places {
		l.places[i].Store(&entry[V]{})
	}
}
