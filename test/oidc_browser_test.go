//go:build e2e

package test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"fairway/internal/oidctest"
)

// shopper has a real browser.
type shopper struct {
	*chromium
	p    *oidctest.Provider
	shop string
}

// TestOIDC_InABrowser goes through all that people do: they come by https, so that cookies are
// __Host- cookies, and the provider is another site.
func TestOIDC_InABrowser(t *testing.T) {
	p := oidctest.New(t)
	f := startFairway(t, "--entrypoints.websecure.address=127.0.0.1:0", oidcRoutes(t, p.URL, "forwardAccessToken: true, "+sessionSecret))
	_, port, _ := net.SplitHostPort(f.address("websecure"))
	f.await("the route", func() bool { return f.get("localhost", "/").status == 401 })
	b := &shopper{newChromium(t, ""), p, "https://localhost:" + port}
	b.quiet(true) // it is told no, and says so
	for _, part := range []struct {
		name string
		try  func(t *testing.T)
	}{
		{"login", b.logsIn},
		{"cookies are out of reach of scripts", b.hidesCookies},
		{"refresh", b.refreshes},
		{"tampered cookie", b.tampers},
		{"other sites cannot log out", b.isNotLoggedOut},
		{"logout by the user", b.logsOut},
		{"the provider says no", b.isDenied},
		{"two tabs", b.hasTwoTabs},
		{"logout by the provider", b.isLoggedOut},
		{"logout by a frame", b.isFramedOut},
	} {
		if !t.Run(part.name, func(t *testing.T) { b.t = t; part.try(t) }) {
			b.t = t
			break
		}
		b.t = t
	}
}

func (b *shopper) at(url string) {
	b.t.Helper()
	b.await("the address "+url, fmt.Sprintf("location.href === %q && document.readyState === 'complete'", url))
}

// fill logs in on the provider's page.
func (b *shopper) fill(tab context.Context, user string) {
	b.t.Helper()
	if err := chromedp.Run(tab,
		chromedp.WaitVisible("#login"), chromedp.SendKeys("#username", user), chromedp.SendKeys("#password", "secret-of-"+user), chromedp.Click("#login"),
	); err != nil {
		b.t.Fatal(err)
	}
}

func (b *shopper) logsIn(t *testing.T) {
	b.run(chromedp.Navigate(b.shop + "/cart?item=17#top"))
	b.await("the provider's page", `document.title === "Log in" && location.origin === "`+b.p.URL+`"`)
	b.fill(b.tab, "ann")
	b.await("what was asked for", `location.href.startsWith("`+b.shop+`/cart?item=17")`)
	if text := b.text(); !strings.Contains(text, `"X-User":["ann"]`) || !strings.Contains(text, `"target":"/cart?item=17"`) || strings.Contains(text, "oidc_") {
		t.Errorf("the service sees %s", text)
	}
}

func (b *shopper) hidesCookies(t *testing.T) {
	var shown string
	if b.evaluate("document.cookie", &shown); shown != "" {
		t.Errorf("scripts see %q", shown)
	}
	for _, c := range b.cookies() {
		if !strings.HasPrefix(c.Name, "__Host-") || !c.Secure || !c.HTTPOnly || c.SameSite != network.CookieSameSiteLax {
			t.Errorf("got %+v", c)
		}
	}
}

// cookies are those of the shop.
func (b *shopper) cookies() (all []*network.Cookie) {
	b.t.Helper()
	b.run(chromedp.ActionFunc(func(ctx context.Context) (err error) {
		all, err = network.GetCookies().WithURLs([]string{b.shop}).Do(ctx)
		return err
	}))
	return all
}

// fetch asks as a script of the page does.
func (b *shopper) fetch(path string) (status int, text string) {
	b.t.Helper()
	var got struct {
		Status int
		Text   string
	}
	b.run(chromedp.Evaluate(`fetch("`+path+`").then(async r => ({Status: r.status, Text: await r.text()}))`, &got, awaitPromise))
	return got.Status, got.Text
}

func tokenIn(text string) string {
	_, rest, _ := strings.Cut(text, "Bearer ")
	token, _, _ := strings.Cut(rest, `"`)
	return token
}

func (b *shopper) refreshes(t *testing.T) {
	b.p.Change(func(o *oidctest.Options) { o.Lasts = 2 * time.Second })
	defer b.p.Change(func(o *oidctest.Options) { o.Lasts = 5 * time.Minute })
	b.run(chromedp.Navigate(b.shop + "/oauth2/login?rd=/short"))
	b.at(b.shop + "/short") // the provider knows the browser
	asked := b.p.Asked("/token")
	before := tokenIn(b.text())
	time.Sleep(2100 * time.Millisecond) // until the tokens of the real provider are over; whoever asked would refresh them
	var same bool
	b.run(chromedp.Evaluate(`Promise.all([...Array(12)].map((_, i) => fetch("/part/" + i).then(async r => r.status + /Bearer [^"]*/.exec(await r.text())[0]))).then(all => new Set(all).size === 1 && all[0].startsWith("200"))`, &same, awaitPromise))
	status, text := b.fetch("/after")
	if n := b.p.Asked("/token") - asked; !same || n != 1 || status != 200 || tokenIn(text) == before || tokenIn(text) == "" {
		t.Errorf("twelve parts of a page, same %v, have refreshed %d times; then %d, %s", same, n, status, text)
	}
	b.p.Change(func(o *oidctest.Options) { o.Lasts = 5 * time.Minute })
	b.run(chromedp.Navigate(b.shop + "/oauth2/login?rd=/long"))
	b.at(b.shop + "/long")
}

func (b *shopper) tampers(t *testing.T) {
	for _, c := range b.cookies() {
		b.run(chromedp.ActionFunc(func(ctx context.Context) error {
			return network.SetCookie(c.Name, "A"+c.Value[1:]+"A").WithURL(b.shop).WithPath("/").WithSecure(true).WithHTTPOnly(true).WithSameSite(network.CookieSameSiteLax).Do(ctx)
		}))
	}
	if status, text := b.fetch("/api"); status != 401 || strings.Contains(text, "ann") {
		t.Errorf("a script gets %d %s", status, text)
	}
	b.run(chromedp.Navigate(b.shop + "/again"))
	b.at(b.shop + "/again")
	if !strings.Contains(b.text(), `"X-User":["ann"]`) {
		t.Errorf("the service sees %s", b.text())
	}
}

func (b *shopper) isNotLoggedOut(t *testing.T) {
	evil := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		switch r.URL.Path {
		case "/image":
			_, _ = fmt.Fprintf(w, `<title>done</title><img src="%[1]s/oauth2/logout"><iframe src="%[1]s/oauth2/logout"></iframe><script>fetch("%[1]s/oauth2/logout", {mode: "no-cors", credentials: "include", method: "POST"})</script>`, b.shop)
		case "/form":
			_, _ = fmt.Fprintf(w, `<form method="post" action="%s/oauth2/logout"></form><script>document.forms[0].submit()</script>`, b.shop)
		case "/link":
			_, _ = fmt.Fprintf(w, `<script>location = "%s/oauth2/logout"</script>`, b.shop)
		}
	}))
	defer evil.Close()
	b.run(chromedp.Navigate(evil.URL + "/image"))
	b.at(evil.URL + "/image")
	b.run(chromedp.Navigate(evil.URL + "/form"))
	b.at(b.shop + "/oauth2/logout")
	if text := b.text(); !strings.Contains(text, "Forbidden") {
		t.Errorf("their form gets %s", text)
	}
	b.run(chromedp.Navigate(evil.URL + "/link"))
	b.at(b.shop + "/oauth2/logout")
	if text := b.text(); !strings.Contains(text, "Log out?") {
		t.Errorf("their link gets %s", text)
	}
	b.run(chromedp.Navigate(b.shop + "/still"))
	b.at(b.shop + "/still")
	if status, _ := b.fetch("/api"); status != 200 {
		t.Errorf("got %d", status)
	}
	// The button of the page does log out.
	b.run(chromedp.Navigate(evil.URL + "/link"))
	b.await("the question", `document.querySelector("button") !== null`)
	b.run(chromedp.Click("button"))
	b.await("the provider", `document.body?.innerText.includes("Logged out at the provider")`)
	b.run(chromedp.Navigate(b.shop + "/cart"))
	b.fill(b.tab, "ann")
	b.at(b.shop + "/cart")
}

func (b *shopper) logsOut(t *testing.T) {
	b.run(chromedp.Click("#out"))
	b.await("the provider", `document.body?.innerText.includes("Logged out at the provider")`)
	if all := b.cookies(); len(all) != 0 {
		t.Errorf("the browser keeps %v", all)
	}
	b.run(chromedp.Navigate(b.shop + "/cart"))
	b.await("the provider's page", `document.title === "Log in"`)
}

func (b *shopper) isDenied(t *testing.T) {
	b.run(chromedp.Click("#deny"))
	b.await("the answer", `document.title === "403 Forbidden"`)
	if text := b.text(); !strings.Contains(text, "The login was refused.") || strings.Contains(text, "alert") {
		t.Errorf("the page says %s", text)
	}
}

func (b *shopper) hasTwoTabs(t *testing.T) {
	second, closed := chromedp.NewContext(b.tab)
	defer closed()
	b.run(chromedp.Navigate(b.shop + "/first"))
	if err := chromedp.Run(second, chromedp.Navigate(b.shop+"/second")); err != nil {
		t.Fatal(err)
	}
	b.fill(second, "ann")
	if err := chromedp.Run(second, chromedp.WaitVisible("#seen")); err != nil {
		t.Fatal(err)
	}
	b.fill(b.tab, "ann")
	b.at(b.shop + "/first")
	var at string
	if err := chromedp.Run(second, chromedp.Location(&at)); err != nil || at != b.shop+"/second" {
		t.Errorf("the second tab is at %s, %v", at, err)
	}
}

func (b *shopper) isLoggedOut(t *testing.T) {
	b.at(b.shop + "/first")
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}, Timeout: 10 * time.Second}
	for sid := range b.p.Sessions() {
		res, err := client.PostForm(b.shop+"/oauth2/backchannel-logout", url.Values{"logout_token": {b.p.Sign(b.p.LogoutToken("", sid))}})
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if res.StatusCode != 200 {
			t.Errorf("got %d %s", res.StatusCode, text)
		}
	}
	b.p.Forget()
	if status, _ := b.fetch("/api"); status != 401 {
		t.Errorf("a script gets %d", status)
	}
	b.run(chromedp.Navigate(b.shop + "/cart"))
	b.fill(b.tab, "bob")
	b.at(b.shop + "/cart")
}

func (b *shopper) isFramedOut(t *testing.T) {
	frames := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		for sid := range b.p.Sessions() {
			_, _ = fmt.Fprintf(w, `<iframe onload="document.title='over'" src="%s/oauth2/frontchannel-logout?%s"></iframe>`, b.shop, url.Values{"iss": {b.p.URL}, "sid": {sid}}.Encode())
		}
	}))
	defer frames.Close()
	b.run(chromedp.Navigate(frames.URL))
	b.await("the frame", `document.title === "over"`)
	b.p.Forget()
	b.run(chromedp.Navigate(b.shop + "/cart"))
	b.await("the provider's page", `document.title === "Log in"`)
}
