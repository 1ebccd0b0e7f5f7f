package hmac

import (
	"fmt"
	"testing"
	"time"
)

func TestNonces_WhatHadToBeForgottenCannotBeUsedAgain(t *testing.T) {
	u := &used{seen: map[nonceHash]bool{}}
	use := func(nonce string, created int64) bool {
		return u.use(params{nonce: nonce, created: created}, 50, 3)
	}
	for i, nonce := range []string{"c", "a", "b"} { // in whatever order they come
		if !use(nonce, 100+int64((i+2)%3)) {
			t.Errorf("%s is refused", nonce)
		}
	}
	if use("a", 100) {
		t.Error("one that is remembered is taken twice")
	}
	if !use("d", 103) { // a has to go
		t.Error("there is no room for a newer one")
	}
	for _, nonce := range []string{"a", "fresh"} {
		if use(nonce, 100) {
			t.Errorf("%s is taken though it is as old as what was forgotten", nonce)
		}
	}
	if len(u.seen) != len(u.order) || len(u.order) > 3 {
		t.Errorf("%d and %d are remembered", len(u.seen), len(u.order))
	}
	if use("b", 101) || use("c", 102) || use("d", 103) || !use("e", 104) {
		t.Error("newer ones are not remembered any more")
	}
}

func TestNonces_KeysDoNotFlushEachOther(t *testing.T) {
	var n nonces
	oldest := time.Unix(50, 0)
	if !n.use(params{id: "ann", nonce: "1", created: 100}, oldest) {
		t.Fatal("refused")
	}
	for i := range mostNonces + 10 {
		if !n.use(params{id: "eve", nonce: fmt.Sprint(i), created: 101 + int64(i)}, oldest) {
			t.Fatalf("%d is refused", i)
		}
	}
	if n.use(params{id: "ann", nonce: "1", created: 100}, oldest) {
		t.Error("a nonce was flushed by somebody else, and is taken twice")
	}
	if !n.use(params{id: "ann", nonce: "2", created: 100}, oldest) {
		t.Error("somebody else's nonces raise the floor")
	}
	if n.use(params{id: "eve", nonce: "0", created: 101}, oldest) {
		t.Error("a nonce that was forgotten is taken twice")
	}
}

func TestNonces_OldOnesAndTheirKeysGo(t *testing.T) {
	var n nonces
	n.use(params{id: "ann", nonce: "1", created: 100}, time.Unix(50, 0))
	n.use(params{id: "bob", nonce: "1", created: 200}, time.Unix(150, 0))
	if len(n.byKey) != 1 {
		t.Errorf("%d keys are remembered", len(n.byKey))
	}
	n.use(params{id: "bob", nonce: "2", created: 300}, time.Unix(250, 0))
	if u := n.byKey["bob"]; len(u.seen) != 1 || len(u.order) != 1 {
		t.Errorf("%d are remembered", len(u.seen))
	}
	if n.use(params{id: "bob", nonce: "1", created: 200}, time.Unix(100, 0)) {
		t.Error("with a longer maxAge an old one is taken again")
	}
}
