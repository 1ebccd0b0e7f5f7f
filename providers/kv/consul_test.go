package kv

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
)

// An agent that is stopped in the middle of something answers nothing, and its connections stand.
func TestConsul_NoticesAnAgentThatStandsStill(t *testing.T) {
	var still atomic.Bool
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if index := r.URL.Query().Get("index"); still.Load() || index != "" && index != "0" {
			<-r.Context().Done()
			return
		}
		w.Header().Set("X-Consul-Index", "7")
		if strings.HasPrefix(r.URL.Path, "/v1/status/leader") {
			_, _ = w.Write([]byte(`"127.0.0.1:8300"`))
			return
		}
		_, _ = w.Write([]byte(`[]`))
	}))
	defer server.Close()
	defer server.CloseClientConnections()
	c := &Consul{}
	c.SetDefaults()
	c.Endpoints = []string{strings.TrimPrefix(server.URL, "http://")}
	p, err := c.New(logrus.New())
	if err != nil {
		t.Fatal(err)
	}
	s := p.(*provider).store.(*consulStore)
	s.patience, s.beat = 50*time.Millisecond, 10*time.Millisecond
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	err = s.watch(ctx, func(pairs) { still.Store(true) })
	if err == nil || ctx.Err() != nil || !strings.Contains(err.Error(), "ask whether the agent is there") {
		t.Errorf("got %v", err)
	}
}
