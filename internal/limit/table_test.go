package limit

import (
	"encoding/binary"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func number(i int) (s Source) {
	binary.BigEndian.PutUint64(s[:], uint64(i))
	return s
}

func (t *Table) len() (n int) {
	for i := range t.shards {
		n += len(t.shards[i].buckets) + len(t.shards[i].tallies)
	}
	return n
}

func TestBucket_BearsLargeNumbers(t *testing.T) {
	for _, r := range []*Rule{Bucket(1, 1<<62, 1<<62), Bucket(1<<62, 1, 1<<62), Bucket(1, time.Hour, 1<<62), Bucket(1<<62, time.Second, 1)} {
		table := NewTable(MostSources)
		for _, n := range []int64{1, 1, 1, 1 << 40} {
			if d := table.Take(Source{}, r, n); d.Wait < 0 || d.Left < 0 || d.Reset < 0 {
				t.Errorf("%+v: %+v", r.bucket, d)
			}
			table.Add(Source{}, r, n)
		}
	}
}

func TestTable_IsBoundedAndForgetsTheFullOnesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewTable(16 * 100)
		short, long := Bucket(1, time.Second, 1), Bucket(1, time.Hour, 1)
		for i := range 20 * 100 {
			if i < 300 {
				b.Take(number(i), long, 1)
				continue
			}
			b.Take(number(i), short, 1)
		}
		time.Sleep(2 * time.Second) // those of the short limit are full again
		for i := range 300 {
			b.Take(number(1_000_000+i), long, 1)
		}
		for i := range 300 {
			if b.Take(number(1_000_000+i), long, 1).OK {
				t.Fatalf("source %d was forgotten while there were full ones", i)
			}
		}
		for i := range 10_000 {
			b.Take(number(2_000_000+i), long, 1)
		}
		if n := b.len(); n != 16*100 {
			t.Errorf("%d sources are remembered, want %d", n, 16*100)
		}
	})
}

func TestTable_OfWindowsIsBounded(t *testing.T) {
	b := NewTable(16 * 10)
	r := Sliding(1, time.Hour)
	for i := range 10_000 {
		b.Take(number(i), r, 1)
	}
	if n := b.len(); n > 16*10 {
		t.Errorf("%d sources are remembered, want %d", n, 16*10)
	}
}

// TestSliding_NoWindowHasMore sends at random, and looks at every window that begins with a request.
func TestSliding_NoWindowHasMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const most, length = 20, 10 * time.Second
		table, r := NewTable(MostSources), Sliding(most, length)
		var passed []time.Time
		pauses := newTrace(7)
		for range 5000 {
			time.Sleep(pauses.pause(700 * time.Millisecond)) // on the clock of the bubble
			d := table.Take(Source{}, r, 1)
			if d.OK {
				passed = append(passed, time.Now())
				continue
			}
			if d.Wait <= 0 || d.Wait > length+length/parts {
				t.Fatalf("to wait %v", d.Wait)
			}
		}
		for i := range passed {
			if j := i + most; j < len(passed) && passed[j].Sub(passed[i]) <= length {
				t.Fatalf("%d pass within %v", most+1, passed[j].Sub(passed[i]))
			}
		}
		if span := passed[len(passed)-1].Sub(passed[0]); len(passed) < int(float64(span/length)*most*0.7) {
			t.Errorf("%d pass in %v", len(passed), span)
		}
	})
}

func TestSliding_WaitIsWorthWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table, r := NewTable(MostSources), Sliding(5, time.Minute)
		pauses := newTrace(3)
		for range 200 {
			d := table.Take(Source{}, r, 1)
			if d.OK {
				time.Sleep(pauses.pause(3 * time.Second)) // on the clock of the bubble
				continue
			}
			time.Sleep(d.Wait - time.Millisecond) // on the clock of the bubble
			if table.Take(Source{}, r, 1).OK {
				t.Fatal("it was there before")
			}
			time.Sleep(time.Millisecond) // on the clock of the bubble
			if d := table.Take(Source{}, r, 1); !d.OK {
				t.Fatalf("it is not there: %+v", d)
			}
		}
	})
}

func TestTable_ParallelClientsGetNoMoreThanThereIs(t *testing.T) {
	for name, r := range map[string]*Rule{"bucket": Bucket(100, time.Hour, 100), "window": Sliding(100, time.Hour), "calendar": Calendar(100, Month, time.UTC)} {
		t.Run(name, func(t *testing.T) {
			table := NewTable(MostSources)
			var passed atomic.Int64
			var all sync.WaitGroup
			for range 64 {
				all.Go(func() {
					for range 50 {
						if table.Take(number(1), r, 1).OK {
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

func TestTable_Costs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, r := range map[string]*Rule{"bucket": Bucket(10, 10*time.Second, 10), "window": Sliding(10, 10*time.Second)} {
			table := NewTable(MostSources)
			if d := table.Take(Source{}, r, 4); !d.OK || d.Left != 6 {
				t.Errorf("%s: 4 of 10: %+v", name, d)
			}
			if d := table.Take(Source{}, r, 8); d.OK || d.Left != 6 {
				t.Errorf("%s: 8 of 6: %+v", name, d)
			}
			table.Add(Source{}, r, -2)
			if d := table.Take(Source{}, r, 8); !d.OK || d.Left != 0 {
				t.Errorf("%s: 8 of 8: %+v", name, d)
			}
			table.Add(Source{}, r, 1000)
			if d := table.Take(Source{}, r, 1); d.OK || d.Left != 0 || d.Wait > 22*time.Second {
				t.Errorf("%s: what is owed: %+v", name, d)
			}
			time.Sleep(22 * time.Second) // on the clock of the bubble
			if d := table.Take(Source{}, r, 1); !d.OK {
				t.Errorf("%s: later: %+v", name, d)
			}
		}
	})
}

func TestPeriod_FollowsTheCalendar(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	kolkata, err := time.LoadLocation("Asia/Kolkata")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		period  Period
		zone    *time.Location
		at, end string
	}{
		{Hour, time.UTC, "2026-03-01T10:59:59Z", "2026-03-01T11:00:00Z"},
		{Hour, kolkata, "2026-03-01T10:00:00Z", "2026-03-01T10:30:00Z"},
		{Day, time.UTC, "2026-02-28T23:59:59.9Z", "2026-03-01T00:00:00Z"},
		{Day, berlin, "2026-03-28T23:30:00Z", "2026-03-29T22:00:00Z"}, // 23 hours: summer begins
		{Day, berlin, "2026-10-24T22:30:00Z", "2026-10-25T23:00:00Z"}, // 25 hours
		{Week, time.UTC, "2026-11-29T12:00:00Z", "2026-11-30T00:00:00Z"},
		{Week, time.UTC, "2026-11-30T00:00:00Z", "2026-12-07T00:00:00Z"},
		{Month, berlin, "2026-12-31T22:59:59Z", "2026-12-31T23:00:00Z"},
		{Month, time.UTC, "2028-02-29T12:00:00Z", "2028-03-01T00:00:00Z"},
	} {
		at, _ := time.Parse(time.RFC3339Nano, tt.at)
		number, end := tt.period.at(at, tt.zone)
		if got := end.UTC().Format(time.RFC3339Nano); got != tt.end {
			t.Errorf("%s of %s in %s ends at %s, want %s", tt.period, tt.at, tt.zone, got, tt.end)
		}
		if before, _ := tt.period.at(end.Add(-time.Nanosecond), tt.zone); before != number {
			t.Errorf("%s of %s: the number is %d, and %d at its end", tt.period, tt.at, number, before)
		}
		if next, _ := tt.period.at(end, tt.zone); next <= number {
			t.Errorf("%s after %s: the number is %d, after %d", tt.period, tt.at, next, number)
		}
	}
}

func TestTable_OtherPeriodsBeginAnew(t *testing.T) {
	table := NewTable(MostSources)
	for _, r := range []*Rule{Calendar(1, Month, time.UTC), Calendar(1, Day, time.UTC), Sliding(1, time.Hour), Calendar(1, Week, time.UTC), Sliding(1, time.Minute), Calendar(1, Hour, time.UTC)} {
		if d := table.Take(Source{}, r, 1); !d.OK {
			t.Errorf("%+v: the first: %+v", r, d)
		}
		if d := table.Take(Source{}, r, 1); d.OK {
			t.Errorf("%+v: the second: %+v", r, d)
		}
	}
}

func TestQuota_AmountsOutOfBounds(t *testing.T) {
	for amount, want := range map[int64]string{0: "at least 1", -1: "at least 1", mostAverage + 1: "is more than"} {
		if _, err := (&Quota{Amount: amount, Per: "day"}).Rule(); err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "amount") {
			t.Errorf("%d: got %v", amount, err)
		}
	}
}
