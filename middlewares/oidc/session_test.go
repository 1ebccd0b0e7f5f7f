package oidc

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/traefik/paerser/types"

	"fairway/internal/oidctest"
	"fairway/internal/secret"
)

func TestSession_LastsItsTime(t *testing.T) {
	g := newGate(t, func(c *Config) { c.Lifetime = types.Duration(time.Hour) })
	g.p.Change(func(o *oidctest.Options) { o.NoRefresh = true })
	b := g.browser()
	b.login("/", "ann")
	g.later(59 * time.Minute)
	if got := b.get("/"); got.status != 200 {
		t.Errorf("before its end: got %v", got)
	}
	g.later(2 * time.Minute)
	got := b.get("/a")
	if got.status != 302 || !strings.Contains(strings.Join(got.header["Set-Cookie"], "\n"), "=; Path=/; Max-Age=0") {
		t.Errorf("after its end: got %v, %q", got, got.header["Set-Cookie"])
	}
}

func TestSession_EndsWhenItIsNotUsed(t *testing.T) {
	g := newGate(t, func(c *Config) { c.IdleTimeout = types.Duration(10 * time.Minute) })
	g.p.Change(func(o *oidctest.Options) { o.NoRefresh = true })
	b := g.browser()
	b.login("/", "ann")
	if got := b.get("/"); len(got.header["Set-Cookie"]) != 0 || got.header.Get("Cache-Control") != "public, max-age=60, s-maxage=3600" {
		t.Errorf("a cookie with every answer: %q", got.header["Set-Cookie"])
	}
	stale := b.session()
	for range 5 {
		g.later(6 * time.Minute)
		if got := b.get("/"); got.status != 200 || len(got.header["Set-Cookie"]) != 1 || got.header.Get("Cache-Control") != "private, max-age=60" {
			t.Errorf("in use: got %v", got)
		}
	}
	if b.session() == stale {
		t.Error("the cookie is the old one")
	}
	g.later(11 * time.Minute)
	if got := b.get("/"); got.status != 302 {
		t.Errorf("not in use: got %v", got)
	}
}

func TestSession_ACookieThatIsChangedIsNone(t *testing.T) {
	g := newGate(t, nil)
	b := g.browser()
	b.login("/", "ann")
	text := b.session()
	other := newGate(t, nil)
	theirs := other.browser()
	theirs.login("/", "ann")
	name := g.Handler.(*handler).jar.name
	ask := func(cookies string) outcome {
		return g.browser().ask("GET", "/", http.Header{"Accept": {"text/html"}, "Cookie": {cookies}}, "")
	}
	if got := ask(name + "=" + text); got.status != 200 {
		t.Fatalf("as it is: got %v", got)
	}
	attempt := ""
	b.get("/oauth2/login")
	for _, line := range b.lines {
		if n, v, _ := strings.Cut(line, "="); strings.Contains(n, "_login_") && !strings.HasPrefix(v, ";") {
			attempt, _, _ = strings.Cut(v, ";")
		}
	}
	raw, _ := base64.RawURLEncoding.DecodeString(text)
	for i := range raw {
		changed := append([]byte{}, raw...)
		changed[i] ^= 1
		if got, _ := g.Handler.(*handler).find(requestWith(name + "=" + base64.RawURLEncoding.EncodeToString(changed))); got != nil {
			t.Fatalf("byte %d is changed: it is taken", i)
		}
	}
	for what, cookies := range map[string]string{
		"empty": name + "=", "cut off": name + "=" + text[:len(text)-8], "longer": name + "=" + text + "AAAA", "twice": name + "=" + text + "; " + name + "=" + text,
		"of another middleware": name + "=" + theirs.session(), "of a login": name + "=" + attempt, "another name": name + "x=" + text, "chunks that miss": name + "=2." + text,
		"many chunks": name + "=99." + text, "no chunks": name + "=0." + text, "one": name + "=1." + text, "padded": name + "=" + text + "=",
	} {
		if got := ask(cookies); got.status != 302 || got.seen != nil {
			t.Errorf("%s: got %v", what, got)
		}
	}
}

func requestWith(cookies string) *http.Request {
	r := httptest.NewRequest("GET", "http://shop.example/", nil)
	r.Header.Set("Cookie", cookies)
	return r
}

func TestSession_ALoginBeginsOneOfItsOwn(t *testing.T) {
	g := newGate(t, nil)
	b := g.browser()
	b.login("/", "ann")
	before := b.copy() // that somebody may have put there
	b.login("/oauth2/login?rd=/", "ann")
	if b.session() == before.session() {
		t.Error("the session is the old one")
	}
	if got := before.get("/"); got.status != 200 {
		t.Errorf("that of another tab, which logged in at the same time: got %v", got)
	}
	before = b.copy()
	g.later(2 * time.Minute)
	b.login("/oauth2/login?rd=/", "ann")
	if got := before.get("/"); got.status != 302 {
		t.Errorf("the old one: got %v", got)
	}
	if got := b.get("/"); got.status != 200 {
		t.Errorf("the new one: got %v", got)
	}
	before = b.copy()
	g.p.Forget()
	b.login("/oauth2/login?rd=/", "bob")
	if got := before.get("/"); got.status != 302 {
		t.Errorf("that of somebody else: got %v", got)
	}
}

func TestSession_SecretsMayBeReplaced(t *testing.T) {
	first, second := secret.String(strings.Repeat("a", 32)), secret.String(strings.Repeat("b", 32))
	g := newGate(t, func(c *Config) { c.SessionSecrets = []secret.String{first} })
	b := g.browser()
	b.login("/", "ann")
	again := gateOf(t, g.p, g.env, func(c *Config) { c.SessionSecrets = []secret.String{second, first} })
	b.g = again
	if got := b.get("/"); got.status != 200 {
		t.Errorf("another gateway, with the old secret, too: got %v", got)
	}
	b.g = gateOf(t, g.p, g.env, func(c *Config) { c.SessionSecrets = []secret.String{second} })
	if got := b.get("/"); got.status != 302 {
		t.Errorf("without it: got %v", got)
	}
}

func TestSession_IsCutIntoCookies(t *testing.T) {
	g := newGate(t, nil)
	long := strings.Repeat("group-of-a-long-name ", 500)
	g.p.Change(func(o *oidctest.Options) { o.Claims = map[string]any{"groups": long} })
	b := g.browser()
	if got := b.login("/", "ann"); got.status != 200 || got.rec.Identity.Claims["groups"] != long {
		t.Fatalf("got %v", got)
	}
	chunks := 0
	for _, line := range b.lines {
		if len(line) > 4096 {
			t.Errorf("a cookie of %d bytes", len(line))
		}
		if n, _, _ := strings.Cut(line, "="); !strings.Contains(n, "_login_") {
			chunks++
		}
	}
	if chunks < 3 {
		t.Errorf("%d cookies", chunks)
	}
	if got := b.get("/"); got.status != 200 || got.seen.Header["Cookie"] != nil {
		t.Errorf("the service sees %v", got.seen.Header)
	}
	g.p.Change(func(o *oidctest.Options) { o.Claims = nil })
	b.lines = nil
	b.login("/oauth2/login?rd=/", "ann")
	gone := 0
	for _, line := range b.lines {
		if strings.Contains(line, ".") && strings.Contains(line, "=; Path=/; Max-Age=0") {
			gone++
		}
	}
	if got := b.get("/"); got.status != 200 || gone != chunks-1 {
		t.Errorf("%d of %d chunks are taken away: %v", gone, chunks-1, got)
	}
	g.p.Change(func(o *oidctest.Options) { o.Claims = map[string]any{"groups": strings.Repeat(long, 2)} })
	if got := g.browser().login("/", "ann"); got.status == 200 || got.status == 302 {
		t.Errorf("too large: got %v", got)
	}
}

func TestSession_IsReadAsItWasWritten(t *testing.T) {
	p := oidctest.New(t)
	id := p.Sign(map[string]any{"sub": "ann", "sid": "s"})
	at := time.UnixMilli(1764143000123)
	for name, s := range map[string]*session{
		"all":      {id: "i", began: at, seen: at.Add(1e9), fresh: at.Add(2e9), until: at.Add(3e9), turn: 300, idToken: id, access: id, refresh: "opaque.with.dots!", more: `{"team":"blue"}`},
		"little":   {id: "i", began: at, seen: at, idToken: id},
		"no parts": {id: "i", began: at, seen: at, idToken: id, access: "a.b", refresh: "a.b.c"},
		"odd":      {id: "i", began: at, seen: at, idToken: id, access: "YR.YQ.YQ", refresh: "YQ.YQ\n.YQ"},
	} {
		if err := s.understand(); err != nil {
			t.Fatal(err)
		}
		got, err := readSession(s.write())
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if diff := cmp.Diff(s, got, cmp.AllowUnexported(session{}), cmpopts.IgnoreFields(session{}, "view")); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func FuzzReadSession(f *testing.F) {
	head := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`))
	s := &session{id: "i", began: time.UnixMilli(1), seen: time.UnixMilli(2), idToken: head + "." + base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"ann"}`)) + ".AA", refresh: "r", more: "{}"}
	f.Add(s.write())
	f.Add([]byte{sessionFormat})
	f.Add([]byte{sessionFormat, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Add(newAttempt("https://a.example/oauth2/callback", "/", time.UnixMilli(3)).write())
	f.Fuzz(func(t *testing.T, raw []byte) {
		if a, err := readAttempt(raw); err == nil {
			if b, err := readAttempt(a.write()); err != nil || b.state != a.state || b.back != a.back {
				t.Errorf("a login is not read as it was written: %v", err)
			}
		}
		s, err := readSession(raw)
		if err != nil {
			return
		}
		if s.sub == "" {
			t.Error("a session of nobody")
		}
		again, err := readSession(s.write())
		if err != nil || again.id != s.id || again.idToken != s.idToken || again.refresh != s.refresh {
			t.Errorf("a session is not read as it was written: %v", err)
		}
	})
}

func FuzzCookies(f *testing.F) {
	for _, text := range []string{"oidc=a; b=c", "oidc=2.a; oidc.1=b", "oidc=5.a;oidc.1=b;oidc.2=c;oidc.3=d;oidc.4=e", "__Host-oidc_login_x=1; a=b", "oidc=a;oidc=b", ";;=;oidc", " oidc = x", "oidc=-1.x", "\x00=\xff"} {
		f.Add(text)
	}
	j := newJar("oidc", "", "http")
	f.Fuzz(func(t *testing.T, line string) {
		r := requestWith(line)
		j.find(r)
		rest, changed := j.others([]string{line})
		if !changed && strings.TrimSpace(line) != "" && (len(rest) != 1 || rest[0] != line) && strings.TrimLeft(line, " ") != rest[0] {
			t.Errorf("%q became %q", line, rest)
		}
		kept := &http.Request{Header: http.Header{"Cookie": rest}}
		for _, name := range cookieNames(kept, func(string) bool { return true }) {
			if j.mine(name) {
				t.Errorf("%q: the service sees %q", line, name)
			}
		}
		for _, name := range cookieNames(r, func(string) bool { return true }) {
			value, ok := cookieValue([]string{line}, name)
			if got, still := cookieValue(rest, name); !j.mine(name) && (still != ok || got != value) {
				t.Errorf("%q: the cookie %q is %q for the service", line, name, got)
			}
		}
	})
}

func FuzzLocal(f *testing.F) {
	for _, text := range []string{"/", "//evil.example", `/\evil.example`, "/\t/evil.example", "/a?b=//c", "https://evil.example", "", "/a#b", "/%2f/evil", "/..//evil.example", "/;//evil"} {
		f.Add(text)
	}
	base, _ := url.Parse("https://shop.example/oauth2/callback")
	f.Fuzz(func(t *testing.T, target string) {
		if !local(target) {
			return
		}
		u, err := url.Parse(target)
		if err != nil {
			return
		}
		if to := base.ResolveReference(u); to.Host != "shop.example" || to.Scheme != "https" || to.User != nil {
			t.Errorf("%q leads to %s", target, to)
		}
		if strings.ContainsAny(target, "\\\t\r\n ") || strings.HasPrefix(target, "//") {
			t.Errorf("%q is taken", target)
		}
	})
}
