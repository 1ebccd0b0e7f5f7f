package server

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestEndTogether_HasOneDeadlineForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, text := newLog()
		release, ended := make(chan struct{}), 0
		hangs := func(context.Context) error { <-release; ended++; return nil }
		obeys := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
		began := time.Now()
		endTogether(log, map[string]func(context.Context) error{
			"well": func(context.Context) error { return nil }, "fails": func(context.Context) error { return errors.New("refused") }, "hangs": hangs, "obeys": obeys,
		})
		if took := time.Since(began); took != longestEnd { // of the clock of the bubble
			t.Errorf("it took %v", took)
		}
		close(release)
		synctest.Wait()
		for what, told := range map[string]int{"msg=well": 0, "msg=fails error=refused": 1, "msg=hangs": 1, "msg=obeys": 1} {
			if got := strings.Count(text.String(), what); got != told {
				t.Errorf("%s: told %d times in\n%s", what, got, text)
			}
		}
	})
}
