package balance

import (
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestRoundRobin_SharesFollowTheWeights(t *testing.T) {
	tests := map[string][]int{
		"small":          {1, 2, 3},
		"large and odd":  {100_003, 50_001, 7},
		"beyond an int":  {math.MaxInt, math.MaxInt - 1, math.MaxInt - 2},
		"one huge":       {math.MaxInt, 1},
		"all zero":       {0, 0},
		"none":           {},
		"zero among odd": {0, 9973, 0, 9967},
	}
	for name, weights := range tests {
		t.Run(name, func(t *testing.T) {
			all := make([]Candidate[*int], len(weights))
			total := 0.0
			for i, w := range weights {
				all[i] = Candidate[*int]{Value: new(int), Weight: w}
				total += float64(w)
			}
			r := NewRoundRobin(all)
			if len(r.sequence) > longestSequence+len(weights) {
				t.Fatalf("the sequence has %d places", len(r.sequence))
			}
			if total == 0 {
				if _, ok := r.Next(nil); ok {
					t.Error("got one, want none")
				}
				return
			}
			got := map[*int]float64{}
			for range len(r.sequence) {
				c, _ := r.Next(nil)
				got[c]++
			}
			for i, c := range all {
				share, want := got[c.Value]/float64(len(r.sequence)), float64(weights[i])/total
				if math.Abs(share-want) > 0.01 || weights[i] > 0 && share == 0 {
					t.Errorf("server %d: got a share of %.3f, want %.3f", i, share, want)
				}
			}
		})
	}
}

// within checks that each of n choices fell to its candidate by its weight, give or
// take 2 percent of all.
func within(t *testing.T, got map[string]int, all []Candidate[string]) {
	t.Helper()
	n, total := 0, 0
	for _, count := range got {
		n += count
	}
	for _, c := range all {
		total += max(c.Weight, 0)
	}
	for _, c := range all {
		share, want := float64(got[c.Value])/float64(n), float64(max(c.Weight, 0))/float64(total)
		if math.Abs(share-want) > 0.02 {
			t.Errorf("%s got %.3f of all, want %.3f", c.Value, share, want)
		}
	}
}

var four = []Candidate[string]{
	{Value: "a", Weight: 1, Key: "a"}, {Value: "b", Weight: 2, Key: "b"}, {Value: "c", Weight: 5, Key: "c"}, {Value: "d", Key: "d"},
}

func TestRandom_SharesFollowTheWeights(t *testing.T) {
	r := NewRandom(four)
	got, without := map[string]int{}, map[string]int{}
	for range 20_000 {
		c, _ := r.Next(nil)
		got[c]++
		c, _ = r.Next([]string{"c"})
		without[c]++
	}
	within(t, got, four)
	within(t, without, four[:2])
	if _, ok := r.Next([]string{"a", "b", "c"}); ok {
		t.Error("one of weight 0 was chosen")
	}
	if _, ok := NewRandom[string](nil).Next(nil); ok {
		t.Error("one of none was chosen")
	}
}

func TestRendezvous_SharesFollowTheWeights(t *testing.T) {
	r := NewRendezvous(four)
	got := map[string]int{}
	for i := range 20_000 {
		c, _ := r.Next(fmt.Sprintf("10.1.%d.%d", i/250, i%250), nil)
		got[c]++
	}
	within(t, got, four)
}

func TestRendezvous_MovesOnlyTheKeysOfWhatIsGone(t *testing.T) {
	before, after := NewRendezvous(four), NewRendezvous(four[1:])
	for i := range 1000 {
		key := fmt.Sprint("client ", i)
		old, _ := before.Next(key, nil)
		now, _ := after.Next(key, nil)
		if old != "a" && now != old {
			t.Fatalf("%s moved from %s to %s", key, old, now)
		}
		if skipped, _ := before.Next(key, []string{"a"}); skipped != now {
			t.Fatalf("%s: got %s without a, want %s", key, skipped, now)
		}
	}
}

func TestRoundRobin_LeavesOutWhatWasTried(t *testing.T) {
	r := NewRoundRobin(four)
	for range 20 {
		if c, ok := r.Next([]string{"a", "c"}); !ok || c != "b" {
			t.Fatalf("got %q, %v", c, ok)
		}
	}
	if c, ok := r.Next([]string{"a", "b", "c"}); ok {
		t.Errorf("got %q", c)
	}
}

// Names and values are those that clients of Traefik have in their cookies.
func TestStickiness_SpeaksAsTraefikDoes(t *testing.T) {
	s := &Sticky{}
	s.SetDefaults()
	k, err := s.New("whoami@docker")
	if err != nil {
		t.Fatal(err)
	}
	h := http.Header{"Set-Cookie": {"session=1"}}
	fresh := httptest.NewRequest(http.MethodGet, "/", nil)
	k.Give(h, fresh, "first")
	k.Give(h, fresh, Mark("http://10.0.0.2:80"))
	name := cookieName("", "whoami@docker")
	want := fmt.Sprint([]string{"session=1", name + "=" + Mark("http://10.0.0.2:80") + "; Path=/"})
	if got := fmt.Sprint(h["Set-Cookie"]); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if len(name) != 6 || name[0] != '_' || len(Mark("x")) != 16 {
		t.Errorf("name %q, value %q", name, Mark("x"))
	}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	if got := k.Of(r); got != "" {
		t.Errorf("got %q without a cookie", got)
	}
	r.AddCookie(&http.Cookie{Name: name, Value: "abc"})
	if got := k.Of(r); got != "abc" {
		t.Errorf("got %q", got)
	}
}

func TestSticky_Options(t *testing.T) {
	s := &Sticky{Cookie: &Cookie{Name: "my cookie=", Secure: true, HTTPOnly: true, SameSite: "Lax", MaxAge: 60, Path: "/a", Domain: "example.test"}}
	k, err := s.New("x")
	if err != nil {
		t.Fatal(err)
	}
	h := http.Header{}
	k.Give(h, httptest.NewRequest(http.MethodGet, "/", nil), "v")
	if got, want := h.Get("Set-Cookie"), "my_cookie_=v; Path=/a; Domain=example.test; Max-Age=60; HttpOnly; Secure; SameSite=Lax"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if _, err := (&Sticky{Cookie: &Cookie{SameSite: "strickt"}}).New("x"); err == nil || err.Error() != `sticky.cookie.sameSite: "strickt" is none of none, lax and strict; did you mean "strict"?` {
		t.Errorf("got error %v", err)
	}
	if _, err := (&Sticky{Cookie: &Cookie{Path: "/;x"}}).New("x"); err == nil {
		t.Error("a path that no cookie can have was taken")
	}
	if k, err := (*Sticky)(nil).New("x"); k != nil || err != nil {
		t.Errorf("got %v, %v for nothing", k, err)
	}
}
