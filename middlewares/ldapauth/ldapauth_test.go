package ldapauth

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/traefik/paerser/types"

	"fairway/internal/record"
	"fairway/internal/secret"
	"fairway/middlewares"
	"fairway/middlewares/middlewarestest"
)

// A real directory is asked in test/ldap_test.go.
func TestExamples(t *testing.T) {
	middlewarestest.Golden(t, func() middlewares.Config { return &Config{} })
}

// silent is a directory that takes connections and never says anything.
func silent(t *testing.T) (address string, dialled *atomic.Int32) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	dialled = &atomic.Int32{}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			dialled.Add(1)
			t.Cleanup(func() { _ = conn.Close() })
		}
	}()
	return l.Addr().String(), dialled
}

func TestLDAPAuth_OneTimeForAllOfIt(t *testing.T) {
	address, dialled := silent(t)
	for _, scheme := range []string{"ldap", "ldaps", "ldap+startTLS", "kept"} {
		dialled.Store(0)
		c := &Config{}
		c.SetDefaults()
		c.URL, c.BaseDN, c.StartTLS = "ldap://"+address, "dc=example", scheme == "ldap+startTLS"
		if scheme == "ldaps" {
			c.URL = "ldaps://" + address
		}
		c.Timeout = types.Duration(50 * time.Millisecond)
		h, err := c.New(t.Context(), middlewarestest.Env("dir"), http.NotFoundHandler())
		if err != nil {
			t.Fatal(err)
		}
		d := h.(*handler).asker.directory
		if scheme == "kept" {
			for range 3 {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				conn, err := d.dial(ctx)
				cancel()
				if err != nil {
					t.Fatal(err)
				}
				d.keep(conn)
			}
		}
		before := len(d.free)
		rec, w, r := &record.Record{}, httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil)
		r.SetBasicAuth("ann", "secret")
		h.ServeHTTP(w, r.WithContext(record.With(r.Context(), rec)))
		if w.Code != 503 || !strings.Contains(rec.Cause, "does not answer within 50ms") {
			t.Errorf("%s: got %d: %s", scheme, w.Code, rec.Cause)
		}
		if scheme == "kept" && len(d.free) != before-1 {
			t.Errorf("%d connections were tried", before-len(d.free))
		}
	}
}

func TestLDAPAuth_RoutesShareConnectionsAndWhatIsKnown(t *testing.T) {
	env := middlewarestest.Env("dir")
	var kept any
	env.Keep = func(fresh func() any) any {
		if kept == nil {
			kept = fresh()
		}
		return kept
	}
	with := func(password string) *asker {
		c := &Config{}
		c.SetDefaults()
		c.URL, c.BaseDN, c.BindDN, c.BindPassword = "ldap://localhost", "dc=example", "cn=x", secret.String(password)
		h, err := c.New(t.Context(), env, http.NotFoundHandler())
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

func TestOneOf_IsTheSameWhateverTheOrder(t *testing.T) {
	for _, values := range [][]string{{"b", "A", "c"}, {"c", "A", "b"}} {
		if got := oneOf(values, "uid=B+cn=x,dc=example", "UID"); got != "b" {
			t.Errorf("got %q", got)
		}
		if got := oneOf(values, "cn=x,dc=example", "uid"); got != "A" {
			t.Errorf("got %q", got)
		}
	}
}

func TestPlain(t *testing.T) {
	for name, want := range map[string]bool{"ann": true, "ann.b-c_1@x+y": true, "Ann": false, "ann ": false, "a b": false, "\u00e4": false, "a\u200bb": false, "\uff41": false} {
		if plain(name) != want {
			t.Errorf("%q: want %v", name, want)
		}
	}
}
