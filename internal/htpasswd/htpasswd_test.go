package htpasswd

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestHash_MatchesOnlyItsPassword(t *testing.T) {
	const long = "a longer password than sixteen bytes, ünïcode"
	tests := map[string]struct{ line, password string }{
		"bcrypt 2a":         {"u:$2a$04$lEpHfgfYs3FqA5hSWjWb.exznueUzqSFQ50I1.5qUjPqKKjZ.x/EG", "secret"},
		"bcrypt 2y":         {"u:$2y$04$zFu2gBhSF4RBS4dHRwwfC.SOZ2ZUEbcBDGDOFLC23CobKoCR9jVES", "test"},
		"apr1":              {"u:$apr1$xxxxxxxx$RKMOWWMKN4Ts9r6E5noqv0", "myPassword"},
		"apr1 empty":        {"u:$apr1$xxxxxxxx$AL/DOdqyMUurcg0cPNW/P1", ""},
		"apr1 one letter":   {"u:$apr1$xxxxxxxx$YMs3Jkp9Zx7lSxpQ9nJyH1", "a"},
		"apr1 long":         {"u:$apr1$xxxxxxxx$JyDfzE7USwhJRMcY1EzUl/", long},
		"apr1 short salt":   {"u:$apr1$ab$jiiV6N7hIIuIoJbc1hxOE/", "secret"},
		"md5 crypt":         {"u:$1$xxxxxxxx$W0tb3y3PlvSzG5627dWWh/", "myPassword"},
		"md5 crypt long":    {"u:$1$xxxxxxxx$gkfdT5JXLIV6.bi3DtsFT.", long},
		"sha":               {"u:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=", "secret"},
		"blanks around it":  {"  u:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\r\n", "secret"},
		"name with letters": {"ü ber@example.com:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=", "secret"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			users := Users{}
			if err := users.Add(tt.line); err != nil {
				t.Fatal(err)
			}
			for _, h := range users {
				if !h.Matches(tt.password) {
					t.Error("the right password does not match")
				}
				if h.Matches(tt.password + "x") {
					t.Error("a wrong password matches")
				}
			}
		})
	}
}

func TestAdd_RefusesWithoutShowingTheLine(t *testing.T) {
	tests := map[string]string{
		"plain text":       "user:hunter2hunter2",
		"no hash":          "hunter2hunter2",
		"no name":          ":hunter2hunter2",
		"short bcrypt":     "user:$2y$05$hunter2hunter2",
		"halved dollars":   "user:apr1hunter2hunter2",
		"apr1 without sum": "user:$apr1$hunter2hunter2",
		"sha of wrong len": "user:{SHA}aHVudGVyMmh1bnRlcjI=",
		"sha no base64":    "user:{SHA}hunter2hunter2",
	}
	for name, line := range tests {
		t.Run(name, func(t *testing.T) {
			err := Users{}.Add(line)
			if err == nil {
				t.Fatal("accepted")
			}
			if strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "aHVud") {
				t.Errorf("the error shows the hash: %v", err)
			}
		})
	}
}

func TestRead_SkipsCommentsAndNamesTheLine(t *testing.T) {
	users := Users{}
	good := "# staff\n\nann:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n"
	if err := users.Read(strings.NewReader(good)); err != nil || len(users) != 1 {
		t.Fatalf("got %d users, error %v", len(users), err)
	}
	err := users.Read(strings.NewReader(good + "bob:clear\n"))
	if err == nil || !strings.HasPrefix(err.Error(), "line 4: ") {
		t.Errorf("got %v, want an error of line 4", err)
	}
}

// slowHash takes a while and counts how often it was asked.
type slowHash struct{ asked *atomic.Int32 }

func (h slowHash) Matches(password string) bool {
	h.asked.Add(1)
	time.Sleep(time.Second)
	return password == "right"
}

func (slowHash) Cost() int { return 9 }

// verifier returns one with turns of its own.
func verifier(users Users, atOnce int) *Verifier {
	v := NewVerifier(users)
	v.turns = make(chan struct{}, atOnce)
	return v
}

func verify(t *testing.T, v *Verifier, user, password string) bool {
	t.Helper()
	ok, err := v.Verify(context.Background(), user, password)
	if err != nil {
		t.Error(err)
	}
	return ok
}

func TestVerifier_SharesOneComputation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked, accepted atomic.Int32
		v := verifier(Users{"ann": slowHash{&asked}}, 2)
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				if verify(t, v, "ann", "right") {
					accepted.Add(1)
				}
			})
		}
		wg.Go(func() {
			if verify(t, v, "ann", "wrong") {
				t.Error("a wrong password was accepted")
			}
		})
		wg.Wait()
		if asked.Load() != 2 || accepted.Load() != 50 {
			t.Errorf("got %d computations, %d accepted, want 2, 50", asked.Load(), accepted.Load())
		}
	})
}

func TestVerifier_KnowsForAMinuteWhatWasRight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int32
		v := verifier(Users{"ann": slowHash{&asked}, "bob": slowHash{&asked}}, 1)
		for _, step := range []struct {
			user, password string
			ok             bool
			asked          int32
		}{
			{"ann", "right", true, 1},
			{"ann", "right", true, 1},
			{"bob", "right", true, 2},
			{"ann", "wrong", false, 3},
			{"ann", "wrong", false, 4},
			{"nobody", "right", false, 5},
		} {
			if ok := verify(t, v, step.user, step.password); ok != step.ok || asked.Load() != step.asked {
				t.Errorf("%s %s: got %v, %d computations", step.user, step.password, ok, asked.Load())
			}
		}
		time.Sleep(keepFor)
		if verify(t, v, "ann", "right"); asked.Load() != 6 {
			t.Error("it is known for longer")
		}
	})
}

func TestVerifier_RefusesEndlessPasswords(t *testing.T) {
	var asked atomic.Int32
	v := NewVerifier(Users{"ann": slowHash{&asked}})
	if verify(t, v, "ann", strings.Repeat("x", maxPassword+1)) || asked.Load() != 0 {
		t.Error("an endless password was hashed")
	}
	if verify(t, NewVerifier(Users{}), "ann", "") {
		t.Error("nobody may come in")
	}
}

// countedHash is slow, and of a cost that is told; it notes how many compute at once.
type countedHash struct {
	cost         int
	now, most, n *atomic.Int32
}

func counted(cost int) countedHash {
	return countedHash{cost, new(atomic.Int32), new(atomic.Int32), new(atomic.Int32)}
}

func (h countedHash) Matches(password string) bool {
	h.n.Add(1)
	if now := h.now.Add(1); now > h.most.Load() {
		h.most.Store(now)
	}
	defer h.now.Add(-1)
	time.Sleep(time.Duration(h.cost) * time.Second)
	return password == "right"
}

func (h countedHash) Cost() int { return h.cost }

func TestVerifier_LeavesProcessorsToOthers(t *testing.T) {
	if got, want := cap(NewVerifier(Users{}).turns), max(1, runtime.GOMAXPROCS(0)/2); got != want {
		t.Errorf("%d computations may go on at once, want %d", got, want)
	}
	if one, other := NewVerifier(Users{}), NewVerifier(Users{}); one.turns != other.turns {
		t.Error("each Verifier has turns of its own")
	}
	synctest.Test(t, func(t *testing.T) {
		h := counted(4)
		v := verifier(Users{"ann": h}, 2)
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() { verify(t, v, "ann", strings.Repeat("x", i)) })
		}
		wg.Wait()
		if h.n.Load() != 20 || h.most.Load() != 2 {
			t.Errorf("%d computations, %d at once, want 20, 2", h.n.Load(), h.most.Load())
		}
	})
}

func TestVerifier_WhoWaitsMayGiveUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := counted(4)
		v := verifier(Users{"ann": h}, 1)
		var wg sync.WaitGroup
		wg.Go(func() { verify(t, v, "ann", "guess") }) // has the only turn for 4 seconds
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		wg.Go(func() {
			if ok, err := v.Verify(ctx, "ann", "right"); ok || !errors.Is(err, context.Canceled) {
				t.Errorf("who gives up: got %v, %v", ok, err)
			}
		})
		synctest.Wait()
		wg.Go(func() { // shares the computation of the one who gives up
			if !verify(t, v, "ann", "right") {
				t.Error("somebody else has given up, and the right password is a wrong one")
			}
		})
		short, end := context.WithTimeout(t.Context(), time.Second)
		defer end()
		wg.Go(func() {
			if ok, err := v.Verify(short, "ann", "right"); ok || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("whose time is over: got %v, %v", ok, err)
			}
		})
		synctest.Wait()
		cancel()
		wg.Wait()
		if h.n.Load() != 2 {
			t.Errorf("%d computations, want 2", h.n.Load())
		}
		if !verify(t, v, "ann", "right") || h.n.Load() != 2 {
			t.Error("the right password is computed again")
		}
	})
}

func TestVerifier_CheapHashesDoNotQueue(t *testing.T) {
	v := verifier(Users{"ann": sha1Hash{}}, 1)
	v.turns <- struct{}{} // and nobody gives it back
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for _, user := range []string{"ann", "nobody"} {
		if ok, err := v.Verify(gone, user, "guess"); ok || err != nil {
			t.Errorf("%s: got %v, %v", user, ok, err)
		}
	}
}

func TestVerifier_EveryRefusalTakesAsLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := verifier(Users{"sha": counted(1), "md5": counted(2), "bcrypt": counted(5), "other": counted(7), "another": counted(7)}, 1)
		for _, user := range []string{"sha", "md5", "bcrypt", "other", "another", "nobody"} {
			start := time.Now()
			if verify(t, v, user, "wrong") {
				t.Errorf("%s: accepted", user)
			}
			if took := time.Since(start); took != 15*time.Second {
				t.Errorf("%s: took %v, want 15s", user, took)
			}
		}
		start := time.Now()
		if !verify(t, v, "bcrypt", "right") || time.Since(start) != 5*time.Second {
			t.Errorf("the right password took %v", time.Since(start))
		}
	})
}

func TestAdd_TellsWhereADollarIsWrittenTwice(t *testing.T) {
	for line, want := range map[string]string{
		"ann:$$2y$$05$$hunter2": `the hash begins with "$$": each $ is written once here, and twice in compose files only`,
		"ann:$$apr1$$hunter2":   `the hash begins with "$$": each $ is written once here, and twice in compose files only`,
		"ann:apr1hunter2":       "the hash is of no known kind (bcrypt, MD5-crypt, {SHA}); in a compose file every $ is written twice",
	} {
		if err := (Users{}).Add(line); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func FuzzAdd(f *testing.F) {
	for _, line := range []string{
		"", ":", "a:", "a:b", "a:$apr1$xxxxxxxx$RKMOWWMKN4Ts9r6E5noqv0", "a:$1$$", "a:$1$a$bbbbbbbbbbbbbbbbbbbbbb",
		"a:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=", "a:$2a$04$lEpHfgfYs3FqA5hSWjWb.exznueUzqSFQ50I1.5qUjPqKKjZ.x/EG",
		"a:$2", "a:$2a$99$lEpHfgfYs3FqA5hSWjWb.exznueUzqSFQ50I1.5qUjPqKKjZ.x/EG",
	} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		users := Users{}
		if err := users.Add(line); err != nil {
			_, hash, found := strings.Cut(line, ":")
			if hash = strings.TrimSpace(hash); found && len(hash) > 40 && strings.Contains(err.Error(), hash) {
				t.Fatalf("the error shows the hash: %v", err)
			}
			return
		}
		for name, h := range users {
			if strings.Contains(name, ":") {
				t.Fatalf("the name %q has a colon", name)
			}
			if h.Cost() < 4 { // bcrypt is left alone: its cost is up to the fuzzer
				h.Matches("password")
			}
		}
	})
}
