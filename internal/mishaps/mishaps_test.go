package mishaps

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestMishaps_AreShownForAWhileAndToldOnceInAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &Mishaps{}
		if m.Trouble() != "" || m.ScriptErrors() != 0 {
			t.Errorf("there is trouble at the start: %q", m.Trouble())
		}
		first, second := m.Note("a"), m.Note("b")
		if !first || second {
			t.Errorf("told %v and %v, want the first one only", first, second)
		}
		if got := m.Trouble(); got != "the last of 2 errors: b" {
			t.Errorf("got %q", got)
		}
		time.Sleep(between) // on the clock of the bubble
		if !m.Note("c") {
			t.Error("it is not told again")
		}
		time.Sleep(lasting + time.Second)
		if m.Trouble() != "" || m.ScriptErrors() != 3 {
			t.Errorf("it is still shown: %q, of %d", m.Trouble(), m.ScriptErrors())
		}
		m.Unusable(errors.New("line 1: what"))
		if got := m.Trouble(); got != "the changed file is not usable, and what it said before goes on: line 1: what" {
			t.Errorf("got %q", got)
		}
		m.Note("d")
		m.Fresh()
		if m.Trouble() != "" || m.ScriptErrors() != 4 {
			t.Errorf("got %q, of %d", m.Trouble(), m.ScriptErrors())
		}
	})
}
