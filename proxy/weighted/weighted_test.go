package weighted

import (
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"testing"

	"fairway/internal/balance"
	"fairway/proxy"
	"fairway/proxy/proxytest"
)

func build(tb testing.TB, c *Config, children ...*proxytest.Child) proxy.Service {
	tb.Helper()
	s, err := c.New(tb.Context(), proxy.Env{Name: "all@file", Service: proxytest.Among(children...)})
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func three() (a, b, c *proxytest.Child) {
	return &proxytest.Child{Name: "a"}, &proxytest.Child{Name: "b"}, &proxytest.Child{Name: "c"}
}

func shares(h http.Handler) map[string]float64 {
	const requests = 10_000
	got := map[string]float64{}
	for range requests {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
		got[w.Body.String()] += 1.0 / requests
	}
	return got
}

func TestWeighted_SharesByWeightAmongThoseThatAreUp(t *testing.T) {
	a, b, c := three()
	h := build(t, &Config{Services: []proxy.Part{{Name: "a", Weight: new(6)}, {Name: "b", Weight: new(3)}, {Name: "c"}}}, a, b, c)
	for _, tt := range []struct {
		down *proxytest.Child
		want map[string]float64
	}{
		{nil, map[string]float64{"a": 0.6, "b": 0.3, "c": 0.1}},
		{a, map[string]float64{"b": 0.75, "c": 0.25}},
		{b, map[string]float64{"c": 1}},
		{c, map[string]float64{"no available server": 1}},
	} {
		if tt.down != nil {
			tt.down.Down.Store(true)
		}
		got := shares(h)
		for name, want := range tt.want {
			if math.Abs(got[name]-want) > 0.02 {
				t.Errorf("got %v, want %v", got, tt.want)
				break
			}
		}
	}
	if h.(proxy.Child).Up() {
		t.Error("it is up although nobody is")
	}
}

func TestWeighted_Sticky(t *testing.T) {
	a, b, c := three()
	cfg := &Config{Services: []proxy.Part{{Name: "a"}, {Name: "b"}, {Name: "c", Weight: new(0)}}, Sticky: &balance.Sticky{}}
	cfg.Sticky.SetDefaults()
	h := build(t, cfg, a, b, c)
	first := httptest.NewRecorder()
	h.ServeHTTP(first, httptest.NewRequest(http.MethodGet, "/", nil))
	cookie := first.Result().Cookies()[0]
	ask := func(value string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.AddCookie(&http.Cookie{Name: cookie.Name, Value: value})
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	for range 4 {
		if w := ask(cookie.Value); w.Body.String() != "a" || len(w.Result().Cookies()) != 0 {
			t.Fatalf("got %s with %v, want a, and the cookie not again", w.Body, w.Result().Cookies())
		}
	}
	a.Down.Store(true)
	if w := ask(cookie.Value); w.Body.String() != "b" || w.Result().Cookies()[0].Value != balance.Mark("b") {
		t.Errorf("got %s with %v, want b", w.Body, w.Result().Cookies())
	}
	if w := ask(balance.Mark("c")); w.Body.String() == "c" {
		t.Error("a service of weight 0 got a request")
	}
}

func TestWeighted_GoesOnWithoutAServiceThatIsNotThere(t *testing.T) {
	a, _, _ := three()
	var warning error
	c := &Config{Services: []proxy.Part{{Name: "gone"}, {Name: "a"}}}
	h, err := c.New(t.Context(), proxy.Env{Service: proxytest.Among(a), Warn: func(reason error) { warning = reason }})
	if err != nil || fmt.Sprint(warning) != `it goes on without one of its services: the service "gone" does not exist` {
		t.Fatalf("got %v, warning %v", err, warning)
	}
	if got := shares(h); math.Abs(got["a"]-1) > 1e-6 {
		t.Errorf("got %v", got)
	}
}

func TestNew_Mistakes(t *testing.T) {
	a, b, c := three()
	for want, parts := range map[string][]proxy.Part{
		"services: there are none":           nil,
		"services[1]: has no name":           {{Name: "a"}, {}},
		"services[0]: weight -1: is below 0": {{Name: "a", Weight: new(-1)}},
		`the service "d" does not exist`:     {{Name: "d"}},
	} {
		_, err := (&Config{Services: parts}).New(t.Context(), proxy.Env{Service: proxytest.Among(a, b, c)})
		if fmt.Sprint(err) != want {
			t.Errorf("got error %v, want %s", err, want)
		}
	}
}
