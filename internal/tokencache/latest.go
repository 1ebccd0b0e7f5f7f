package tokencache

import "sync/atomic"

const places = 256

// latest has a few of the tokens that were asked for last, each at a place that the end of its
// text chooses; the next at the same place takes it. To compare a token with one that was
// sent before takes less than to find it among all.
type latest[V any] struct {
	places [places]atomic.Pointer[entry[V]]
}

// entry is what is kept of a token. It is the same one in all places: who replaces it needs
// not know where somebody puts it meanwhile.
type entry[V any] struct {
	token string
	value V
	gone  atomic.Bool // it is in no generation any more, or another one is in its place
}

// is tells whether e, which may be nil, is what is kept of a token.
func (e *entry[V]) is(token string) bool { return e != nil && e.token == token && !e.gone.Load() }

// place is where a token is, if it is here. Tokens end with what is random in them, a signature
// for most.
func (l *latest[V]) place(token string) *atomic.Pointer[entry[V]] {
	hash := uint32(len(token))
	for i := max(0, len(token)-8); i < len(token); i++ {
		hash = hash*31 + uint32(token[i])
	}
	return &l.places[hash%places]
}

// each calls visit with those that are not gone.
func (l *latest[V]) each(visit func(*entry[V])) {
	for i := range l.places {
		if e := l.places[i].Load(); e != nil && !e.gone.Load() {
			visit(e)
		}
	}
}
