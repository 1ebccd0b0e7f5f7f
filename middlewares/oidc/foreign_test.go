package oidc

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"

	"fairway/internal/oidctest"
	"fairway/middlewares/middlewarestest"
)

// foreignGate has a provider that others have written, zitadel/oidc, so that what is understood
// here of the standard is not only what this house understands of it.
func foreignGate(t *testing.T, change func(c *Config)) *gate {
	t.Helper()
	var handler http.Handler
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
	t.Cleanup(server.Close)
	issuer := strings.Replace(server.URL, "127.0.0.1", "localhost", 1)
	people := storage.NewUserStore(issuer)
	client := storage.WebClient("shop", "s3cret: of & shop", "http://shop.example/oauth2/callback")
	handler = exampleop.SetupServer(issuer, storage.NewStorageWithClients(people, map[string]*storage.Client{"shop": client}), nil, false)
	return gateOf(t, oidctest.New(t), middlewarestest.Env("login"), func(c *Config) {
		c.Issuer, c.ClientID, c.ClientSecret = issuer, "shop", "s3cret: of & shop"
		c.Scopes, c.UserInfo, c.ForwardAccessToken = []string{"openid", "profile", "email", "offline_access"}, true, true
		c.ForwardHeaders = map[string]string{"X-User": "preferred_username", "X-Email": "email"}
		if change != nil {
			change(c)
		}
	})
}

// approveForeign goes through the login pages of that provider.
func (b *browser) approveForeign(at string) string {
	b.g.Helper()
	login, _ := b.provider(at, nil)
	base, _ := url.Parse(at)
	page, err := base.Parse(login)
	if err != nil || login == "" {
		b.g.Fatalf("no login page: %q, %v", login, err)
	}
	_, text := b.provider(page.String(), nil)
	id := regexp.MustCompile(`name="id" value="([^"]*)"`).FindStringSubmatch(text)
	if id == nil {
		b.g.Fatalf("no form in %s", text)
	}
	next, text := b.provider(page.String(), url.Values{"username": {"test-user2"}, "password": {"verysecure"}, "id": {id[1]}})
	on, err := page.Parse(next)
	if err != nil || next == "" {
		b.g.Fatalf("not logged in: %s", text)
	}
	back, text := b.provider(on.String(), nil)
	if back == "" {
		b.g.Fatalf("no way back: %s", text)
	}
	return back
}

func TestForeignProvider_LoginRefreshAndLogout(t *testing.T) {
	g := foreignGate(t, nil)
	b := g.browser()
	got := b.get(b.approveForeign(b.get("/cart?x=1").location))
	if got.status != 302 || got.location != "/cart?x=1" {
		t.Fatalf("got %v", got)
	}
	if got = b.get(got.location); got.status != 200 || got.rec.User != "id2" || got.seen.Header.Get("X-User") != "test-user2" || got.seen.Header.Get("X-Email") != "test-user2@zitadel.ch" {
		t.Fatalf("got %v, %v", got, got.seen)
	}
	before := got.seen.Header.Get("Authorization")
	for range 3 {
		s, _ := g.Handler.(*handler).find(b.request())
		g.later(s.fresh.Sub(g.time()) + time.Second)
		got = b.get("/")
		if got.status != 200 || got.seen.Header.Get("Authorization") == before || len(got.header["Set-Cookie"]) == 0 {
			t.Fatalf("refreshed: got %v", got)
		}
		before = got.seen.Header.Get("Authorization")
		g.mu.Lock()
		g.now = time.Time{} // the provider's clock is not put forward
		g.mu.Unlock()
	}
	got = b.ask("GET", "/oauth2/logout", http.Header{"Sec-Fetch-Site": {"same-origin"}}, "")
	if got.status != 303 || !strings.Contains(got.location, "/end_session?") {
		t.Fatalf("got %v", got)
	}
	if to, text := b.provider(got.location, nil); !strings.HasSuffix(to, "/logged-out") {
		t.Errorf("the provider answers %q %s", to, text)
	}
	if got := b.get("/"); got.status != 302 {
		t.Errorf("got %v", got)
	}
}

func TestForeignProvider_RefusesWhatItShould(t *testing.T) {
	g := foreignGate(t, nil)
	b := g.browser()
	back := b.approveForeign(b.get("/").location)
	other := g.browser()
	theirs, _ := url.Parse(other.approveForeign(other.get("/").location))
	stolen, _ := url.Parse(back)
	query := theirs.Query()
	query.Set("code", stolen.Query().Get("code"))
	theirs.RawQuery = query.Encode()
	if got := other.get(theirs.String()); got.status != 401 || b64of(got) {
		t.Errorf("with the code of another browser: got %v", got)
	}
	wrong := foreignGate(t, func(c *Config) { c.ClientSecret = "another" })
	b = wrong.browser()
	if got := b.get(b.approveForeign(b.get("/").location)); got.status == 302 || b64of(got) {
		t.Errorf("with another secret: got %v", got)
	}
}
