package acme

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// refusing answers a path as an authority does whose limits are reached, and counts.
type refusing struct {
	base        http.RoundTripper
	path, after string
	says        func(body []byte) string // "" lets it pass
	status      int
	plain       bool // the answer is that of a machine in front of the authority
	asked       *atomic.Int64
}

func (f refusing) RoundTrip(r *http.Request) (*http.Response, error) {
	if !strings.HasPrefix(r.URL.Path, f.path) {
		return f.base.RoundTrip(r)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	f.asked.Add(1)
	says := f.says(body)
	if says == "" {
		r.Body = io.NopCloser(bytes.NewReader(body))
		return f.base.RoundTrip(r)
	}
	text, kind := `{"type":"urn:ietf:params:acme:error:rateLimited","detail":`+fmt.Sprintf("%q", says)+`,"status":429}`, "application/problem+json"
	if f.plain {
		text, kind = "<html>"+says, "text/html"
	}
	header := http.Header{"Content-Type": {kind}}
	if f.after != "" {
		header.Set("Retry-After", f.after)
	}
	return &http.Response{StatusCode: f.status, Status: http.StatusText(f.status), Request: r, Header: header, Body: io.NopCloser(strings.NewReader(text))}, nil
}

func always(text string) func([]byte) string { return func([]byte) string { return text } }

// hostsOf are n names, each of its own domain, and lists of one of them.
func hostsOf(n int) (lists [][]string) {
	for i := range n {
		lists = append(lists, []string{fmt.Sprintf("www.n%d.test", i)})
	}
	return lists
}

func TestRateLimited_TheWholeAccountWaits(t *testing.T) {
	t.Parallel()
	a := newAuthority(t, pebbleOptions{})
	for name, f := range map[string]refusing{
		"order":    {path: "/order-plz", says: always("too many new orders (300) from this account in the last 3h0m0s"), status: 429, after: "90000"},
		"account":  {path: "/sign-me-up", says: always("too many new registrations (10) from this IP address"), status: 429, after: "90000"},
		"overload": {path: "/order-plz", says: always("busy"), status: 503, after: "90000", plain: true},
		"no time":  {path: "/order-plz", says: always("too many new orders"), status: 429},
	} {
		t.Run(name, func(t *testing.T) {
			f.asked = &atomic.Int64{}
			c := a.config()
			s := a.resolver(c, nil)
			f.base = s.base
			s.base = f
			s.pace.first = time.Millisecond // by itself each would be tried again at once
			s.pace.most = time.Millisecond
			lists := hostsOf(60)
			s.begin()
			s.want(lists...)
			s.await("all know it", func() bool {
				return !slices.ContainsFunc(lists, func(names []string) bool { return !waits(s.about(names[0]), f) })
			})
			s.settled(lists...)
			asked := f.asked.Load()
			if asked < 1 || asked > workers {
				t.Errorf("%d requests, want a handful", asked)
			}
			if n := strings.Count(s.log.String(), "level=warning msg=\"A limit of the authority is reached, so nothing is ordered until"); n != 1 {
				t.Errorf("%d lines in the log, want 1", n)
			}
			if strings.Contains(s.log.String(), "level=warning msg=\"No certificate:") {
				t.Error("each certificate has a line in the log")
			}
			s.stop()

			again := a.resolver(c, nil)
			f.base, f.asked = again.base, &atomic.Int64{}
			again.base = f
			again.begin()
			again.want(lists...)
			again.await("all know it after a restart", func() bool {
				return !slices.ContainsFunc(lists, func(names []string) bool { return !waits(again.about(names[0]), f) })
			})
			if f.asked.Load() != 0 {
				t.Errorf("%d requests after a restart", f.asked.Load())
			}
		})
	}
}

// waits tells whether the words of the refusal are shown, and how long it lasts.
func waits(st Status, f refusing) bool {
	least := 10 * time.Minute
	if f.after != "" {
		least = 24 * time.Hour
	}
	says := f.says(nil)
	return !st.Ordering && (strings.Contains(st.Error, says) || f.plain && st.Error != "") && !st.Since.IsZero() && st.NextTry.After(time.Now().Add(least))
}

func TestRateLimited_OneDomainHoldsNoOtherBack(t *testing.T) {
	t.Parallel()
	a := newAuthority(t, pebbleOptions{})
	s := a.resolver(a.config(), nil)
	a.web.lead(s.Resolver)
	asked := &atomic.Int64{}
	// The payload is Base64, the name is found by who asks: the first orders are refused.
	s.base = refusing{base: s.base, path: "/order-plz", status: 429, after: "90000", asked: asked, says: func([]byte) string {
		if asked.Load() == 1 {
			return `too many certificates (50) already issued for "limited.test" in the last 168h0m0s: see https://letsencrypt.org/docs/`
		}
		return ""
	}}
	s.begin()
	s.want([]string{"a.limited.test"})
	s.await("it is refused", func() bool { return s.about("a.limited.test").Failures == 1 && !s.about("a.limited.test").Ordering })
	s.want([]string{"a.limited.test"}, []string{"b.limited.test"}, []string{"limited.test"}, []string{"other.test"})
	s.awaitCertificate("other.test")
	s.await("its neighbours wait", func() bool {
		return strings.Contains(s.about("b.limited.test").Error, "already issued") && strings.Contains(s.about("limited.test").Error, "already issued")
	})
	if s.record("b.limited.test").Failures != 0 {
		t.Error("the neighbour was ordered")
	}
	if !strings.Contains(s.log.String(), "so nothing is ordered for limited.test until") {
		t.Error("the log does not name the domain")
	}
}

func TestPause_WhomItConcerns(t *testing.T) {
	t.Parallel()
	r := &Resolver{cfg: Config{CAServer: defaultCA}}
	for _, tt := range []struct {
		names []string
		text  string
		all   bool
		of    []string
	}{
		{[]string{"a.example.com"}, "too many new orders (300) from this account in the last 3h0m0s, retry after 2030-01-01 00:00:00 UTC: see https://letsencrypt.org/docs/rate-limits/#x", true, nil},
		{[]string{"a.letsencrypt.org"}, "Service busy; see https://letsencrypt.org/docs/", true, nil},
		{[]string{"a.example.com"}, "too many certificates (5) already issued for this exact set of identifiers in the last 168h0m0s", false, nil},
		{[]string{"a.example.com"}, `too many certificates (50) already issued for "example.com" in the last 168h0m0s`, false, []string{".example.com"}},
		{[]string{"example.com"}, `too many certificates (50) already issued for "example.com".`, false, []string{".example.com"}},
		{[]string{"www.example.com", "example.com"}, `too many failed authorizations (5) for "example.com" in the last 1h0m0s`, false, []string{"*.example.com", "example.com"}},
		{[]string{"*.example.com"}, `too many failed authorizations (5) for "example.com" in the last 1h0m0s`, false, []string{"*.example.com", "example.com"}},
		{[]string{"a.example.com", "b.example.com"}, "Your account is temporarily prevented from requesting certificates for a.example.com. Please visit: https://portal.letsencrypt.org/x", false, []string{"*.a.example.com", "a.example.com"}},
		{[]string{"192.0.2.1"}, "too many failed authorizations (5) for 192.0.2.1: wait", false, []string{"*.192.0.2.1", "192.0.2.1"}},
		{[]string{"a.com"}, "too many certificates issued for .com", true, nil},
	} {
		p := r.pauseFor(&problem{kind: "rateLimited", text: tt.text}, tt.names, nil)
		if p == nil {
			if tt.all || tt.of != nil {
				t.Errorf("%q: holds nobody else back", tt.text)
			}
			continue
		}
		if slices.Equal(p.For, tt.of) == false || tt.all != p.concerns([]string{"unrelated.test"}) {
			t.Errorf("%q: is about %v, all %v", tt.text, p.For, p.concerns([]string{"unrelated.test"}))
		}
	}
	below := pause{For: []string{".example.com"}}
	for name, want := range map[string]bool{"example.com": true, "a.example.com": true, "*.example.com": true, "notexample.com": false, "com": false} {
		if below.concerns([]string{name}) != want {
			t.Errorf("%s: %v", name, !want)
		}
	}
	if r.pauseFor(&problem{kind: "rejectedIdentifier"}, nil, &bound{after: time.Hour}) != nil || r.pauseFor(errors.New("no route"), nil, nil) != nil {
		t.Error("any refusal holds others back")
	}
}

func TestPause_OfAnotherAuthorityIsOver(t *testing.T) {
	t.Parallel()
	now := time.Now()
	r := &Resolver{pace: normalPace(), cfg: Config{CAServer: defaultCA}, entries: map[string]*entry{}}
	add := func(name, ca string, until time.Time) {
		r.entries[name] = &entry{names: []string{name}, rec: record{Pause: &pause{CAServer: ca, Until: until}}}
	}
	add("a.test", stagingCA, now.Add(time.Hour))
	add("b.test", defaultCA, now.Add(-time.Second))
	held := r.holds()
	if p := held.pause([]string{"c.test"}); p != nil {
		t.Errorf("held back: %+v", p)
	}
	add("c.test", defaultCA, now.Add(time.Minute))
	add("d.test", defaultCA, now.Add(time.Hour))
	held = r.holds()
	if p := held.pause([]string{"e.test"}); p == nil || !p.Until.Equal(now.Add(time.Hour)) {
		t.Errorf("held back: %+v", p)
	}
}

func TestOnDemand_KeepsTheLimitOfTheAccount(t *testing.T) {
	t.Parallel()
	a := newAuthority(t, pebbleOptions{})
	c := a.config()
	url, _, _ := askServer(t)
	c.OnDemand = &OnDemand{Ask: url}
	s := a.resolver(c, nil)
	asked := &atomic.Int64{}
	s.base = refusing{base: s.base, path: "/order-plz", status: 429, after: "90000", asked: asked, says: always("too many new orders")}
	s.begin()
	s.settled()
	for i := range 5 {
		_, err := s.OnDemand(&tls.ClientHelloInfo{ServerName: fmt.Sprintf("n%d.allowed.test", i)})
		if err == nil || !strings.Contains(err.Error(), "too many new orders") {
			t.Errorf("%d: %v", i, err)
		}
	}
	if n := asked.Load(); n != 1 {
		t.Errorf("%d orders, want 1", n)
	}
}

// A fairway that is started again and again orders as little as one that crashes.
func TestRestarts_CountAsOrders(t *testing.T) {
	t.Parallel()
	a := newAuthority(t, pebbleOptions{})
	c := a.config()
	free := make(chan struct{})
	a.web.hold(func(*http.Request) { <-free })
	defer close(free)
	orders := int64(0)
	for range normalPace().perHour {
		s := a.run(c, nil)
		s.want([]string{"again.test"})
		s.await("it is ordered", func() bool { return s.orders.Load() == 1 })
		s.stop()
		orders += s.orders.Load()
		if rec := s.record("again.test"); rec.Failures != 0 || !rec.NextTry.IsZero() || rec.Error != "" {
			t.Errorf("being stopped is a back-off: %+v", rec)
		}
	}
	s := a.run(c, nil)
	s.want([]string{"again.test"})
	s.await("it waits, and says so", func() bool {
		st := s.about("again.test")
		return strings.Contains(st.Error, "no more of them in an hour") && st.NextTry.After(time.Now().Add(50*time.Minute))
	})
	if s.orders.Load() != 0 || orders != int64(normalPace().perHour) {
		t.Errorf("%d orders, then %d", orders, s.orders.Load())
	}
}

func TestStopped_BeforeAnythingWasOrdered(t *testing.T) {
	t.Parallel()
	r := &Resolver{pace: normalPace(), cfg: Config{CAServer: defaultCA}, store: &storage{dir: t.TempDir()}, entries: map[string]*entry{}, log: quiet()}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	e := &entry{key: "a.test", file: "a.test", names: []string{"a.test"}}
	r.entries[e.key] = e
	rec := record{Names: e.names, Started: time.Now()}
	r.finish(ctx, e, rec, nil, outcome{err: ctx.Err()})
	if len(e.rec.FailedAt) != 0 || !e.rec.Started.IsZero() {
		t.Errorf("what was not placed counts: %+v", e.rec)
	}
	r.finish(ctx, e, rec, nil, outcome{err: ctx.Err(), reached: true})
	if len(e.rec.FailedAt) != 1 || e.rec.Failures != 0 || !e.rec.NextTry.IsZero() {
		t.Errorf("what was placed does not count, or backs off: %+v", e.rec)
	}
}
