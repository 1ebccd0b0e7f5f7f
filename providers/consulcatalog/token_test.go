package consulcatalog

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sirupsen/logrus"
)

func TestTokenFile_IsWhatConsulIsAskedWith(t *testing.T) {
	said := make(chan string, 1)
	agent := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		said <- r.Header.Get("X-Consul-Token")
		_, _ = w.Write([]byte(`"127.0.0.1:8300"`))
	}))
	t.Cleanup(agent.Close)
	p := withToken(t, strings.TrimPrefix(agent.URL, "http://"), tokenFile(t, "first\n"))
	if _, err := p.client.Status().LeaderWithQueryOptions(p.options(t.Context(), 0)); err != nil {
		t.Fatal(err)
	}
	if got := <-said; got != "first" {
		t.Errorf("got %q", got)
	}
}

// A token that is replaced while fairway runs is the one of the next questions.
func TestTokenFile_IsReadAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := tokenFile(t, "first\n")
		p := withToken(t, "127.0.0.1:1", path)
		if got := p.options(t.Context(), 0).Token; got != "first" {
			t.Errorf("got %q", got)
		}
		if err := os.Rename(tokenFile(t, "second\n"), path); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second) // of the clock of the test: the file is looked at once a second
		if got := p.options(t.Context(), 0).Token; got != "second" {
			t.Errorf("got %q", got)
		}
	})
}

func tokenFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func withToken(t *testing.T, address, file string) *provider {
	t.Helper()
	c := &Config{}
	c.SetDefaults()
	c.Endpoint.Address, c.Endpoint.TokenFile = address, file
	made, err := c.New(logrus.New())
	if err != nil {
		t.Fatal(err)
	}
	return made.(*provider)
}

func TestTokenFile_Mistakes(t *testing.T) {
	empty := tokenFile(t, "\n")
	for path, want := range map[string]string{empty: "endpoint: tokenFile: ", "/nowhere/token": "endpoint: tokenFile: stat /nowhere/token: no such file"} {
		c := &Config{}
		c.SetDefaults()
		c.Endpoint.TokenFile = path
		if _, err := c.New(logrus.New()); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: got %v", path, err)
		}
	}
}
