package limit

import (
	"math"
	"sync"
	"time"

	"fairway/internal/sourcecriterion"
)

// Source is who is counted.
type Source = sourcecriterion.Source

const (
	// MostSources are the sources of one table.
	MostSources = 65536
	shards      = 16
	sample      = 16 // sources looked at to find one that can go
)

// Table has what is known of sources. It is bounded: those go first of whom nothing is to be
// known, or that are the nearest to it.
type Table struct {
	start  time.Time
	shards [shards]shard
}

type shard struct {
	mu    sync.Mutex
	most  int
	swept time.Duration // when the ones that can go were last thrown out

	passed, refused uint64
	buckets         map[Source]bucket
	tallies         map[Source]*counted
	changed         bool // since it was last kept
}

// counted is a tally, and when nothing of it counts any more.
type counted struct {
	tally

	ends time.Time
}

// NewTable makes one for so many sources.
func NewTable(most int) *Table {
	t := &Table{start: time.Now()}
	for i := range t.shards {
		t.shards[i].most = max(most/shards, 1)
		t.shards[i].buckets, t.shards[i].tallies = map[Source]bucket{}, map[Source]*counted{}
	}
	return t
}

func (t *Table) shard(source Source) *shard { return &t.shards[source.Shard(shards)] }

// Take lets somebody have n, if that is not too much.
func (t *Table) Take(source Source, r *Rule, n int64) Decision {
	s := t.shard(source)
	s.mu.Lock()
	defer s.mu.Unlock()
	var d Decision
	if r.algorithm == bucketed {
		now := time.Since(t.start) // under the lock, so that it never goes back
		b, known := s.buckets[source]
		if d = b.take(now, &r.bucket, n); d.OK && !known {
			s.roomForBucket(now)
		}
		if known || d.OK {
			s.buckets[source] = b
		}
	} else {
		c, at := s.tallyOf(source, r)
		d = c.take(at, r.most, n)
	}
	if d.OK {
		s.passed++
	} else {
		s.refused++
	}
	return d
}

// Add has somebody have n more, though it may be too much, or n less, if it is below 0.
func (t *Table) Add(source Source, r *Rule, n int64) {
	s := t.shard(source)
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.algorithm != bucketed {
		c, at := s.tallyOf(source, r)
		c.add(at, n)
		return
	}
	now := time.Since(t.start)
	b, known := s.buckets[source]
	if !known {
		if n <= 0 {
			return
		}
		s.roomForBucket(now)
	}
	b.add(now, &r.bucket, n)
	s.buckets[source] = b
}

func (s *shard) tallyOf(source Source, r *Rule) (*counted, span) {
	now := time.Now()
	at := r.span(now)
	c := s.tallies[source]
	if c == nil {
		s.roomForTally(now)
		c = &counted{}
		s.tallies[source] = c
	}
	c.ends = now.Add(at.until + time.Duration(at.parts-1)*at.length)
	s.changed = true
	return c, at
}

// note counts a decision that was made elsewhere.
func (t *Table) note(source Source, ok bool) {
	s := t.shard(source)
	s.mu.Lock()
	defer s.mu.Unlock()
	if ok {
		s.passed++
	} else {
		s.refused++
	}
}

// Decisions are those so far.
func (t *Table) Decisions() (passed, refused uint64) {
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.Lock()
		passed, refused = passed+s.passed, refused+s.refused
		s.mu.Unlock()
	}
	return passed, refused
}

// roomForBucket forgets sources: those with a full bucket, for which that changes nothing,
// or else one of a few that is the nearest to it. All are looked at once a second at
// most, so that a flood of sources costs little.
func (s *shard) roomForBucket(now time.Duration) {
	if len(s.buckets) < s.most {
		return
	}
	if now-s.swept >= time.Second || s.swept == 0 {
		s.swept = now
		for source, b := range s.buckets {
			if b.full <= now {
				delete(s.buckets, source)
			}
		}
	}
	if len(s.buckets) < s.most {
		return
	}
	var nearest Source
	first, seen := time.Duration(math.MaxInt64), 0
	for source, b := range s.buckets {
		if b.full < first {
			nearest, first = source, b.full
		}
		if seen++; seen == sample {
			break
		}
	}
	delete(s.buckets, nearest)
}

// roomForTally is the same for tallies: of a few the one goes that has had the least.
func (s *shard) roomForTally(now time.Time) {
	if len(s.tallies) < s.most {
		return
	}
	var least Source
	fewest, seen := int64(math.MaxInt64), 0
	for source, c := range s.tallies {
		if !now.Before(c.ends) {
			delete(s.tallies, source)
			continue
		}
		if c.sum < fewest {
			least, fewest = source, c.sum
		}
		if seen++; seen == sample {
			break
		}
	}
	if len(s.tallies) >= s.most {
		delete(s.tallies, least)
	}
}
