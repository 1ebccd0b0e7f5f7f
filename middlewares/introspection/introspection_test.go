package introspection

import (
	"context"
	"crypto/tls"
	"crypto/x509"
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
	before := s.asked.Load()
	for range 5 {
		if rec := always("made up"); rec.Status != 401 {
			t.Errorf("got %d", rec.Status)
		}
	}
	if n := s.asked.Load() - before; n != 1 {
		t.Errorf("asked %d times about a token that is made up", n)
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

// handlerFor is a middleware that asks a server which answers as given.
func handlerFor(t *testing.T, answers http.HandlerFunc, change func(c *Config)) *handler {
	t.Helper()
	s := httptest.NewServer(answers)
	t.Cleanup(s.Close)
	c := &Config{}
	c.SetDefaults()
	c.Endpoint, c.ClientID, c.ClientSecret = s.URL, "gateway", "s3cret"
	if change != nil {
		change(c)
	}
	h, err := c.New(t.Context(), middlewarestest.Env("token"), http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	if err != nil {
		t.Fatal(err)
	}
	return h.(*handler)
}

func visit(ctx context.Context, h http.Handler, token string, change func(r *http.Request)) (*record.Record, http.Header) {
	rec, w := &record.Record{}, httptest.NewRecorder()
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	if change != nil {
		change(r)
	}
	h.ServeHTTP(w, r.WithContext(record.With(ctx, rec)))
	rec.Status = w.Code
	return rec, w.Header()
}

func await(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("in vain: %s", what)
		}
	}
}

func TestIntrospection_QuestionsAreBoundedAndEndWithWhoWaits(t *testing.T) {
	var under, gone atomic.Int32
	h := handlerFor(t, func(_ http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm() // or the server does not see that the client goes
		under.Add(1)
		<-r.Context().Done()
		gone.Add(1)
	}, nil)
	ctx, leave := context.WithCancel(t.Context())
	var all sync.WaitGroup
	for i := range mostAsked {
		for range 2 { // the second waits for the answer that the first gets
			all.Go(func() {
				if rec, _ := visit(ctx, h, fmt.Sprint("t", i), nil); rec.Status != 499 {
					t.Errorf("got %d: %s", rec.Status, rec.Cause)
				}
			})
		}
	}
	await(t, "the questions", func() bool { return under.Load() == mostAsked })
	rec, head := visit(t.Context(), h, "one more", nil)
	if rec.Status != 503 || head.Get("Retry-After") == "" {
		t.Errorf("got %d: %s", rec.Status, rec.Cause)
	}
	leave()
	all.Wait()
	await(t, "the questions to be given up", func() bool { return gone.Load() == mostAsked })
	h.asker.mu.Lock()
	defer h.asker.mu.Unlock()
	if len(h.asker.asking) != 0 || h.asker.failures != 0 {
		t.Errorf("%d questions are left, %d failures are counted", len(h.asker.asking), h.asker.failures)
	}
}

func TestIntrospection_AServerThatFailsIsLeftAlone(t *testing.T) {
	var asked atomic.Int32
	var status atomic.Int32
	h := handlerFor(t, func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		if n := int(status.Load()); n != 0 {
			w.WriteHeader(n)
			return
		}
		_, _ = w.Write([]byte(`{"active":true}`))
	}, nil)
	status.Store(400) // about this token, for all that is known
	for i := range 10 {
		if rec, _ := visit(t.Context(), h, fmt.Sprint(i), nil); rec.Status != 503 {
			t.Errorf("got %d: %s", rec.Status, rec.Cause)
		}
	}
	if n := asked.Swap(0); n != 10 {
		t.Errorf("asked %d times: made-up tokens keep the server from being asked", n)
	}
	status.Store(502)
	for i := range 10 {
		h.asker.mu.Lock()
		if !h.asker.again.IsZero() {
			h.asker.again = time.Now().Add(time.Hour)
		}
		h.asker.mu.Unlock()
		if rec, head := visit(t.Context(), h, fmt.Sprint(i), nil); rec.Status != 503 || head.Get("Retry-After") == "" {
			t.Errorf("got %d: %s", rec.Status, rec.Cause)
		}
	}
	if n := asked.Load(); n != mostFailures {
		t.Errorf("asked %d times", n)
	}
	status.Store(0)
	h.asker.mu.Lock()
	h.asker.again = time.Now() // the pause is over
	h.asker.mu.Unlock()
	if rec, _ := visit(t.Context(), h, "good", nil); rec.Status != 200 || h.asker.failures != 0 {
		t.Errorf("got %d: %s", rec.Status, rec.Cause)
	}
}

func TestIntrospection_TokensThatAreBoundComeWithTheirCertificate(t *testing.T) {
	const sum = "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0" // of "abc"
	shows := func(raw string) func(r *http.Request) {
		return func(r *http.Request) {
			r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{{Raw: []byte(raw)}}}
		}
	}
	for _, tt := range []struct {
		name, cnf string
		with      func(r *http.Request)
		must      bool
		want      int
	}{
		{"its own", `,"cnf":{"x5t#S256":"` + sum + `"}`, shows("abc"), false, 200},
		{"another's", `,"cnf":{"x5t#S256":"` + sum + `"}`, shows("abd"), false, 401},
		{"none", `,"cnf":{"x5t#S256":"` + sum + `"}`, nil, false, 401},
		{"DPoP", `,"cnf":{"jkt":"` + sum + `"}`, shows("abc"), false, 401},
		{"both", `,"cnf":{"jkt":"x","x5t#S256":"` + sum + `"}`, shows("abc"), false, 401},
		{"not bound", "", nil, false, 200},
		{"not bound, and should be", "", shows("abc"), true, 401},
	} {
		h := handlerFor(t, func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`{"active":true` + tt.cnf + `}`))
		}, func(c *Config) { c.CertificateBound = tt.must })
		if rec, _ := visit(t.Context(), h, "t", tt.with); rec.Status != tt.want {
			t.Errorf("%s: got %d: %s", tt.name, rec.Status, rec.Cause)
		}
	}
}

func TestIntrospection_ManyTokensAreAMistake(t *testing.T) {
	h := handlerFor(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"active":true}`)) }, func(c *Config) {
		c.TokenFrom, c.Optional = []string{"header:Authorization", "query:t"}, true
	})
	rec, head := visit(t.Context(), h, "a", func(r *http.Request) { r.URL.RawQuery = "t=b" })
	if rec.Status != 400 || head.Get("WWW-Authenticate") != `Bearer realm="fairway", error="invalid_request"` || rec.Auth != record.Refused {
		t.Errorf("got %d %v", rec.Status, head)
	}
	rec, _ = visit(t.Context(), h, "", func(r *http.Request) { r.Header.Set("Authorization", "Basic abc") })
	if rec.Status != 200 || rec.Identity != nil {
		t.Errorf("credentials of another kind: got %d %v", rec.Status, rec.Identity)
	}
}

func TestIntrospection_RoutesShareWhatIsKnown(t *testing.T) {
	env := middlewarestest.Env("token")
	var kept any
	env.Keep = func(fresh func() any) any {
		if kept == nil {
			kept = fresh()
		}
		return kept
	}
	with := func(issuer string) *asker {
		h, err := (&Config{Endpoint: "http://localhost", ClientID: "g", ClientSecret: "s", Issuer: issuer}).New(t.Context(), env, http.NotFoundHandler())
		if err != nil {
			t.Fatal(err)
		}
		return h.(*handler).asker
	}
	one, again, other := with("a"), with("a"), with("b")
	if one != again || one == other {
		t.Error("they do not share, or share what is for other options")
	}
}
