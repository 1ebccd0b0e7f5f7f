package htpasswd

import (
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

// Verifier checks passwords. Requests that ask about the same user and password at
// the same time share one computation: a page that loads forty files hashes once.
// For a minute it is known which passwords were right, by a keyed hash of them. That
// a password was wrong is not kept.
type Verifier struct {
	users  Users
	decoy  Hash
	right  *remember.Cache[struct{}]
	mu     sync.Mutex
	flying map[remember.Key]*flight
}

// flight is a computation under way; ok may be read once done is closed.
type flight struct {
	done chan struct{}
	ok   bool
}

// NewVerifier returns a Verifier for users, which must not change afterwards.
func NewVerifier(users Users) *Verifier {
	v := &Verifier{users: users, right: remember.New[struct{}](keepMost), flying: map[remember.Key]*flight{}}
	for _, h := range users {
		if v.decoy == nil || h.Cost() > v.decoy.Cost() {
			v.decoy = h
		}
	}
	return v
}

// Verify reports whether password is the user's.
func (v *Verifier) Verify(user, password string) bool {
	if len(password) > maxPassword || v.decoy == nil {
		return false
	}
	key := v.right.Key(user, password)
	if _, ok := v.right.Get(key); ok {
		return true
	}
	v.mu.Lock()
	if f, ok := v.flying[key]; ok {
		v.mu.Unlock()
		<-f.done
		return f.ok
	}
	f := &flight{done: make(chan struct{})}
	v.flying[key] = f
	v.mu.Unlock()

	defer func() {
		v.mu.Lock()
		delete(v.flying, key)
		v.mu.Unlock()
		close(f.done)
	}()
	if f.ok = v.compare(user, password); f.ok {
		v.right.Put(key, struct{}{}, keepFor)
	}
	return f.ok
}

// compare spends the time of the costliest hash also on a user who is not there,
// so that the time of the answer does not tell which names exist.
func (v *Verifier) compare(user, password string) bool {
	h, known := v.users[user]
	if !known {
		h = v.decoy
	}
	return h.Matches(password) && known
}
