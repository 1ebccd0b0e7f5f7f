package live

import (
	"context"
	"fmt"
	"math"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"fairway/internal/record"
	"fairway/telemetry"
)

func exchange(status int, took time.Duration, target string) *telemetry.Exchange {
	return &telemetry.Exchange{
		Record:  &record.Record{Start: time.Now(), EntryPoint: "web", Router: "shop@docker", Service: "shop-svc@docker", Leaf: "shop-svc@docker", Server: "http://u:p@10.0.0.2:80", Peer: "192.0.2.1"},
		Request: httptest.NewRequest("GET", target, nil), Duration: took, Status: status, Written: 7,
	}
}

func TestLive_SecondsAndLoads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(10)
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		news, end := l.Watch()
		defer end()
		go l.Run(ctx)
		synctest.Wait()
		for i := range 100 {
			status := 200
			if i%10 == 0 {
				status = 503
			}
			l.Observe(exchange(status, time.Duration(i+1)*time.Millisecond, "/"))
		}
		l.Observe(exchange(0, 0, "/"))
		inside := exchange(200, time.Second, "/")
		inside.Record.Service = "api@internal"
		l.Observe(inside)
		<-news
		all := l.Since(0)
		if len(all) != 1 || all[0].Classes != [classes]uint64{1, 0, 90, 0, 0, 10} {
			t.Fatalf("got %+v", all)
		}
		for name, pair := range map[string][2]float64{"p50": {all[0].P50, 50}, "p95": {all[0].P95, 95}, "p99": {all[0].P99, 99}} {
			if math.Abs(pair[0]-pair[1]) > pair[1]/5 {
				t.Errorf("%s: got %v, want about %v", name, pair[0], pair[1])
			}
		}
		for range perObject {
			<-news
		}
		if got := l.Router("shop@docker"); got.Rate != 20.2 || got.Errors != 2 || math.Abs(got.Millis-50) > 1 {
			t.Errorf("router: got %+v", got)
		}
		if got := l.Service("shop-svc@docker"); got.Rate != 20.2 {
			t.Errorf("service: got %+v", got)
		}
		if got := l.Since(all[0].Time); len(got) != perObject || got[0].Classes != [classes]uint64{} {
			t.Errorf("later seconds: got %+v", got)
		}
		l.Keep(func(string) bool { return false }, func(string) bool { return true })
		if got := l.Router("shop@docker"); got != (Load{}) {
			t.Errorf("a router that is gone: got %+v", got)
		}
	})
}

func TestLive_KeepsAQuarterOfAnHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(0)
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		go l.Run(ctx)
		time.Sleep((History + 10) * time.Second)
		synctest.Wait()
		all := l.Since(0)
		if len(all) != History || all[len(all)-1].Time-all[0].Time != History-1 || all[len(all)-1].Time != time.Now().Unix() {
			t.Errorf("got %d from %d to %d", len(all), all[0].Time, all[len(all)-1].Time)
		}
	})
}

func TestBuckets_AreExactWithinAFifth(t *testing.T) {
	for d := 4 * time.Microsecond; d < 1000*time.Hour; d += d/7 + 1 {
		got, want := middle(bucketOf(d)), float64(d)/1e6
		if math.Abs(got-want) > want/5 {
			t.Errorf("%v: got %v ms", d, got)
		}
	}
	if got := bucketOf(math.MaxInt64); got != buckets-1 {
		t.Errorf("the longest: got %d", got)
	}
	if got := bucketOf(-1); got != 0 {
		t.Errorf("below zero: got %d", got)
	}
}

func TestTail(t *testing.T) {
	l := New(3)
	l.Observe(exchange(200, time.Millisecond, "/nobody/looks"))
	failed := exchange(502, 1500*time.Microsecond, "/a%20b?token=secret&flag&x=1")
	failed.Record.Fail("dial http://u:p@10.0.0.2:80: refused")
	l.Observe(failed)
	list, _ := l.After(0)
	want := []Request{{
		ID: 1, Time: failed.Record.Start.Add(failed.Duration), Method: "GET", Scheme: "http", Host: "example.com", Path: "/a%20b?token=…&flag&x=…", Status: 502, Millis: 1.5, Bytes: 7,
		EntryPoint: "web", Router: "shop@docker", Service: "shop-svc@docker", Server: "http://u:xxxxx@10.0.0.2:80", Client: "192.0.2.1", Cause: "dial http://u:xxxxx@10.0.0.2:80: refused",
	}}
	if diff := cmp.Diff(want, list); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	end := l.Read()
	for i := range 4 {
		l.Observe(exchange(200, time.Millisecond, fmt.Sprint("/", i)))
	}
	list, _ = l.After(3)
	if len(list) != 2 || list[0].ID != 4 || list[1].Path != "/3" {
		t.Errorf("got %+v", list)
	}
	if all, _ := l.After(0); len(all) != 4 || all[0].ID != 1 || all[1].ID != 3 {
		t.Errorf("the failure and the last three: got %+v", all)
	}
	end()
	end()
	l.Observe(exchange(200, time.Millisecond, "/nobody"))
	if all, _ := l.After(5); len(all) != 0 {
		t.Errorf("got %+v", all)
	}
}

func TestTail_IsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(1000)
		defer l.Read()()
		for range mostPerSecond + 20 {
			l.Observe(exchange(200, 0, "/"+strings.Repeat("é", 5000)+"?"+strings.Repeat("a=b&", 5000)))
		}
		list, missed := l.After(0)
		if len(list) != mostPerSecond || missed != 20 || len(list[0].Path) > longest+len("…") {
			t.Errorf("got %d and %d missed, with %d bytes", len(list), missed, len(list[0].Path))
		}
		time.Sleep(time.Second)
		l.Observe(exchange(200, 0, "/"))
		if again, _ := l.After(mostPerSecond); len(again) != 1 {
			t.Errorf("in the next second: got %d", len(again))
		}
	})
}

// TestTail_KeepsFailures, however many others pass.
func TestTail_KeepsFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(50)
		defer l.Read()()
		for i := range 3 {
			for range 2 * mostPerSecond {
				l.Observe(exchange(200, 0, "/"))
			}
			l.Observe(exchange(500, 0, fmt.Sprint("/failed", i)))
			time.Sleep(time.Second)
		}
		list, missed := l.After(0)
		var failed []string
		for i, r := range list {
			if r.Status == 500 {
				failed = append(failed, r.Path)
			}
			if i > 0 && r.ID <= list[i-1].ID {
				t.Errorf("%d comes behind %d", r.ID, list[i-1].ID)
			}
		}
		if got := strings.Join(failed, ""); got != "/failed0/failed1/failed2" || len(list) != 53 || missed != 3*mostPerSecond {
			t.Errorf("got %s among %d, %d missed", got, len(list), missed)
		}
	})
}

func TestObserve_DoesNotAllocate(t *testing.T) {
	l := New(10)
	e := exchange(200, time.Millisecond, "/")
	if n := testing.AllocsPerRun(1000, func() { l.Observe(e) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkObserve(b *testing.B) {
	l := New(10)
	e := exchange(200, time.Millisecond, "/")
	b.ReportAllocs()
	for b.Loop() {
		l.Observe(e)
	}
}
