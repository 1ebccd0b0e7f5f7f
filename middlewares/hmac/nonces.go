package hmac

import (
	"container/heap"
	"crypto/sha256"
	"sync"
	"time"
)

// mostNonces bounds those of one key that are remembered. More of them within the time that a
// signature lasts make signatures be refused that are as old as what had to be forgotten:
// they could be used again else. Each key has room of its own, so that who signs much costs
// others nothing.
const mostNonces = 100_000

// nonces remember what was used. The zero value is empty.
type nonces struct {
	mu    sync.Mutex
	byKey map[string]*used
}

// used are the nonces of one key.
type used struct {
	seen  map[nonceHash]bool
	order byCreated
	floor int64 // what was signed then or before is refused
}

type nonceHash [16]byte

type usedNonce struct {
	created int64
	hash    nonceHash
}

// use tells whether a nonce comes for the first time. Signatures that were created before
// oldest are not looked at by anybody.
func (n *nonces) use(p params, oldest time.Time) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	u := n.byKey[p.id]
	if u == nil {
		n.forget(oldest.Unix())
		if n.byKey == nil {
			n.byKey = map[string]*used{}
		}
		u = &used{seen: map[nonceHash]bool{}}
		n.byKey[p.id] = u
	}
	return u.use(p, oldest.Unix(), mostNonces)
}

// forget drops keys that have nothing left to be remembered: they may be in use no more.
func (n *nonces) forget(oldest int64) {
	for id, u := range n.byKey {
		u.makeRoom(oldest, mostNonces)
		if len(u.order) == 0 && u.floor < oldest {
			delete(n.byKey, id)
		}
	}
}

func (u *used) use(p params, oldest int64, most int) bool {
	sum := sha256.Sum256([]byte(p.nonce))
	hash := nonceHash(sum[:16])
	if u.seen[hash] {
		return false
	}
	u.makeRoom(oldest, most-1)
	if p.created <= u.floor {
		return false
	}
	u.seen[hash] = true
	heap.Push(&u.order, usedNonce{p.created, hash})
	return true
}

// makeRoom forgets what is too old to come again, and the oldest until no more than most are
// left. What is forgotten raises the floor in either case: an option may be changed so that
// older signatures are let in.
func (u *used) makeRoom(oldest int64, most int) {
	for len(u.order) > 0 && (u.order[0].created < oldest || len(u.order) > most) {
		first := heap.Pop(&u.order).(usedNonce)
		delete(u.seen, first.hash)
		u.floor = max(u.floor, first.created)
	}
}

// byCreated is a heap, the oldest first.
type byCreated []usedNonce

func (b byCreated) Len() int           { return len(b) }
func (b byCreated) Less(i, j int) bool { return b[i].created < b[j].created }
func (b byCreated) Swap(i, j int)      { b[i], b[j] = b[j], b[i] }

// Push implements heap.Interface.
func (b *byCreated) Push(x any) { *b = append(*b, x.(usedNonce)) }

// Pop implements heap.Interface.
func (b *byCreated) Pop() any {
	last := (*b)[len(*b)-1]
	*b = (*b)[:len(*b)-1]
	return last
}
