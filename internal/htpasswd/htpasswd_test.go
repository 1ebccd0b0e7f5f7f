package htpasswd

import (
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

func TestVerifier_SharesOneComputation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked, accepted atomic.Int32
		v := NewVerifier(Users{"ann": slowHash{&asked}})
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				if v.Verify("ann", "right") {
					accepted.Add(1)
				}
			})
		}
		wg.Go(func() {
			if v.Verify("ann", "wrong") {
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
		v := NewVerifier(Users{"ann": slowHash{&asked}, "bob": slowHash{&asked}})
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
			if ok := v.Verify(step.user, step.password); ok != step.ok || asked.Load() != step.asked {
				t.Errorf("%s %s: got %v, %d computations", step.user, step.password, ok, asked.Load())
			}
		}
		time.Sleep(keepFor)
		if v.Verify("ann", "right"); asked.Load() != 6 {
			t.Error("it is known for longer")
		}
	})
}

func TestVerifier_UnknownUserCostsAsMuchAsAWrongPassword(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int32
		v := NewVerifier(Users{"ann": slowHash{&asked}, "bob": sha1Hash{}})
		start := time.Now()
		if v.Verify("nobody", "right") {
			t.Error("an unknown user was accepted")
		}
		if took := time.Since(start); asked.Load() != 1 || took != time.Second {
			t.Errorf("got %d computations in %v", asked.Load(), took)
		}
	})
}

func TestVerifier_RefusesEndlessPasswords(t *testing.T) {
	var asked atomic.Int32
	v := NewVerifier(Users{"ann": slowHash{&asked}})
	if v.Verify("ann", strings.Repeat("x", maxPassword+1)) || asked.Load() != 0 {
		t.Error("an endless password was hashed")
	}
	if NewVerifier(Users{}).Verify("ann", "") {
		t.Error("nobody may come in")
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
