package limit

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"fairway/internal/redisclient"
	"fairway/internal/redistest"
)

func TestOutages_OneAtATimeTriesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, hook := quiet(t)
		o := &NewKept().Outages
		fail := func() { o.failed(log, "redis:6379", "meanwhile", errors.New("refused")) }
		for range patience {
			if !o.may() {
				t.Fatal("one failure is nothing yet")
			}
			fail()
		}
		if o.Trouble() != "" || len(hook.Entries) > 0 {
			t.Errorf("told too early: %q", o.Trouble())
		}
		fail()
		if o.may() {
			t.Error("somebody asks at once")
		}
		if !strings.Contains(o.Trouble(), "redis:6379 is away, meanwhile: refused") || len(hook.Entries) != 1 {
			t.Errorf("the trouble is %q, with %d lines in the log", o.Trouble(), len(hook.Entries))
		}
		for range 10 {
			time.Sleep(again) // on the clock of the bubble
			asking := 0
			for range 100 {
				if o.may() {
					asking++
				}
			}
			if asking != 1 {
				t.Fatalf("%d ask, want one", asking)
			}
			fail()
		}
		time.Sleep(again) // on the clock of the bubble
		if !o.may() {
			t.Fatal("nobody asks")
		}
		o.well(log, "redis:6379")
		if first, second := o.may(), o.may(); !first || !second || o.Trouble() != "" || len(hook.Entries) != 2 {
			t.Errorf("when it is back: %q, with %d lines in the log", o.Trouble(), len(hook.Entries))
		}
	})
}

// Requests that are under way when the options of the Redis change have a client that ends. That must not
// be taken for an outage of the Redis which others ask.
func TestShared_AReloadIsNoOutage(t *testing.T) {
	log, hook := quiet(t)
	k := NewKept()
	ctx, retire := context.WithCancel(t.Context())
	c := &Redis{}
	c.SetDefaults()
	c.Endpoints, c.Password = []string{redistest.New(t).Address}, redistest.Password
	before, err := k.Open(ctx, c, "limit@file", log)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := before.take(t.Context(), Source{1}, Sliding(5, time.Minute), 1, false); !ok {
		t.Fatal("the Redis does not count")
	}
	retire()
	for err = nil; !errors.Is(err, redisclient.ErrEnded); runtime.Gosched() { // the client ends aside
		_, err = before.store.client.Do(t.Context(), "GET", "a")
	}
	for range 2 * patience {
		if _, ok := before.take(t.Context(), Source{1}, Sliding(5, time.Minute), 1, false); ok {
			t.Error("a client that has ended counts")
		}
	}
	if k.Trouble() != "" || !k.may() || len(hook.Entries) != 0 {
		t.Errorf("the Redis is taken for away: %q", k.Trouble())
	}
}
