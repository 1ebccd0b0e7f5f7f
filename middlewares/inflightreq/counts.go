package inflightreq

import (
	"container/list"
	"sync"

	"fairway/internal/sourcecriterion"
)

// A request that ends gives its place to the one that has waited longest; nobody who comes later
// gets in between. So the number of those that are served never goes down while somebody waits.

const shards = 16

// counts are the requests of each source that are being served. Only sources that have
// any are in there.
type counts struct{ shards [shards]shard }

type shard struct {
	mu sync.Mutex
	of map[sourcecriterion.Source]*flight
	// spare is a flight that nobody uses: most sources have one request at a time.
	spare *flight

	passed, refused uint64
}

// flight is what a source has under way.
type flight struct {
	served  int64
	allowed int64     // as it was said last
	waiting list.List // of *turn; the first has waited longest
}

// turn is that of a request that waits.
type turn struct {
	come chan struct{} // closed when it has come
	at   *list.Element // nil: it waits no longer
}

func newCounts() *counts {
	c := &counts{}
	for i := range c.shards {
		c.shards[i].of = map[sourcecriterion.Source]*flight{}
	}
	return c
}

// enter counts a request, unless there are as many already as allowed. Then it waits for its
// turn, unless as many do already as there is room for.
func (c *counts) enter(source sourcecriterion.Source, allowed, room int64) (t *turn, ok bool) {
	s := &c.shards[source.Shard(shards)]
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.of[source]
	if f == nil {
		if f, s.spare = s.spare, nil; f == nil {
			f = &flight{}
		}
		s.of[source] = f
	}
	f.allowed = allowed
	s.callIn(f) // if more are allowed than before
	switch {
	case f.served < allowed && f.waiting.Len() == 0:
		f.served++
		s.passed++
		return nil, true
	case int64(f.waiting.Len()) < room:
		t = &turn{come: make(chan struct{})}
		t.at = f.waiting.PushBack(t)
		return t, false
	}
	s.refused++
	return nil, false
}

// callIn lets those in for whom there is a place.
func (s *shard) callIn(f *flight) {
	for f.served < f.allowed {
		first := f.waiting.Front()
		if first == nil {
			return
		}
		t, _ := f.waiting.Remove(first).(*turn)
		t.at = nil
		close(t.come)
		f.served++
		s.passed++
	}
}

// giveUp has a request wait no longer; false: its turn has come already.
func (c *counts) giveUp(source sourcecriterion.Source, t *turn) bool {
	s := &c.shards[source.Shard(shards)]
	s.mu.Lock()
	defer s.mu.Unlock()
	if t.at == nil {
		return false
	}
	s.of[source].waiting.Remove(t.at)
	s.refused++
	return true
}

func (c *counts) leave(source sourcecriterion.Source) {
	s := &c.shards[source.Shard(shards)]
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.of[source]
	f.served--
	s.callIn(f)
	if f.served == 0 && f.waiting.Len() == 0 {
		delete(s.of, source)
		s.spare = f
	}
}

// Decisions implements middlewares.Decider.
func (c *counts) Decisions() (passed, refused uint64) {
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		passed, refused = passed+s.passed, refused+s.refused
		s.mu.Unlock()
	}
	return passed, refused
}
