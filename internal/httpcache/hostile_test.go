package httpcache

import (
	"math"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestJudge_ALifetimeOutOfAllRangeIsNoLongOne(t *testing.T) {
	for _, expires := range []string{"Mon, 01 Jan 0001 00:00:00 GMT", "Thu, 01 Jan 1600 00:00:00 GMT"} {
		for _, age := range []string{"0", "99999999999"} {
			v := judged(Policy{}, 200, false, "Expires", expires, "Date", at(0), "Etag", `"1"`, "Age", age)
			e := NewEntry("k", "u", 200, v, noon, func(func(name, value string)) {})
			if left := e.FreshFor(noon.Add(time.Hour)); left > 0 {
				t.Errorf("Expires: %s, Age: %s: it is fresh for %v", expires, age, left)
			}
		}
	}
}

// An entry of a gateway whose clock was ahead is not young for as long as that.
func TestAgeAt_AClockThatWasAheadMakesNothingYoung(t *testing.T) {
	e := &Entry{Came: noon.Add(24 * time.Hour), Lifetime: time.Hour}
	if left := e.FreshFor(noon); left > 0 {
		t.Errorf("it is fresh for %v", left)
	}
	e.Came = noon.Add(time.Second) // clocks are never quite the same
	if left := e.FreshFor(noon); left <= 0 {
		t.Errorf("it is stale for %v", -left)
	}
}

func TestEntry_LinesAreOneFieldEach(t *testing.T) {
	e := NewEntry("k", "u", 200, Verdict{}, noon, func(visit func(name, value string)) {
		visit("X-A", "1\r\nSet-Cookie: evil=1")
		visit("X-B\r\nX-C", "1")
		visit("content-length", "7")
		visit("transfer-encoding", "chunked")
		visit("Connection", "close")
	})
	e.Init()
	if got := string(e.Lines()); strings.Count(got, "\n") != 2 || strings.Contains(strings.ToLower(got), "content-length") || strings.Contains(got, "chunked") {
		t.Errorf("got %q", got)
	}
	read, err := Decode(Encode(nil, &Entry{Fields: []Field{{"X-A", "1\r\n\r\nHTTP/1.1 200 OK"}, {"Content-Length", "1"}}, Came: noon}))
	if err != nil {
		t.Fatal(err)
	}
	if got := string(read.Lines()); strings.Count(got, "\n") != 1 || strings.Contains(got, "Content-Length") {
		t.Errorf("read back: got %q", got)
	}
}

func TestNormal_WhatAServiceMayTakeForSomethingElseIsNotTheSame(t *testing.T) {
	plain := Normal("X-Tenant", []string{"a"})
	for _, lines := range [][]string{{"a,"}, {",a"}, {"a", ""}, {"a,,"}, {"a", "a"}, {"A"}} {
		if got := Normal("X-Tenant", lines); got == plain {
			t.Errorf("%q is the same as a", lines)
		}
	}
}

func FuzzFreshFor(f *testing.F) {
	f.Add(int64(math.MinInt64), int64(math.MaxInt64), "Mon, 01 Jan 0001 00:00:00 GMT", "99999999999")
	f.Add(int64(0), int64(0), noon.Add(time.Hour).Format(http.TimeFormat), "1")
	f.Fuzz(func(t *testing.T, came, now int64, expires, age string) {
		r := &Response{Status: 200, Asked: time.Unix(0, came), Came: time.Unix(0, came), Lines: fieldsOf(http.Header{"Expires": {expires}, "Age": {age}, "Etag": {`"1"`}})}
		v := (&Policy{}).Judge(r)
		e := NewEntry("k", "u", 200, v, r.Came, func(func(name, value string)) {})
		if e.AgeAt(time.Unix(0, now)) < 0 {
			t.Error("the age is below 0")
		}
		if left := e.FreshFor(time.Unix(0, now)); left > 0 && v.Lifetime <= 0 {
			t.Errorf("lifetime %v, and it is fresh for %v", v.Lifetime, left)
		}
	})
}
