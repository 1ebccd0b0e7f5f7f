package limit

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
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
			time.Sleep(again)
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
		time.Sleep(again)
		if !o.may() {
			t.Fatal("nobody asks")
		}
		o.well(log, "redis:6379")
		if first, second := o.may(), o.may(); !first || !second || o.Trouble() != "" || len(hook.Entries) != 2 {
			t.Errorf("when it is back: %q, with %d lines in the log", o.Trouble(), len(hook.Entries))
		}
	})
}
