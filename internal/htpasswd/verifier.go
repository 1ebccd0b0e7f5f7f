package htpasswd

import "sync"

// maxPassword bounds the work one request can ask for: the hashes take time in
// proportion to the length of what the client sent.
const maxPassword = 4096

// Verifier checks passwords. Requests that ask about the same user and password at
// the same time share one computation: a page that loads forty files hashes once.
// Nothing is kept beyond that.
type Verifier struct {
	users  Users
	decoy  Hash
	mu     sync.Mutex
	flying map[credentials]*flight
}

type credentials struct{ user, password string }

// flight is a computation under way; ok may be read once done is closed.
type flight struct {
	done chan struct{}
	ok   bool
}

// NewVerifier returns a Verifier for users, which must not change afterwards.
func NewVerifier(users Users) *Verifier {
	v := &Verifier{users: users, flying: map[credentials]*flight{}}
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
	key := credentials{user, password}
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
	f.ok = v.compare(user, password)
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
