package introspection

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/traefik/paerser/types"

	"fairway/internal/consumers"
	"fairway/internal/record"
	"fairway/middlewares"
	"fairway/middlewares/middlewarestest"
)

func TestExamples(t *testing.T) {
	middlewarestest.Golden(t, func() middlewares.Config { return &Config{} })
}

// server knows one token.
type server struct {
	*httptest.Server
	asked  atomic.Int32
	active atomic.Bool
	hold   chan struct{} // nil: it answers at once
}

func newServer(t *testing.T) *server {
	s := &server{}
	s.active.Store(true)
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.asked.Add(1)
		if s.hold != nil {
			<-s.hold
		}
		id, password, _ := r.BasicAuth()
		if id != "gate%2Fway" || password != "s3cret%3A" {
			http.Error(w, `{"error":"invalid_client"}`, http.StatusUnauthorized)
			return
		}
		_, _ = fmt.Fprintf(w, `{"active":%v,"sub":"17","exp":%d,"groups":["x"]}`, s.active.Load() && r.PostFormValue("token") == "good", time.Now().Add(time.Hour).Unix())
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *server) gate(t *testing.T, change func(c *Config)) (middlewares.Env, func(token string) *record.Record) {
	t.Helper()
	c := &Config{}
	c.SetDefaults()
	c.Endpoint, c.ClientID, c.ClientSecret, c.GroupsClaim = s.URL, "gate/way", "s3cret:", "groups"
	if change != nil {
		change(c)
	}
	env := middlewarestest.Env("token")
	h, err := c.New(t.Context(), env, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	if err != nil {
		t.Fatal(err)
	}
	return env, func(token string) *record.Record {
		rec, w := &record.Record{}, httptest.NewRecorder()
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Authorization", "Bearer "+token)
		h.ServeHTTP(w, r.WithContext(record.With(r.Context(), rec)))
		rec.Status = w.Code
		return rec
	}
}

func TestIntrospection_KeepsWhatIsSaidForAWhile(t *testing.T) {
	s := newServer(t)
	env, ask := s.gate(t, nil)
	for range 5 {
		if rec := ask("good"); rec.Status != 200 || rec.User != "17" || rec.Auth != record.Passed || fmt.Sprint(rec.Identity.Groups) != "[x]" {
			t.Fatalf("got %d: %s", rec.Status, rec.Cause)
		}
	}
	env.Consumers.Store(consumers.New(map[string]*consumers.Config{"ann@file": {Claims: []string{"sub=17"}}}, nil))
	if rec := ask("good"); rec.Identity.Consumer == nil || rec.Identity.Consumer.Name != "ann@file" {
		t.Errorf("got %+v", rec.Identity)
	}
	for range 5 {
		if rec := ask("guess"); rec.Status != 401 || rec.Identity != nil || rec.Auth != record.Refused {
			t.Errorf("got %d", rec.Status)
		}
	}
	if n := s.asked.Load(); n != 2 {
		t.Errorf("asked %d times about two tokens", n)
	}
	_, always := s.gate(t, func(c *Config) { c.CacheFor = 0 })
	if rec := always("good"); rec.Status != 200 {
		t.Errorf("got %d: %s", rec.Status, rec.Cause)
	}
	s.active.Store(false)
	if rec := always("good"); rec.Status != 401 {
		t.Errorf("a token that was taken back: got %d", rec.Status)
	}
}

func TestIntrospection_AsksOnceForManyRequests(t *testing.T) {
	s := newServer(t)
	s.hold = make(chan struct{})
	_, ask := s.gate(t, func(c *Config) { c.CacheFor = types.Duration(time.Minute) })
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if rec := ask("good"); rec.Status != 200 {
				t.Errorf("got %d: %s", rec.Status, rec.Cause)
			}
		})
	}
	for deadline := time.Now().Add(10 * time.Second); s.asked.Load() == 0; {
		if time.Now().After(deadline) {
			t.Fatal("nobody asks")
		}
	}
	close(s.hold)
	all.Wait()
	if n := s.asked.Load(); n > 2 {
		t.Errorf("asked %d times", n)
	}
}

func TestIntrospection_WhileTheServerIsAway(t *testing.T) {
	s := newServer(t)
	_, ask := s.gate(t, nil)
	if rec := ask("good"); rec.Status != 200 {
		t.Fatalf("got %d: %s", rec.Status, rec.Cause)
	}
	s.Close()
	if rec := ask("good"); rec.Status != 200 {
		t.Errorf("what was said before: got %d: %s", rec.Status, rec.Cause)
	}
	if rec := ask("other"); rec.Status != 503 || rec.Identity != nil {
		t.Errorf("got %d: %s", rec.Status, rec.Cause)
	}
}
