package providers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/sirupsen/logrus"

	"fairway/config/dynamic"
)

// scripted is a provider that runs a function.
type scripted func(ctx context.Context, publish Publish) error

func (s scripted) Run(ctx context.Context, publish Publish) error { return s(ctx, publish) }

// remote is a provider that publishes what it is given, until it is told to fail.
type remote struct {
	next chan *dynamic.Configuration
	fail chan error
	runs int
}

func newRemote() *remote {
	return &remote{next: make(chan *dynamic.Configuration), fail: make(chan error)}
}

func (r *remote) Run(ctx context.Context, publish Publish) error {
	r.runs++
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case c := <-r.next:
			publish(c)
		case err := <-r.fail:
			return err
		}
	}
}

// with has these routers.
func with(names ...string) *dynamic.Configuration {
	c := &dynamic.Configuration{HTTP: &dynamic.HTTP{Routers: map[string]*dynamic.Router{}}}
	for _, name := range names {
		c.HTTP.Routers[name] = &dynamic.Router{Rule: "Host(`" + name + "`)"}
	}
	return c
}

// applied is one configuration that was handed on.
type applied struct {
	at       time.Duration // since the start
	routers  string
	problems []string
}

// start runs the providers in the bubble, and returns what is applied.
func start(t *testing.T, throttle time.Duration, all map[string]Provider) (w *Watch, history *[]applied) {
	t.Helper()
	log := logrus.New()
	log.SetOutput(io.Discard)
	begin := time.Now()
	history = &[]applied{}
	w = &Watch{Providers: all, Throttle: throttle, Log: log, Apply: func(c *dynamic.Configuration) {
		a := applied{at: time.Since(begin)}
		var names []string
		if c.HTTP != nil {
			for name := range c.HTTP.Routers {
				names = append(names, name)
			}
		}
		slices.Sort(names)
		a.routers = strings.Join(names, " ")
		for _, p := range c.Problems {
			a.problems = append(a.problems, p.Provider+": "+p.Reason)
		}
		*history = append(*history, a)
	}}
	ctx, stop := context.WithCancel(t.Context())
	over := make(chan struct{})
	go func() { w.Run(ctx); close(over) }()
	t.Cleanup(func() { // a goroutine that is left would fail the bubble
		stop()
		<-over
	})
	return w, history
}

func check(t *testing.T, got []applied, want ...applied) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(applied{}), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("applied (-want +got):\n%s", diff)
	}
}

func TestWatch_FirstAtOnceThenCollected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRemote()
		_, history := start(t, time.Second, map[string]Provider{"p": r})
		time.Sleep(5 * time.Second) // quiet
		r.next <- with("a")
		synctest.Wait()
		check(t, *history, applied{at: 5 * time.Second, routers: "a@p"})
		for i := range 9 {
			time.Sleep(100 * time.Millisecond)
			r.next <- with("a", fmt.Sprint("b", i))
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		check(t, *history, applied{at: 5 * time.Second, routers: "a@p"}, applied{at: 6 * time.Second, routers: "a@p b8@p"})
		r.next <- with("c")
		synctest.Wait()
		if last := (*history)[len(*history)-1]; last.routers != "c@p" || last.at != 65900*time.Millisecond {
			t.Errorf("after a quiet time: got %+v", last)
		}
	})
}

func TestWatch_DropsWhatSaysTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRemote()
		_, history := start(t, time.Second, map[string]Provider{"p": r})
		for range 5 {
			r.next <- with("a")
			time.Sleep(time.Minute)
		}
		synctest.Wait()
		if len(*history) != 1 {
			t.Errorf("applied %d times, want once", len(*history))
		}
		changed := with("a")
		changed.Problems = []dynamic.Problem{{Reason: "new"}}
		r.next <- changed
		synctest.Wait()
		if len(*history) != 2 {
			t.Error("a new problem alone was not handed on")
		}
	})
}

func TestWatch_PutsProvidersTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one, two := newRemote(), newRemote()
		w, history := start(t, time.Second, map[string]Provider{"one": one, "two": two})
		one.next <- with("a")
		synctest.Wait()
		select {
		case <-w.Heard():
			t.Error("heard of all providers after the first")
		default:
		}
		two.next <- with("a")
		<-w.Heard()
		time.Sleep(time.Minute)
		two.next <- with() // nothing is left: it is cleared
		time.Sleep(time.Minute)
		synctest.Wait()
		check(t, *history, applied{routers: "a@one"}, applied{at: time.Second, routers: "a@one a@two"}, applied{at: time.Minute + time.Second, routers: "a@one"})
	})
}

func TestWatch_FailedProviderIsStartedAgainAndKeepsItsLastWord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRemote()
		_, history := start(t, time.Millisecond, map[string]Provider{"p": r})
		r.next <- with("a")
		time.Sleep(time.Hour)
		r.fail <- errors.New("lost")
		synctest.Wait()
		lost := []string{"p: the provider failed, its last configuration stays in force: lost"}
		check(t, *history, applied{routers: "a@p"}, applied{at: time.Hour, routers: "a@p", problems: lost})
		time.Sleep(firstRestart)
		r.next <- with("a") // the same, and all is well again
		time.Sleep(time.Second)
		synctest.Wait()
		check(t, (*history)[2:], applied{at: time.Hour + firstRestart, routers: "a@p"})
	})
}

func TestWatch_RestartsMoreAndMoreSlowly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var runs []time.Duration
		begin := time.Now()
		_, history := start(t, time.Millisecond, map[string]Provider{"p": scripted(func(context.Context, Publish) error {
			runs = append(runs, time.Since(begin))
			return errors.New("no")
		})})
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		if diff := cmp.Diff([]time.Duration{0, 500 * time.Millisecond, 1500 * time.Millisecond, 3500 * time.Millisecond}, runs[:4]); diff != "" {
			t.Error(diff)
		}
		for i := 8; i < len(runs); i++ {
			if got := runs[i] - runs[i-1]; got != lastRestart {
				t.Errorf("restart %d came after %s, want %s", i, got, lastRestart)
			}
		}
		if len(*history) != 1 {
			t.Errorf("one reason was handed on %d times", len(*history))
		}
	})
}

func TestWatch_PanicAndSilentEndAreFailures(t *testing.T) {
	tests := map[string]struct {
		run  scripted
		want string
	}{
		"panic":          {func(context.Context, Publish) error { panic("ouch") }, "panic: ouch"},
		"a silent end":   {func(context.Context, Publish) error { return nil }, "it stopped without a reason"},
		"an early error": {func(context.Context, Publish) error { return io.ErrUnexpectedEOF }, "unexpected EOF"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRemote()
				_, history := start(t, time.Millisecond, map[string]Provider{"bad": tt.run, "good": r})
				time.Sleep(time.Second)
				r.next <- with("a")
				synctest.Wait()
				last := (*history)[len(*history)-1]
				if last.routers != "a@good" || len(last.problems) != 1 || !strings.HasSuffix(last.problems[0], tt.want) {
					t.Errorf("got %+v", last)
				}
			})
		})
	}
}

func TestWatch_SeveralFailuresComeInOneOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := map[string]Provider{}
		for _, name := range []string{"e", "c", "a", "d", "b"} {
			all[name] = scripted(func(context.Context, Publish) error { return errors.New("no") })
		}
		_, history := start(t, time.Second, all)
		time.Sleep(time.Minute)
		synctest.Wait()
		last := (*history)[len(*history)-1].problems
		if len(last) != 5 || !slices.IsSorted(last) {
			t.Errorf("got %q", last)
		}
	})
}

func TestWatch_HeardWithoutProviders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, history := start(t, time.Second, nil)
		<-w.Heard() // there is nobody to wait for
		check(t, *history)
	})
}

func TestWatch_HeardMeansApplied(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRemote()
		w, history := start(t, time.Second, map[string]Provider{"p": r})
		r.next <- with("a")
		<-w.Heard()
		check(t, *history, applied{routers: "a@p"})
	})
}

func TestWatch_PublishedConfigurationsAreNotChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one, two := newRemote(), newRemote()
		start(t, time.Millisecond, map[string]Provider{"one": one, "two": two})
		c := with("a")
		c.Problems = []dynamic.Problem{{Kind: dynamic.KindRouter, Name: "a", Reason: "x"}}
		one.next <- c
		two.next <- with("b")
		time.Sleep(time.Second)
		two.fail <- errors.New("no")
		time.Sleep(time.Second)
		synctest.Wait()
		want := with("a")
		want.Problems = []dynamic.Problem{{Kind: dynamic.KindRouter, Name: "a", Reason: "x"}}
		if diff := cmp.Diff(want, c); diff != "" {
			t.Error(diff)
		}
	})
}

func TestWatch_StatesOfProviders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		steady, broken, silent := newRemote(), newRemote(), newRemote()
		w, _ := start(t, 0, map[string]Provider{"steady": steady, "broken": broken, "silent": silent})
		time.Sleep(time.Minute)
		for _, c := range []*dynamic.Configuration{with("a"), with("a"), with("b")} { // the second tells nothing new
			steady.next <- c
		}
		broken.fail <- errors.New("no engine")
		synctest.Wait()
		want := map[string]State{"steady": {Updates: 2, Updated: time.Now()}, "broken": {Down: "no engine"}, "silent": {}}
		if diff := cmp.Diff(want, w.States()); diff != "" {
			t.Errorf("states (-want +got):\n%s", diff)
		}
	})
}

// TestWatch_AProviderThatTriesAgainByItselfIsDown, though it runs.
func TestWatch_AProviderThatTriesAgainByItselfIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRemote()
		w, _ := start(t, 0, map[string]Provider{"p": r})
		lost := with("a")
		lost.Problems = []dynamic.Problem{{Severity: dynamic.Error, Source: "tcp://engine", Reason: "no route to host", Blind: true}, {Reason: "of a router"}}
		for i, step := range []struct {
			c    *dynamic.Configuration
			want State
		}{
			{lost, State{Down: "tcp://engine: no route to host"}},
			{with("a"), State{Updates: 1, Updated: time.Now().Add(time.Minute)}},
			{lost, State{Updates: 1, Updated: time.Now().Add(time.Minute), Down: "tcp://engine: no route to host"}},
		} {
			r.next <- step.c
			synctest.Wait()
			if diff := cmp.Diff(step.want, w.States()["p"]); diff != "" {
				t.Errorf("step %d (-want +got):\n%s", i, diff)
			}
			time.Sleep(time.Minute)
		}
	})
}

func TestWatch_TellsWhomItWaitsFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow, broken, quick := newRemote(), newRemote(), newRemote()
		log := logrus.New()
		log.SetOutput(io.Discard)
		gate := make(chan struct{})
		w := &Watch{Providers: map[string]Provider{"slow": slow, "broken": broken, "quick": quick}, Log: log, Apply: func(*dynamic.Configuration) { <-gate }}
		waits := func(want string) {
			t.Helper()
			synctest.Wait()
			if got := strings.Join(w.Waiting(), " "); got != want {
				t.Errorf("waits for %q, want %q", got, want)
			}
		}
		waits("broken quick slow")
		ctx, stop := context.WithCancel(t.Context())
		over := make(chan struct{})
		go func() { w.Run(ctx); close(over) }()
		quick.next <- with("a")
		waits("broken quick slow") // what it said is not applied yet
		gate <- struct{}{}
		waits("broken slow")
		broken.fail <- errors.New("nobody there")
		gate <- struct{}{}
		waits("slow")
		slow.next <- with()
		gate <- struct{}{}
		waits("")
		quick.fail <- errors.New("gone")
		waits("") // its last word stays in force
		gate <- struct{}{}
		stop()
		<-over
	})
}
