package failover

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"fairway/internal/answer"
	"fairway/internal/record"
	"fairway/proxy"
	"fairway/proxy/proxytest"
)

func build(tb testing.TB, errors *Errors, children ...*proxytest.Child) proxy.Service {
	tb.Helper()
	c := &Config{Service: "main", Fallback: "spare", Errors: errors}
	s, err := c.New(tb.Context(), proxy.Env{Service: proxytest.Among(children...)})
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func post(h http.Handler, body string) (*httptest.ResponseRecorder, *record.Record) {
	rec := &record.Record{}
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r.WithContext(record.With(r.Context(), rec)))
	return w, rec
}

func TestFailover_GoesToTheFallbackWhileTheServiceIsDown(t *testing.T) {
	main, spare := &proxytest.Child{Name: "main"}, &proxytest.Child{Name: "spare"}
	h := build(t, nil, main, spare)
	for _, tt := range []struct {
		main, spare bool
		want        string
	}{{true, true, "main"}, {false, true, "spare"}, {true, false, "main"}, {false, false, "no available server"}} {
		main.Down.Store(!tt.main)
		spare.Down.Store(!tt.spare)
		if w, _ := post(h, ""); w.Body.String() != tt.want {
			t.Errorf("main up %v, spare up %v: got %s, want %s", tt.main, tt.spare, w.Body, tt.want)
		}
		if up := h.(proxy.Child).Up(); up != (tt.main || tt.spare) {
			t.Errorf("main up %v, spare up %v: up is %v", tt.main, tt.spare, up)
		}
	}
}

func TestFailover_ByStatus(t *testing.T) {
	main, spare := &proxytest.Child{Name: "main"}, &proxytest.Child{Name: "spare"}
	h := build(t, &Errors{Status: []string{"502-504"}, MaxRequestBodyBytes: 5}, main, spare)
	main.Status.Store(http.StatusServiceUnavailable)
	w, rec := post(h, "hello")
	if w.Code != http.StatusOK || w.Body.String() != "spare" || w.Header().Get("X-From") != "spare" || rec.Cause != "" {
		t.Errorf("got %d %q with %v, cause %q", w.Code, w.Body, w.Header(), rec.Cause)
	}
	if got := fmt.Sprint(main.Seen(), spare.Seen()); got != "[hello] [hello]" {
		t.Errorf("the services got %s", got)
	}
	if w, _ := post(h, "hello!"); w.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("a longer body: got %d", w.Code)
	}
	main.Status.Store(http.StatusInternalServerError)
	if w, _ := post(h, ""); w.Code != http.StatusInternalServerError || w.Body.String() != "main" {
		t.Errorf("another status: got %d %q", w.Code, w.Body)
	}
	main.Status.Store(http.StatusBadGateway)
	spare.Down.Store(true)
	if w, _ := post(h, ""); w.Code != http.StatusBadGateway {
		t.Errorf("with the fallback down: got %d", w.Code)
	}
}

// refusing is a service that cannot reach its servers.
type refusing struct{ proxytest.Child }

func (*refusing) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	answer.Refuse(w, r, http.StatusBadGateway, "connect to http://main: refused")
}

func TestFailover_ARequestThatWasSavedHasNotFailed(t *testing.T) {
	spare := &proxytest.Child{Name: "spare"}
	env := proxy.Env{Service: func(name string) (proxy.Child, error) {
		if name == "main" {
			return &refusing{}, nil
		}
		return spare, nil
	}}
	c := &Config{Service: "main", Fallback: "spare", Errors: &Errors{Status: []string{"502"}, MaxRequestBodyBytes: -1}}
	h, err := c.New(t.Context(), env)
	if err != nil {
		t.Fatal(err)
	}
	if w, rec := post(h, strings.Repeat("x", 100)); w.Body.String() != "spare" || rec.Cause != "" {
		t.Errorf("got %q, cause %q", w.Body, rec.Cause)
	}
}

func TestFailover_EitherCanDoWithoutTheOther(t *testing.T) {
	main, spare := &proxytest.Child{Name: "main"}, &proxytest.Child{Name: "spare"}
	for there, want := range map[*proxytest.Child]string{
		main:  `it goes on without its fallback: the service "spare" does not exist`,
		spare: `it goes on with its fallback alone: the service "main" does not exist`,
	} {
		var warning error
		c := &Config{Service: "main", Fallback: "spare", Errors: &Errors{Status: []string{"500"}}}
		h, err := c.New(t.Context(), proxy.Env{Service: proxytest.Among(there), Warn: func(reason error) { warning = reason }})
		if err != nil || fmt.Sprint(warning) != want {
			t.Fatalf("got %v, warning %v, want %s", err, warning, want)
		}
		if w, _ := post(h, "hello"); w.Body.String() != there.Name {
			t.Errorf("got %s, want %s", w.Body, there.Name)
		}
		there.Down.Store(true)
		if w, _ := post(h, ""); w.Code != http.StatusServiceUnavailable {
			t.Errorf("with nobody: got %d", w.Code)
		}
		there.Down.Store(false)
	}
}

func TestNew_Mistakes(t *testing.T) {
	main, spare := &proxytest.Child{Name: "main"}, &proxytest.Child{Name: "spare"}
	for want, c := range map[string]*Config{
		"it has no service":              {Fallback: "spare"},
		"it has no fallback":             {Service: "main"},
		`the service "x" does not exist`: {Service: "x", Fallback: "y"},
		"errors: there is no status":     {Service: "main", Fallback: "spare", Errors: &Errors{}},
		`errors.status "5xx": is neither a status, as 503, nor a range of them, as 500-599`: {Service: "main", Fallback: "spare", Errors: &Errors{Status: []string{"5xx"}}},
		"errors.maxRequestBodyBytes: -2 is below -1":                                        {Service: "main", Fallback: "spare", Errors: &Errors{Status: []string{"500"}, MaxRequestBodyBytes: -2}},
	} {
		_, err := c.New(t.Context(), proxy.Env{Service: proxytest.Among(main, spare)})
		if fmt.Sprint(err) != want {
			t.Errorf("got error %v, want %s", err, want)
		}
	}
}

// A call by gRPC that the gateway itself answers has status 200; what it means is in the
// record.
func TestFailover_CallsByGRPCThatTheGatewayAnswers(t *testing.T) {
	spare := &proxytest.Child{Name: "spare"}
	children := map[string]proxy.Child{"main": &refusing{}, "spare": spare}
	c := &Config{Service: "main", Fallback: "spare", Errors: &Errors{Status: []string{"500-599"}, MaxRequestBodyBytes: -1}}
	h, err := c.New(t.Context(), proxy.Env{Service: func(name string) (proxy.Child, error) { return children[name], nil }})
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodPost, "/", nil)
	r.Header.Set("Content-Type", "application/grpc")
	rec := &record.Record{}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r.WithContext(record.With(r.Context(), rec)))
	if w.Body.String() != "spare" || rec.Outcome != (record.Outcome{}) {
		t.Errorf("got %q, %+v", w.Body, rec.Outcome)
	}
}
