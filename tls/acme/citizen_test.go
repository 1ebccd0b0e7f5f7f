package acme

import (
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// short has a profile whose certificates are valid for a few seconds.
func short(seconds int) pebbleOptions {
	return pebbleOptions{
		profiles: map[string]any{
			"default": map[string]any{"description": "as ever", "validityPeriod": 7776000},
			"short":   map[string]any{"description": "seconds", "validityPeriod": seconds},
		},
	}
}

func soon(p *pace) { p.first, p.unreachable = 200*time.Millisecond, 400*time.Millisecond }

func TestRenewal_BeforeItExpires(t *testing.T) {
	t.Parallel()
	a := newAuthority(t, short(12))
	c := a.config()
	c.Profile = "short"
	s := a.run(c, nil)
	s.want([]string{"short.test"})
	first := s.awaitCertificate("short.test").Leaf
	s.await("it is renewed", func() bool { return s.Certificate("short.test").Leaf.SerialNumber.Cmp(first.SerialNumber) != 0 })
	second := s.Certificate("short.test").Leaf
	if !second.NotBefore.Before(first.NotAfter) {
		t.Errorf("renewed at %s, after the old one expired at %s", second.NotBefore, first.NotAfter)
	}
	if again := a.resolver(c, nil).Certificate("short.test"); again == nil || again.Leaf.SerialNumber.Cmp(first.SerialNumber) == 0 {
		t.Error("after a restart the old one is back")
	}
}

func TestRenewal_WhenTheAuthoritySays(t *testing.T) {
	t.Parallel()
	a := newAuthority(t, pebbleOptions{})
	c := a.config()
	s := a.run(c, nil)
	s.want([]string{"ari.test"})
	first := s.awaitCertificate("ari.test")
	s.stop()
	at := func(d time.Duration) string { return time.Now().Add(d).UTC().Format(time.RFC3339) }
	post(t, a.client, a.management+"/set-renewal-info/", map[string]string{
		"certificate": string(encodeChain(first)),
		"ariResponse": `{"suggestedWindow":{"start":"` + at(-48*time.Hour) + `","end":"` + at(-24*time.Hour) + `"}}`,
	})
	rec := s.record("ari.test")
	rec.Issued = rec.Issued.Add(-2 * time.Hour) // a new one is not renewed whatever the authority says
	if _, err := s.save("ari.test", &rec); err != nil {
		t.Fatal(err)
	}
	again := a.resolver(c, nil)
	a.web.lead(again.Resolver)
	again.entries["ari.test"].ariAt = time.Now() // otherwise some time within the first minutes
	again.begin()
	again.want([]string{"ari.test"})
	again.await("it is renewed", func() bool { return !again.Certificate("ari.test").Leaf.Equal(first.Leaf) })
}

func TestAuthorityDown_AtTheStart(t *testing.T) {
	t.Parallel()
	a := newAuthority(t, pebbleOptions{})
	a.gate.shut.Store(true)
	s := a.run(a.config(), soon)
	s.want([]string{"down.test"})
	s.await("the problem is shown", func() bool {
		st := s.about("down.test")
		return st.Error != "" && st.Failures > 1 && !st.Since.IsZero()
	})
	a.gate.shut.Store(false)
	s.awaitCertificate("down.test")
	s.await("the problem is over", func() bool { st := s.about("down.test"); return st.Error == "" && st.Failures == 0 })
}

func TestAuthorityDown_AtRenewal(t *testing.T) {
	t.Parallel()
	a := newAuthority(t, short(6))
	c := a.config()
	c.Profile = "short"
	s := a.run(c, soon)
	s.want([]string{"short.test"})
	first := s.awaitCertificate("short.test").Leaf
	a.gate.close()
	s.await("renewal fails", func() bool { st := s.about("short.test"); return st.Failures > 0 && st.Error != "" })
	await(t, "it has expired", func() bool { return time.Now().After(first.NotAfter) })
	if got := s.Certificate("short.test"); got == nil || !got.Leaf.Equal(first) {
		t.Error("the old certificate is not served any more")
	}
	a.gate.shut.Store(false)
	s.await("it is renewed", func() bool { return s.Certificate("short.test").Leaf.NotAfter.After(first.NotAfter) })
}

func TestChallengeBlocked_SaysWhyAndBacksOff(t *testing.T) {
	t.Parallel()
	a := newAuthority(t, pebbleOptions{})
	c := a.config()
	s := a.run(c, nil)
	a.web.lead() // the way to us is blocked: 404
	s.want([]string{"blocked.test"})
	s.await("it has failed", func() bool { return s.about("blocked.test").Failures == 1 && !s.about("blocked.test").Ordering })
	got := s.about("blocked.test")
	if !strings.Contains(got.Error, "blocked.test: ") || !strings.Contains(got.Error, "404") && !strings.Contains(got.Error, "did not match") {
		t.Errorf("the authority's words are missing: %q", got.Error)
	}
	if !got.NextTry.After(time.Now()) || got.Since.IsZero() {
		t.Errorf("no back-off: %+v", got)
	}
	for range 5 { // as reloads do
		s.settled([]string{"blocked.test"})
	}
	if n := s.orders.Load(); n != 1 {
		t.Errorf("%d orders, want 1", n)
	}
	s.stop()

	again := a.run(c, nil)
	again.settled([]string{"blocked.test"})
	if st := again.about("blocked.test"); st.Error != got.Error || st.Failures != 1 || !st.NextTry.Equal(got.NextTry) {
		t.Errorf("after a restart: %+v, want %+v", st, got)
	}
	if n := again.orders.Load(); n != 0 {
		t.Errorf("%d orders after a restart, want 0", n)
	}
}

func TestBadNames_HoldNobodyBack(t *testing.T) {
	t.Parallel()
	a := newAuthority(t, pebbleOptions{blocked: []string{"evil.test"}})
	s := a.run(a.config(), nil)
	s.want([]string{"good.test"}, []string{"local_host"}, []string{"evil.test"}, []string{"*.wild.test"}, []string{"port.test:8443"}, []string{"fine.test", "*wild"}, []string{""}, []string{"intranet"})
	s.awaitCertificate("good.test")
	s.awaitCertificate("fine.test")
	s.awaitCertificate("intranet") // an authority of one's own may sign it
	s.await("the authority has refused", func() bool { return s.about("evil.test").Failures == 1 })
	for name, want := range map[string]string{
		"local_host":     "no host name",
		"*.wild.test":    "needs dnschallenge",
		"port.test:8443": "no port",
		"*wild":          "first label only",
		"":               "empty",
		"evil.test":      "policy",
	} {
		if got := s.about(name); !strings.Contains(strings.ToLower(got.Error), want) {
			t.Errorf("%s: %q, want %q", name, got.Error, want)
		}
	}
	s.settled([]string{"good.test"})
	if st := s.about("local_host"); len(st.Names) != 0 {
		t.Errorf("what is not wanted any more is still shown: %+v", st)
	}
}

func TestRouterRemoved_WhileOrdering(t *testing.T) {
	t.Parallel()
	a := newAuthority(t, pebbleOptions{})
	s := a.run(a.config(), nil)
	held, free := make(chan struct{}, 100), make(chan struct{})
	a.web.hold(func(r *http.Request) {
		held <- struct{}{}
		<-free
	})
	s.want([]string{"gone.test"})
	<-held
	s.settled()
	close(free)
	s.awaitCertificate("gone.test")
	if st := s.about("gone.test"); st.Wanted || st.Error != "" {
		t.Errorf("status: %+v", st)
	}
	if files, _ := s.store.list(certificateFiles); len(files) != 1 {
		t.Errorf("stored: %v", files)
	}
}

func TestRestart_InTheMiddleOfAnOrder(t *testing.T) {
	t.Parallel()
	a := newAuthority(t, pebbleOptions{})
	c := a.config()
	s := a.run(c, nil)
	held, free := make(chan struct{}, 100), make(chan struct{})
	a.web.hold(func(*http.Request) {
		held <- struct{}{}
		<-free
	})
	s.want([]string{"restart.test"})
	<-held
	s.stop() // returns, although the authority waits for an answer
	close(free)
	again := a.run(c, nil)
	if st := again.about("restart.test"); st.Failures != 0 || st.Error != "" {
		t.Errorf("being stopped counts as a failure: %+v", st)
	}
	again.want([]string{"restart.test"})
	again.awaitCertificate("restart.test")
}

func TestCrashes_CountAsFailedOrders(t *testing.T) {
	t.Parallel()
	a := newAuthority(t, pebbleOptions{})
	c := a.config()
	s := a.resolver(c, nil)
	a.web.lead(s.Resolver)
	now := time.Now()
	for name, rec := range map[string]record{ // what a crash leaves behind
		"once.test":  {Names: []string{"once.test"}, Started: now},
		"often.test": {Names: []string{"often.test"}, Started: now, FailedAt: []time.Time{now.Add(-9 * time.Minute), now.Add(-6 * time.Minute), now.Add(-3 * time.Minute)}},
	} {
		if _, err := s.save(name, &rec); err != nil {
			t.Fatal(err)
		}
	}
	s.begin()
	s.want([]string{"often.test"}, []string{"once.test"})
	s.awaitCertificate("once.test")
	s.await("the hour's limit is kept", func() bool { return len(s.record("often.test").FailedAt) == 4 })
	s.settled([]string{"often.test"}, []string{"once.test"})
	if s.orders.Load() != 1 || s.about("often.test").Ordering {
		t.Error("a fifth order within an hour")
	}
}

func TestFail_NeverMoreThanFourOrdersInAnHour(t *testing.T) {
	t.Parallel()
	var rec record
	r := &Resolver{pace: normalPace()}
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	var times []time.Time
	for range 200 {
		now = latest(rec.NextTry, r.limit(rec.FailedAt), now)
		times = append(times, now)
		rec.fail(outcome{err: errors.New("no"), reached: true}, r.pace, now)
	}
	for i := 4; i < len(times); i++ {
		if d := times[i].Sub(times[i-4]); d < time.Hour {
			t.Fatalf("five orders within %s: %v", d, times[i-4:i+1])
		}
	}
	if first := times[1].Sub(times[0]); first < 50*time.Second || first > 70*time.Second {
		t.Errorf("the second try comes after %s", first)
	}
	if last := times[199].Sub(times[198]); last < 5*time.Hour || last > 7*time.Hour {
		t.Errorf("the last try comes after %s", last)
	}
	rec.fail(outcome{err: errors.New("no"), reached: true, after: 30 * time.Hour}, r.pace, now)
	if rec.NextTry.Before(now.Add(30 * time.Hour)) {
		t.Error("Retry-After is not kept")
	}
	var cut record
	for range 20 {
		cut.fail(outcome{err: errors.New("no route")}, r.pace, now)
	}
	if wait := cut.NextTry.Sub(now); wait > 20*time.Minute || len(cut.FailedAt) != 0 {
		t.Errorf("an outage of the authority: wait %s, %d failed orders", wait, len(cut.FailedAt))
	}
}

func TestFailures_CountForTheNameWhateverTheCertificate(t *testing.T) {
	t.Parallel()
	r := &Resolver{pace: normalPace(), entries: map[string]*entry{}}
	now := time.Now()
	for _, names := range [][]string{{"a.test", "b.test"}, {"a.test", "c.test"}} {
		e := &entry{key: keyOf(names), names: names, rec: record{FailedAt: []time.Time{now.Add(-30 * time.Minute), now.Add(-20 * time.Minute)}}}
		r.entries[e.key] = e
	}
	e := &entry{names: []string{"a.test"}, wanted: true}
	if at, ok := r.dueAt(e, r.holds()); !ok || !at.After(now.Add(29*time.Minute)) {
		t.Errorf("due at %s, want in half an hour", at)
	}
	other := &entry{names: []string{"b.test"}, wanted: true}
	if at, ok := r.dueAt(other, r.holds()); !ok || at.After(now) {
		t.Errorf("due at %s, want now", at)
	}
}

func TestRateLimited_WaitsAsLongAsTheAuthoritySays(t *testing.T) {
	t.Parallel()
	a := newAuthority(t, pebbleOptions{})
	s := a.resolver(a.config(), nil)
	s.base = refusing{base: s.base, path: "/order-plz", status: 429, after: "90000", asked: &atomic.Int64{}, says: always("too many certificates already issued")}
	s.pace.first = time.Second
	s.begin()
	s.want([]string{"limited.test"})
	s.await("it is refused", func() bool { return s.about("limited.test").Failures == 1 })
	st := s.about("limited.test")
	if st.Error != "too many certificates already issued (rateLimited)" || st.NextTry.Before(time.Now().Add(24*time.Hour)) {
		t.Errorf("status: %+v", st)
	}
}

func TestAccount_ThatTheAuthorityHasForgotten(t *testing.T) {
	t.Parallel()
	a := newAuthority(t, pebbleOptions{})
	s := a.run(a.config(), nil)
	s.want([]string{"one.test"})
	s.awaitCertificate("one.test")
	a.start() // with an empty memory
	s.want([]string{"one.test"}, []string{"two.test"})
	s.awaitCertificate("two.test")
}

func TestAuthorityChanged_OrdersAnewAndServesMeanwhile(t *testing.T) {
	t.Parallel()
	staging, production := newAuthority(t, pebbleOptions{}), newAuthority(t, pebbleOptions{})
	c := staging.config()
	s := staging.run(c, nil)
	s.want([]string{"moved.test"})
	first := s.awaitCertificate("moved.test").Leaf
	s.stop()

	c.CAServer, c.CACertificates = production.dir, []string{production.roots}
	again := production.run(c, nil)
	if got := again.Certificate("moved.test"); got == nil || !got.Leaf.Equal(first) {
		t.Error("the old certificate does not serve meanwhile")
	}
	again.want([]string{"moved.test"})
	again.await("it is ordered anew", func() bool { return !again.Certificate("moved.test").Leaf.Equal(first) })
	file, err := again.account.file()
	if err != nil || len(file.Accounts) != 2 || file.Accounts[staging.dir].Key == file.Accounts[production.dir].Key {
		t.Errorf("accounts: %d, %v", len(file.Accounts), err)
	}
}
