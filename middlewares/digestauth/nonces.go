package digestauth

import (
	"container/list"
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	nonceLife = 5 * time.Minute
	mostUsed  = 10000 // nonces in use at a time
	window    = 64    // how far requests may overtake each other
)

// nonces are signed, so that nothing needs to be remembered of those that nobody
// uses. Of those in use it is known which counts came already: each may come once,
// in an order that may differ a little, as browsers send several requests at a time.
type nonces struct {
	key  []byte
	now  func() time.Time
	mu   sync.Mutex
	used map[string]*list.Element
	// order has the used ones, *use, by their first use. Where there are too many, the
	// first is forgotten, and with it every nonce that is as old and not in use:
	// otherwise it could be used again from the start.
	order *list.List
	floor time.Time
}

// use is what is known of one nonce.
type use struct {
	nonce   string
	issued  time.Time
	highest uint32
	seen    uint64 // bit i: highest-i came
}

func newNonces() *nonces {
	n := &nonces{key: make([]byte, 32), now: time.Now, used: map[string]*list.Element{}, order: list.New()}
	_, _ = rand.Read(n.key) // never fails
	return n
}

func (n *nonces) sign(parts ...string) string { return mac(n.key, parts...) }

// issue makes a nonce: its time, something random, and the signature of both.
func (n *nonces) issue(realm string) string {
	var b [8]byte
	_, _ = rand.Read(b[:])
	text := strconv.FormatInt(n.now().UnixNano(), 36) + "." + hex.EncodeToString(b[:])
	return text + "." + n.sign("nonce", realm, text)
}

// ours tells whether a nonce was issued here.
func (n *nonces) ours(nonce, realm string) bool {
	at := strings.LastIndexByte(nonce, '.')
	if at < 0 {
		return false
	}
	return subtle.ConstantTimeCompare([]byte(nonce[at+1:]), []byte(n.sign("nonce", realm, nonce[:at]))) == 1
}

// use tells whether one of our nonces may be used with a count, and notes that it
// was.
func (n *nonces) use(nonce string, count uint32) bool {
	text, _, _ := strings.Cut(nonce, ".")
	at, err := strconv.ParseInt(text, 36, 64)
	issued := time.Unix(0, at)
	if err != nil || n.now().Sub(issued) >= nonceLife {
		return false
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if e, ok := n.used[nonce]; ok {
		return e.Value.(*use).note(count)
	}
	if !issued.After(n.floor) {
		return false
	}
	n.drop()
	n.used[nonce] = n.order.PushBack(&use{nonce: nonce, issued: issued, highest: count, seen: 1})
	return true
}

// drop makes room for one more.
func (n *nonces) drop() {
	for e := n.order.Front(); e != nil; e = n.order.Front() {
		u := e.Value.(*use)
		old := n.now().Sub(u.issued) >= nonceLife
		if !old && len(n.used) < mostUsed {
			return
		}
		if !old && u.issued.After(n.floor) {
			n.floor = u.issued
		}
		n.order.Remove(e)
		delete(n.used, u.nonce)
	}
}

func (u *use) note(count uint32) bool {
	if count > u.highest {
		u.seen = u.seen<<(count-u.highest) | 1 // a shift by 64 and more leaves nothing
		u.highest = count
		return true
	}
	behind := u.highest - count
	if behind >= window || u.seen>>behind&1 == 1 {
		return false
	}
	u.seen |= 1 << behind
	return true
}
