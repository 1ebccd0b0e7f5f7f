package htpasswd

import (
	"cmp"
	"context"
	"maps"
	"runtime"
	"slices"
	"sync"
	"time"

	"fairway/internal/remember"
)

// maxPassword bounds the work one request can ask for: the hashes take time in
// proportion to the length of what the client sent.
const maxPassword = 4096

// A password that was right is taken for right again for a time, and for so many
// users at most.
const (
	keepFor  = time.Minute
	keepMost = 10000
)

// turns has room for the costly computations that go on at the same time. The
// processors are those of the whole program, so there is one for all Verifiers: who
// sends wrong passwords, to however many routes, takes half of them at most.
var turns = make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2))

// cheap is the Cost up to which a computation waits for no turn.
const cheap = 1

// Verifier checks passwords. Requests that ask about the same user and password at
// the same time share one computation: a page that loads forty files hashes once.
// For a minute it is known which passwords were right, by a keyed hash of them, so that
// whoever is in does not queue behind those who guess. That a password was wrong is not
// kept.
type Verifier struct {
	users  Users
	kinds  []Hash // one of each cost
	turns  chan struct{}
	right  *remember.Cache[struct{}]
	mu     sync.Mutex
	flying map[remember.Key]*flight
}

// flight is a computation under way; ok and err may be read once done is closed.
type flight struct {
	done chan struct{}
	ok   bool
	err  error // it was given up, and says nothing of the password
}

// NewVerifier returns a Verifier for users, which must not change afterwards.
func NewVerifier(users Users) *Verifier {
	v := &Verifier{users: users, turns: turns, right: remember.New[struct{}](keepMost), flying: map[remember.Key]*flight{}}
	byCost := map[int]Hash{}
	for _, h := range users {
		byCost[h.Cost()] = h
	}
	v.kinds = slices.SortedFunc(maps.Values(byCost), func(a, b Hash) int { return cmp.Compare(a.Cost(), b.Cost()) })
	return v
}

// Verify reports whether password is the user's. The error is that of ctx, which ended
// while others had their turn.
func (v *Verifier) Verify(ctx context.Context, user, password string) (bool, error) {
	if len(password) > maxPassword || len(v.kinds) == 0 {
		return false, nil
	}
	key := v.right.Key(user, password)
	for {
		if _, ok := v.right.Get(key); ok {
			return true, nil
		}
		f, ours := v.join(key)
		if ours {
			return v.fly(ctx, f, key, user, password)
		}
		select {
		case <-f.done:
			if f.err == nil {
				return f.ok, nil
			} // else who began has gone, and somebody else begins anew
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
}

// join finds the computation about a key, or begins it.
func (v *Verifier) join(key remember.Key) (f *flight, ours bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if f, ok := v.flying[key]; ok {
		return f, false
	}
	f = &flight{done: make(chan struct{})}
	v.flying[key] = f
	return f, true
}

// fly computes for all who have joined.
func (v *Verifier) fly(ctx context.Context, f *flight, key remember.Key, user, password string) (bool, error) {
	defer func() {
		v.mu.Lock()
		delete(v.flying, key)
		v.mu.Unlock()
		close(f.done)
	}()
	if f.ok, f.err = v.compare(ctx, user, password); f.ok {
		v.right.Put(key, struct{}{}, keepFor)
	}
	return f.ok, f.err
}

// compare computes one hash of each kind that there is before it says no, so that the
// time of the answer tells neither which names exist nor which kind of hash they have.
func (v *Verifier) compare(ctx context.Context, user, password string) (bool, error) {
	h, known := v.users[user]
	if known {
		if ok, err := v.compute(ctx, h, password); ok || err != nil {
			return ok, err
		}
	}
	for _, decoy := range v.kinds {
		if known && decoy.Cost() == h.Cost() {
			continue
		}
		if _, err := v.compute(ctx, decoy, password); err != nil {
			return false, err
		}
	}
	return false, nil
}

// compute waits for a turn if the hash is a costly one.
func (v *Verifier) compute(ctx context.Context, h Hash, password string) (bool, error) {
	if h.Cost() > cheap {
		if err := ctx.Err(); err != nil {
			return false, err
		}
		select {
		case v.turns <- struct{}{}:
			defer func() { <-v.turns }()
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
	return h.Matches(password), nil
}
