package limit

import (
	"context"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/traefik/paerser/types"

	"fairway/internal/redisclient"
	"fairway/internal/redistest"
)

// trace is a sequence of pauses and costs, the same for the same seed.
type trace struct{ *rand.Rand }

func newTrace(seed uint64) trace { return trace{rand.New(rand.NewPCG(seed, seed))} }

// pause is mostly short, sometimes none, and rarely long; in whole milliseconds.
func (t trace) pause(most time.Duration) time.Duration {
	switch t.IntN(10) {
	case 0:
		return most * time.Duration(t.IntN(8))
	case 1, 2, 3:
		return 0
	}
	return time.Duration(t.Int64N(int64(most/time.Millisecond)+1)) * time.Millisecond
}

// step is one of a trace: what was asked, and what the answer was.
type step struct {
	pause  time.Duration
	n      int64
	forced bool
	rule   int
	at     int64 // in microseconds
	want   Decision
}

func storeAt(t testing.TB, address ...string) *store {
	t.Helper()
	c := &redisclient.Config{Endpoints: address, Password: redistest.Password}
	client, err := c.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return &store{client: client, prefix: "test:"}
}

// TestScripts_DecideAsTables has the same trace be decided by both. Times are those of the trace.
func TestScripts_DecideAsTables(t *testing.T) {
	s := redistest.New(t)
	const long = 1000 * time.Second // how long keys live is reckoned by the real clock of the server, which stays far behind
	for name, rules := range map[string][]*Rule{
		"bucket": {Bucket(10, long, 5)}, "slow bucket": {Bucket(1, 10*long, 3)}, "no burst": {Bucket(100, long, 1)},
		"window": {Sliding(20, 4*long)}, "small window": {Sliding(3, 32*long)},
		"changing": {Bucket(10, long, 5), Bucket(5, long, 10)},
	} {
		t.Run(name, func(t *testing.T) {
			steps := decided(t, rules)
			st := storeAt(t, s.Address)
			st.prefix += name
			refused := 0
			for i, step := range steps {
				st.now = func() string { return strconv.FormatInt(step.at, 10) }
				got, err := st.take(t.Context(), Source{1}, rules[step.rule], step.n, step.forced)
				if err != nil {
					t.Fatal(err)
				}
				if step.forced {
					continue
				}
				if !step.want.OK {
					refused++
				}
				if got.OK != step.want.OK || got.Left != step.want.Left || far(got.Wait, step.want.Wait) || far(got.Reset, step.want.Reset) {
					t.Fatalf("step %d, %+v: redis says %+v", i, step, got)
				}
			}
			if refused < len(steps)/20 || refused > len(steps)*19/20 {
				t.Errorf("%d of %d are refused: the trace shows little", refused, len(steps))
			}
		})
	}
}

func far(a, b time.Duration) bool { return (a - b).Abs() > 2*time.Microsecond }

// decided is a trace with the decisions of a table.
func decided(t *testing.T, rules []*Rule) (steps []step) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		table, random := NewTable(MostSources), newTrace(1)
		now := 0
		for range 3000 {
			if len(rules) > 1 && random.IntN(50) == 0 {
				now = 1 - now
			}
			s := step{pause: random.pause(rules[0].window / 10), n: 1 + random.Int64N(3), rule: now}
			if random.IntN(20) == 0 {
				s.forced, s.n = true, random.Int64N(5)-2
			}
			time.Sleep(s.pause) // on the clock of the bubble
			s.at = time.Now().UnixMicro()
			if s.forced {
				table.Add(Source{1}, rules[now], s.n)
			} else {
				s.want = table.Take(Source{1}, rules[now], s.n)
			}
			steps = append(steps, s)
		}
	})
	return steps
}

func TestScripts_ParallelClientsGetNoMoreThanThereIs(t *testing.T) {
	s := redistest.New(t)
	nodes := redistest.NewCluster(t, 3)
	for where, address := range map[string][]string{"one server": {s.Address}, "cluster": {nodes[0].Address, nodes[1].Address}} {
		for name, r := range map[string]*Rule{"bucket": Bucket(100, time.Hour, 100), "window": Sliding(100, time.Hour), "calendar": Calendar(100, Month, time.UTC)} {
			t.Run(where+", "+name, func(t *testing.T) {
				var passed atomic.Int64
				var all sync.WaitGroup
				stores := []*store{storeAt(t, address...), storeAt(t, address...)} // two gateways
				for i := range 64 {
					all.Go(func() {
						for range 10 {
							d, err := stores[i%2].take(context.WithoutCancel(t.Context()), number(7), r, 1, false)
							if err != nil {
								t.Error(err)
								return
							}
							if d.OK {
								passed.Add(1)
							}
						}
					})
				}
				all.Wait()
				if n := passed.Load(); n != 100 {
					t.Errorf("%d pass, want 100", n)
				}
			})
		}
	}
}

func TestScripts_CalendarIsThatOfTables(t *testing.T) {
	s := redistest.New(t)
	st, table, r := storeAt(t, s.Address), NewTable(MostSources), Calendar(3, Month, time.UTC)
	for i := range 5 {
		want := table.Take(Source{}, r, 1)
		got, err := st.take(t.Context(), Source{}, r, 1, false)
		if err != nil || got.OK != want.OK || got.Left != want.Left || (got.Reset-want.Reset).Abs() > time.Minute || (got.Wait-want.Wait).Abs() > time.Minute {
			t.Errorf("%d: got %+v, %v, want %+v", i, got, err, want)
		}
	}
}

// TestScripts_UseTheClockOfTheServer forgets by itself what is over.
func TestScripts_UseTheClockOfTheServer(t *testing.T) {
	s := redistest.New(t)
	st := storeAt(t, s.Address)
	for name, r := range map[string]*Rule{"bucket": Bucket(2, 100*time.Millisecond, 2), "window": Sliding(2, 100*time.Millisecond)} {
		take := func() bool {
			d, err := st.take(t.Context(), Source{}, r, 1, false)
			if err != nil {
				t.Fatal(err)
			}
			return d.OK
		}
		for range 2 {
			if !take() {
				t.Errorf("%s: one of the first two is refused", name)
			}
		}
		redistest.Await(t, "there to be some again", take)
	}
	redistest.Await(t, "all to be forgotten", func() bool { return s.Do("DBSIZE").(int64) == 0 })
}

// TestShared_FollowsTheMaster counts on when a replica has taken over.
func TestShared_FollowsTheMaster(t *testing.T) {
	master, _, sentinels := redistest.NewSentinels(t)
	c := &Redis{}
	c.SetDefaults()
	c.Endpoints, c.Password, c.Sentinel = sentinels, redistest.Password, &redisclient.Sentinel{MasterName: "main", Password: redistest.SentinelPassword}
	c.WhenAway, c.Timeout = whenClosed, types.Duration(10*time.Second)
	log, _ := quiet(t)
	k := NewKept()
	s, err := k.Open(t.Context(), c, "test", log)
	if err != nil {
		t.Fatal(err)
	}
	r := Calendar(10, Month, time.UTC)
	for range 4 {
		if d, ok := s.take(t.Context(), Source{}, r, 1, false); !ok || !d.OK {
			t.Fatalf("got %+v, %v: %s", d, ok, k.Trouble())
		}
	}
	redistest.Await(t, "the replica to have it", func() bool {
		n, _ := redis.Int(master.Do("WAIT", 1, 1000), nil)
		return n == 1
	})
	master.Stop()
	var d Decision
	redistest.Await(t, "the replica to take over", func() (ok bool) {
		d, ok = s.take(t.Context(), Source{}, r, 1, false)
		return ok
	})
	if d.Left > 5 || d.Left < 4 { // a command whose answer was lost counts, too
		t.Errorf("the new master has %d left, want 5", d.Left)
	}
	if k.Trouble() != "" {
		t.Errorf("all is well, and yet: %s", k.Trouble())
	}
}
