package oidc

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"fairway/internal/oidctest"
)

func (b *browser) copy() *browser {
	other := b.g.browser()
	u := requestWith("").URL
	other.jar.SetCookies(u, b.jar.Cookies(u))
	return other
}

func TestLogout_HereAndAtTheProvider(t *testing.T) {
	g := newGate(t, func(c *Config) { c.PostLogoutRedirect = "/bye" })
	b := g.browser()
	b.login("/", "ann")
	stolen := b.copy()
	got := b.ask("GET", "/oauth2/logout", http.Header{"Sec-Fetch-Site": {"same-origin"}}, "")
	if got.status != 303 || !strings.HasPrefix(got.location, g.p.URL+"/logout?") || b.session() != "" || got.header.Get("Cache-Control") != "no-store" {
		t.Fatalf("got %v", got)
	}
	if to, text := b.provider(got.location, nil); to != "http://shop.example/bye" || len(g.p.Sessions()) != 0 {
		t.Errorf("the provider leads to %q: %s", to, text)
	}
	if got := b.get("/"); got.status != 302 {
		t.Errorf("after it: got %v", got)
	}
	if got := stolen.get("/"); got.status != 302 {
		t.Errorf("with a copy of the cookie: got %v", got)
	}
}

func TestLogout_OtherSitesCannot(t *testing.T) {
	g := newGate(t, nil)
	for name, tt := range map[string]struct {
		method string
		header http.Header
		want   int // 200: a page that asks
	}{
		"a link":               {"GET", http.Header{"Sec-Fetch-Site": {"same-origin"}}, 303},
		"typed":                {"GET", http.Header{"Sec-Fetch-Site": {"none"}}, 303},
		"an image elsewhere":   {"GET", http.Header{"Sec-Fetch-Site": {"cross-site"}, "Referer": {"http://shop.example/"}}, 200},
		"a neighbour":          {"GET", http.Header{"Sec-Fetch-Site": {"same-site"}}, 200},
		"nobody says":          {"GET", nil, 200},
		"by http, from here":   {"GET", http.Header{"Referer": {"http://shop.example/a"}}, 303},
		"by http, from others": {"GET", http.Header{"Referer": {"http://shop.example.evil/"}}, 200},
		"the button":           {"POST", http.Header{"Sec-Fetch-Site": {"same-origin"}}, 303},
		"the button, by http":  {"POST", http.Header{"Origin": {"http://shop.example"}}, 303},
		"their form":           {"POST", http.Header{"Sec-Fetch-Site": {"cross-site"}}, 403},
		"their form, by http":  {"POST", http.Header{"Origin": {"https://evil.example"}}, 403},
		"their hidden form":    {"POST", http.Header{"Origin": {"null"}}, 403},
		"nobody's form":        {"POST", nil, 403},
		"another method":       {"DELETE", http.Header{"Sec-Fetch-Site": {"same-origin"}}, 405},
	} {
		b := g.browser()
		b.login("/", "ann")
		got := b.ask(tt.method, "/oauth2/logout", tt.header, "")
		if got.status != tt.want || (b.session() == "") != (tt.want == 303) {
			t.Errorf("%s: got %v, want %d", name, got, tt.want)
		}
		if tt.want == 200 && (got.header.Get("X-Frame-Options") != "DENY" || !strings.Contains(got.body, `method="post"`)) {
			t.Errorf("%s: the page is\n%v\n%s", name, got.header, got.body)
		}
	}
}

func TestLogout_AProviderThatHasNone(t *testing.T) {
	g := newGate(t, nil)
	g.p.Change(func(o *oidctest.Options) { o.NoEndSession = true })
	b := g.browser()
	b.login("/", "ann")
	if got := b.ask("GET", "/oauth2/logout", http.Header{"Sec-Fetch-Site": {"none"}}, ""); got.status != 200 || b.session() != "" || !strings.Contains(got.body, "logged out") {
		t.Errorf("got %v: %s", got, got.body)
	}
}

func (g *gate) backChannel(claims jwt.MapClaims) outcome { return g.backChannelText(g.p.Sign(claims)) }

func (g *gate) backChannelText(token string) outcome {
	return g.browser().ask("POST", "/oauth2/backchannel-logout", http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, url.Values{"logout_token": {token}}.Encode())
}

func (b *browser) sid() string {
	for sid := range b.g.p.Sessions() {
		return sid
	}
	return ""
}

func TestBackChannel_EndsSessions(t *testing.T) {
	g := newGate(t, nil)
	ann, bob := g.browser(), g.browser()
	ann.login("/", "ann")
	sid := ann.sid()
	bob.login("/", "bob")
	if got := g.backChannel(g.p.LogoutToken("", sid)); got.status != 200 || got.header.Get("Cache-Control") != "no-store" || got.body != "" {
		t.Fatalf("got %v", got)
	}
	if got := ann.get("/"); got.status != 302 || got.seen != nil {
		t.Errorf("ann: got %v", got)
	}
	if got := bob.get("/"); got.status != 200 {
		t.Errorf("bob: got %v", got)
	}
	other := g.browser()
	other.login("/", "bob")
	if got := g.backChannel(g.p.LogoutToken("bob", "")); got.status != 200 {
		t.Fatalf("got %v", got)
	}
	for _, b := range []*browser{bob, other} {
		if got := b.get("/"); got.status != 302 {
			t.Errorf("bob: got %v", got)
		}
	}
	g.later(time.Second)
	if got := bob.login("/", "bob"); got.status != 200 {
		t.Errorf("bob, once more: got %v", got)
	}
	// The list outlives a reload, and a refresh does not bring the session back.
	stolen := ann
	stolen.g = g
	g.later(5 * time.Minute)
	if got := stolen.get("/"); got.status != 302 {
		t.Errorf("ann: got %v", got)
	}
}

func TestBackChannel_ALogoutTokenIsVerified(t *testing.T) {
	g := newGate(t, nil)
	b := g.browser()
	b.login("/", "ann")
	other := oidctest.New(t)
	change := func(f func(c jwt.MapClaims)) string {
		c := g.p.LogoutToken("ann", "")
		f(c)
		return g.p.Sign(c)
	}
	unsigned := jwt.NewWithClaims(jwt.SigningMethodNone, g.p.LogoutToken("ann", ""))
	none, _ := unsigned.SignedString(jwt.UnsafeAllowNoneSignatureType)
	shared := jwt.NewWithClaims(jwt.SigningMethodHS256, g.p.LogoutToken("ann", ""))
	byHS, _ := shared.SignedString([]byte(g.p.ClientSecret))
	for name, token := range map[string]string{
		"by somebody else": func() string {
			c := g.p.LogoutToken("ann", "")
			return other.Sign(c)
		}(),
		"unsigned": none, "by the secret": byHS, "nothing": "", "no token": "x",
		"another issuer":   change(func(c jwt.MapClaims) { c["iss"] = "https://evil.example" }),
		"another audience": change(func(c jwt.MapClaims) { c["aud"] = "blog" }),
		"no iat":           change(func(c jwt.MapClaims) { delete(c, "iat") }),
		"old":              change(func(c jwt.MapClaims) { c["iat"] = time.Now().Add(-time.Hour).Unix() }),
		"of the future":    change(func(c jwt.MapClaims) { c["iat"] = time.Now().Add(time.Hour).Unix() }),
		"expired":          change(func(c jwt.MapClaims) { c["exp"] = time.Now().Add(-time.Hour).Unix() }),
		"no jti":           change(func(c jwt.MapClaims) { delete(c, "jti") }),
		"no events":        change(func(c jwt.MapClaims) { delete(c, "events") }),
		"another event":    change(func(c jwt.MapClaims) { c["events"] = map[string]any{"x": map[string]any{}} }),
		"an event as text": change(func(c jwt.MapClaims) { c["events"] = map[string]any{logoutEvent: "yes"} }),
		"a nonce":          change(func(c jwt.MapClaims) { c["nonce"] = "n" }),
		"of nobody":        change(func(c jwt.MapClaims) { delete(c, "sub") }),
		"an ID token":      change(func(c jwt.MapClaims) { delete(c, "events"); c["nonce"] = "n"; c["sid"] = "s" }),
	} {
		if got := g.backChannelText(token); got.status != 400 || got.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: got %v", name, got)
		}
	}
	if got := b.get("/"); got.status != 200 {
		t.Fatalf("the session was ended: %v", got)
	}
	if got := b.ask("GET", "/oauth2/backchannel-logout?logout_token="+change(func(jwt.MapClaims) {}), nil, ""); got.status != 405 {
		t.Errorf("by GET: got %v", got)
	}
	token := change(func(jwt.MapClaims) {})
	if got := g.backChannelText(token); got.status != 200 {
		t.Errorf("got %v", got)
	}
	if got := g.backChannelText(token); got.status != 400 || !strings.Contains(got.rec.Cause, "sent before") {
		t.Errorf("again: got %v", got)
	}
}

func TestFrontChannel_EndsTheSessionThatIsNamed(t *testing.T) {
	g := newGate(t, nil)
	b := g.browser()
	b.login("/", "ann")
	at := func(iss, sid string) string {
		return "/oauth2/frontchannel-logout?" + url.Values{"iss": {iss}, "sid": {sid}}.Encode()
	}
	for _, path := range []string{at("https://evil.example", b.sid()), at(g.p.URL, ""), at("", b.sid()), "/oauth2/frontchannel-logout"} {
		if got := g.browser().get(path); got.status != 400 {
			t.Errorf("%s: got %v", path, got)
		}
	}
	if got := b.get("/"); got.status != 200 {
		t.Fatalf("got %v", got)
	}
	if got := g.browser().get(at(g.p.URL, b.sid())); got.status != 200 || got.header.Get("X-Frame-Options") != "" {
		t.Errorf("got %v", got)
	}
	if got := b.get("/"); got.status != 302 {
		t.Errorf("got %v", got)
	}
}

func TestEndings_AreBounded(t *testing.T) {
	e := newEndings(10)
	now := time.Now()
	for i := range 100 {
		e.add(ending{bySID, "i", string(rune('a' + i))}, now, time.Hour)
	}
	if len(e.at) != 10 || e.order.Len() != 10 {
		t.Errorf("%d are kept", len(e.at))
	}
	e.add(ending{bySub, "i", "ann"}, now.Add(2*time.Hour), time.Hour)
	if len(e.at) != 1 || !e.has("i", &session{sub: "ann", began: now}) || e.has("i", &session{sub: "ann", began: now.Add(3 * time.Hour)}) || e.has("j", &session{sub: "ann", began: now}) {
		t.Errorf("kept: %v", e.at)
	}
}
