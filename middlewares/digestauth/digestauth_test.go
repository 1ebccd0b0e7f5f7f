package digestauth

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"fairway/internal/record"
	"fairway/internal/secret"
	"fairway/middlewares"
	"fairway/middlewares/middlewarestest"
)

func TestExamples(t *testing.T) {
	middlewarestest.Golden(t, func() middlewares.Config { return &Config{} })
}

// TestSignature has the example of RFC 7616, section 3.9.1.
func TestSignature_IsThatOfTheRFC(t *testing.T) {
	for name, want := range map[string]string{
		"MD5":     "8ca523f5e9506fed4657c9700eebdbec",
		"SHA-256": "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
	} {
		a, ok := named(name)
		if !ok {
			t.Fatal(name)
		}
		ha1 := a.hash("Mufasa:http-auth@example.org:Circle of Life")
		got := a.hash(strings.Join([]string{
			ha1, "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", "00000001", "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", "auth",
			a.hash("GET:/dir/index.html"),
		}, ":"))
		if got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
}

// client asks a handler with credentials by MD5 of ann, whose password is secret.
type client struct {
	t     *testing.T
	h     http.Handler
	nonce string
	rec   *record.Record
}

var challenged = regexp.MustCompile(`nonce="([^"]*)", opaque="([^"]*)"`)

func newClient(t *testing.T, c *Config) *client {
	t.Helper()
	h, err := c.New(t.Context(), middlewarestest.Env("test"), http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	if err != nil {
		t.Fatal(err)
	}
	return &client{t: t, h: h}
}

// ask returns the challenge, or "" when the request has passed.
func (c *client) ask(target, uri, nc string) string {
	c.t.Helper()
	r := httptest.NewRequest(http.MethodGet, target, nil)
	opaque := c.h.(*handler).opaque
	if c.nonce == "" {
		w := httptest.NewRecorder()
		c.h.ServeHTTP(w, r)
		found := challenged.FindStringSubmatch(w.Header().Get("Www-Authenticate"))
		if w.Code != http.StatusUnauthorized || found == nil || found[2] != opaque {
			c.t.Fatalf("got %d, %q", w.Code, w.Header())
		}
		c.nonce = found[1]
	}
	a, _ := named("MD5")
	response := a.hash(strings.Join([]string{a.hash("ann:traefik:secret"), c.nonce, nc, "x", "auth", a.hash("GET:" + uri)}, ":"))
	r.Header.Set("Authorization", `Digest username="ann", realm="traefik", nonce="`+c.nonce+`", uri="`+uri+
		`", qop=auth, nc=`+nc+`, cnonce="x", opaque="`+opaque+`", response="`+response+`"`)
	c.rec = &record.Record{}
	w := httptest.NewRecorder()
	c.h.ServeHTTP(w, r.WithContext(record.With(r.Context(), c.rec)))
	if w.Code == http.StatusUnauthorized {
		return w.Header().Get("Www-Authenticate")
	}
	return ""
}

func ann() *Config {
	a, _ := named("MD5")
	return &Config{Users: []secret.String{secret.String("ann:traefik:" + a.hash("ann:traefik:secret"))}}
}

func TestDigestAuth_ACountComesOnce(t *testing.T) {
	c := newClient(t, ann())
	for _, step := range []struct {
		nc string
		ok bool
	}{
		{"00000001", true},
		{"00000001", false},
		{"00000003", true},
		{"00000002", true},
		{"00000002", false},
		{"00000100", true},
		{"00000003", false},
		{"000000ff", true},
		{"000000ff", false},
		{"000000c0", false},
		{"000000c1", true},
	} {
		challenge := c.ask("/", "/", step.nc)
		if (challenge == "") != step.ok {
			t.Errorf("%s: got %q, want it to pass: %v", step.nc, challenge, step.ok)
		}
		if !step.ok && !strings.HasSuffix(challenge, ", stale=true") {
			t.Errorf("%s: the client is not told to try again: %q", step.nc, challenge)
		}
		if step.ok && c.rec.User != "ann" {
			t.Errorf("%s: the user is %q", step.nc, c.rec.User)
		}
	}
}

func TestDigestAuth_ANonceGetsOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, ann())
		if got := c.ask("/", "/", "00000001"); got != "" {
			t.Fatalf("got %q", got)
		}
		time.Sleep(nonceLife) // on the clock of the bubble
		if got := c.ask("/", "/", "00000002"); !strings.HasSuffix(got, ", stale=true") {
			t.Errorf("got %q", got)
		}
		c.nonce = ""
		if got := c.ask("/", "/", "00000001"); got != "" {
			t.Errorf("with another nonce: got %q", got)
		}
	})
}

func TestDigestAuth_TheURIIsThatOfTheRequest(t *testing.T) {
	for _, tt := range []struct {
		target, uri string
		ok          bool
	}{
		{"/a?b", "/a?b", true},
		{"/a", "/%61", true},
		{"/a?b&c", "/a?b;c", true},
		{"/b", "/a/../b", true},
		{"/a?b", "/a", false},
		{"/a", "/a?b", false},
		{"/ab", "/a", false},
		{"/a", "", false},
	} {
		if got := newClient(t, ann()).ask(tt.target, tt.uri, "00000001"); (got == "") != tt.ok {
			t.Errorf("%s signed as %s: got %q", tt.target, tt.uri, got)
		}
	}
}

func TestNonces_ForgettingOneDoesNotMakeItNew(t *testing.T) {
	n := newNonces()
	first := n.issue("r")
	if !n.use(first, 1) {
		t.Fatal("a new nonce is refused")
	}
	for range mostUsed {
		if nonce := n.issue("r"); !n.use(nonce, 1) {
			t.Fatal("a new nonce is refused")
		}
	}
	if n.use(first, 1) {
		t.Error("a nonce that was forgotten is used again")
	}
	if len(n.used) != mostUsed || n.order.Len() != mostUsed {
		t.Errorf("%d are remembered", len(n.used))
	}
}

func TestDigestAuth_ReadsItsFileAgain(t *testing.T) {
	name := filepath.Join(t.TempDir(), "users")
	line := ann().Users[0].Reveal()
	write := func(text string) {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		write(line)
		c := newClient(t, &Config{UsersFile: name})
		for i, step := range []struct {
			content string
			ok      bool
		}{{line, true}, {"broken", true}, {"bob" + line[3:], false}, {"# again\n" + line, true}} {
			write(step.content)
			time.Sleep(time.Second) // on the clock of the bubble
			if got := c.ask("/", "/", "0000000"+string(rune('1'+i))); (got == "") != step.ok {
				t.Errorf("with %q: got %q", step.content, got)
			}
		}
	})
}

func TestParse(t *testing.T) {
	tests := map[string]struct {
		line string
		want *credentials
	}{
		"quoted":          {`Digest username="a\"b", nc=0000000a,uri="/,x"`, &credentials{user: `a"b`, nc: 10, ncText: "0000000a", uri: "/,x"}},
		"any case":        {`dIGEST USERNAME=a`, &credentials{user: "a"}},
		"extended name":   {`Digest username*=UTF-8''J%C3%A4s`, &credentials{user: "Jäs"}},
		"empty list item": {`Digest , realm="r",, opaque=o,`, &credentials{realm: "r", opaque: "o"}},
		"another scheme":  {`Basic abc`, nil},
		"twice":           {`Digest uri="/a", uri="/b"`, nil},
		"open quote":      {`Digest uri="/a`, nil},
		"no comma":        {`Digest uri="/a" realm=b`, nil},
		"two names":       {`Digest username=a, username*=UTF-8''b`, nil},
		"short count":     {`Digest nc=1`, nil},
		"no value":        {`Digest uri`, nil},
		"too long":        {"Digest uri=" + strings.Repeat("x", longest), nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := parse(tt.line)
			if (err == nil) != (tt.want != nil) || tt.want != nil && *got != *tt.want {
				t.Errorf("got %+v, %v, want %+v", got, err, tt.want)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add(`Digest username="ann", realm="traefik", nonce="1.2.3", uri="/", qop=auth, nc=00000001, cnonce="x", opaque="o", response="0"`)
	f.Add(`Digest username*=UTF-8''J%C3%A4s, uri="\"`)
	f.Add(`Digest a="`)
	f.Fuzz(func(t *testing.T, line string) {
		c, err := parse(line)
		if err == nil && (c == nil || c.nc != 0 && len(c.ncText) != 8) {
			t.Errorf("%q: got %+v", line, c)
		}
	})
}
