package highestrandomweight

import (
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"testing"

	"fairway/internal/record"
	"fairway/proxy"
	"fairway/proxy/proxytest"
)

func ask(h http.Handler, client int) string {
	rec := &record.Record{Peer: fmt.Sprintf("10.0.%d.%d", client/250, client%250)}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r.WithContext(record.With(r.Context(), rec)))
	return w.Body.String()
}

func TestHighestRandomWeight_KeepsClientsByWeight(t *testing.T) {
	a, b := &proxytest.Child{Name: "a"}, &proxytest.Child{Name: "b"}
	c := &Config{Services: []proxy.Part{{Name: "a", Weight: new(3)}, {Name: "b"}}}
	h, err := c.New(t.Context(), proxy.Env{Service: proxytest.Among(a, b)})
	if err != nil {
		t.Fatal(err)
	}
	got, where := map[string]float64{}, map[int]string{}
	for client := range 10_000 {
		where[client] = ask(h, client)
		got[where[client]] += 1.0 / 10_000
	}
	if math.Abs(got["a"]-0.75) > 0.02 {
		t.Errorf("got %v, want 0.75 for a", got)
	}
	for client := range 100 {
		if now := ask(h, client); now != where[client] {
			t.Errorf("client %d moved from %s to %s", client, where[client], now)
		}
	}
	a.Down.Store(true)
	if got := ask(h, 1); got != "b" {
		t.Errorf("with a down: got %s", got)
	}
	b.Down.Store(true)
	if got := ask(h, 1); got != "no available server" || h.(proxy.Child).Up() {
		t.Errorf("with both down: got %s", got)
	}
}
