package certs

import (
	"crypto/rand"
	"slices"
	"sync/atomic"
	"time"
)

const (
	ticketLife = 24 * time.Hour // after which tickets are made with a new key
	ticketsFor = 7              // keys by which tickets are still read: clients keep them for a week at most
)

// tickets are the keys by which sessions are resumed (RFC 8446, section 4.6.1). Each
// policy has its own, so that nobody gets in by what another one has allowed. They are
// changed daily, and are kept over reloads.
type tickets struct {
	list [][32]byte
	next atomic.Int64 // when there is to be a new one, in seconds of Unix time
}

func (t *tickets) due(now time.Time) bool { return now.Unix() >= t.next.Load() }

// keys returns those in force, the newest first. The caller holds the lock of the
// policy.
func (t *tickets) keys(now time.Time) [][32]byte {
	if t.due(now) {
		var key [32]byte
		_, _ = rand.Read(key[:]) // never fails
		t.list = slices.Insert(t.list, 0, key)
		t.list = t.list[:min(len(t.list), ticketsFor)]
		t.next.Store(now.Add(ticketLife).Unix())
	}
	return t.list
}
