package consulcatalog

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
)

// A token that is replaced while fairway runs is the one that Consul is asked with from then on.
func TestTokenFile_IsReadAgain(t *testing.T) {
	var said atomic.Pointer[string]
	agent := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token := r.Header.Get("X-Consul-Token")
		said.Store(&token)
		_, _ = w.Write([]byte(`"127.0.0.1:8300"`))
	}))
	t.Cleanup(agent.Close)
	path := filepath.Join(t.TempDir(), "token")
	write := func(text string) {
		if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
	}
	write("first\n")
	c := &Config{}
	c.SetDefaults()
	c.Endpoint.Address, c.Endpoint.TokenFile = strings.TrimPrefix(agent.URL, "http://"), path
	made, err := c.New(logrus.New())
	if err != nil {
		t.Fatal(err)
	}
	p := made.(*provider)
	ask := func() string {
		if _, err := p.client.Status().LeaderWithQueryOptions(p.options(t.Context(), 0)); err != nil {
			t.Fatal(err)
		}
		return *said.Load()
	}
	if got := ask(); got != "first" {
		t.Errorf("got %q", got)
	}
	write("second\n")
	for end := time.Now().Add(20 * time.Second); ask() != "second"; time.Sleep(20 * time.Millisecond) { // it is looked at once a second
		if time.Now().After(end) {
			t.Fatal("the new token is not used")
		}
	}
}

func TestTokenFile_Mistakes(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(empty, []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{empty: "endpoint: tokenFile: ", "/nowhere/token": "endpoint: tokenFile: stat /nowhere/token: no such file"} {
		c := &Config{}
		c.SetDefaults()
		c.Endpoint.TokenFile = path
		if _, err := c.New(logrus.New()); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: got %v", path, err)
		}
	}
}
