package server

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fairway/config/dynamic"
	"fairway/internal/decode"
)

func TestEndNominated(t *testing.T) {
	tests := []struct {
		name     string
		in, want http.Header
	}{
		{"nothing", http.Header{"X-A": {"1"}}, http.Header{"X-A": {"1"}}},
		{"the usual", http.Header{"Connection": {"keep-alive"}, "X-A": {"1"}}, http.Header{"X-A": {"1"}}},
		{"a field", http.Header{"Connection": {"close, x-a"}, "X-A": {"1"}, "X-B": {"2"}}, http.Header{"X-B": {"2"}}},
		{"beside an upgrade", http.Header{"Connection": {"Upgrade, x-a"}, "X-A": {"1"}, "Upgrade": {"b"}}, http.Header{"Connection": {"Upgrade"}, "Upgrade": {"b"}}},
		{"in several lines", http.Header{"Connection": {"upgrade", " X-A ,, X-B"}, "X-A": {"1"}, "X-B": {"1"}}, http.Header{"Connection": {"Upgrade"}}},
		{"trailers", http.Header{"Connection": {"TE"}, "Te": {"trailers"}}, http.Header{"Te": {"trailers"}}},
		{"what a trusted proxy has set", http.Header{"Connection": {"X-Forwarded-For, X-Real-IP"}, "X-Forwarded-For": {"1"}, "X-Real-Ip": {"1"}}, http.Header{"X-Forwarded-For": {"1"}, "X-Real-Ip": {"1"}}},
		{
			"one to keep",
			http.Header{"Connection": {"x-kept, x-a, upgrade"}, "X-Kept": {"1"}, "X-A": {"1"}, "Upgrade": {"b"}},
			http.Header{"Connection": {"X-Kept, Upgrade"}, "X-Kept": {"1"}, "Upgrade": {"b"}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			endNominated(tt.in, []string{"X-Kept"})
			if diff := cmp.Diff(tt.want, tt.in); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Methods of HTTP/2 are any bytes.
func TestServer_MethodsThatAreNone(t *testing.T) {
	o := outerOf(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	for method, want := range map[string]int{"GET": 200, "M-SEARCH": 200, "GET /admin HTTP/1.1": 400, "G\x00T": 400, "GÄT": 400, "CONNECT": 501} {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Method = method
		o.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("%q: got %d, want %d", method, w.Code, want)
		}
	}
}

// A reload disturbs no request, not even when it takes the request's route away,
// and closes the connections to servers that are gone.
func TestServer_ReloadDuringARequest(t *testing.T) {
	arrived, release, closed := make(chan struct{}), make(chan struct{}), make(chan struct{})
	url := scripted(t, func(c net.Conn, r *bufio.Reader) {
		defer close(closed)
		for {
			if _, err := http.ReadRequest(r); err != nil {
				return
			}
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")
			arrived <- struct{}{}
			<-release
			_, _ = io.WriteString(c, "world")
		}
	})
	r := start(t, routeTo(url))
	p := r.dial(t).say(plainGet)
	<-arrived
	other := behaving(t)
	tree, err := decode.Document([]byte(routeTo(other)), ".yml")
	if err != nil {
		t.Fatal(err)
	}
	var cfg dynamic.Configuration
	if faults := tree.Into(&cfg, nil); faults != nil {
		t.Fatal(faults)
	}
	for name, router := range cfg.HTTP.Routers {
		delete(cfg.HTTP.Routers, name)
		cfg.HTTP.Routers[name+"@file"] = router
	}
	for name, service := range cfg.HTTP.Services {
		delete(cfg.HTTP.Services, name)
		cfg.HTTP.Services[name+"@file"] = service
	}
	r.apply(&cfg)
	if got := r.ask(t, "GET /length HTTP/1.1\r\nHost: a.test\r\n\r\n"); got.body != "hello" {
		t.Errorf("after the reload: got %d %q, %v", got.status, got.body, got.err)
	}
	release <- struct{}{}
	if got := p.hear("GET"); got.status != 200 || got.body != "helloworld" {
		t.Errorf("the request under way: got %d %q, %v", got.status, got.body, got.err)
	}
	<-closed
	if got := p.say("GET /length HTTP/1.1\r\nHost: a.test\r\n\r\n").hear("GET"); got.body != "hello" {
		t.Errorf("the next request of the client: got %s", fmt.Sprint(got))
	}
}
