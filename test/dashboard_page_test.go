//go:build e2e

package test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// routesIn writes routes for the file provider, and returns the option that names them.
func routesIn(t *testing.T, text string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "routes.yml"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return "--providers.file.directory=" + dir
}

// TestDashboard_ShowsRequestsOfANewProcess, which counts them anew.
func TestDashboard_ShowsRequestsOfANewProcess(t *testing.T) {
	options := []string{"--entrypoints.traefik.address=127.0.0.1:" + freePort(t)}
	f := startFairway(t, options...)
	b := newChromium(t, "http://"+f.address("traefik"))
	b.open(f.page("#/live"))
	b.await("the stream", `document.querySelector(".connection.on")`)
	f.await("requests of the first, more than can be shown", func() bool {
		for range 50 {
			f.get("nobody.test", "/before")
		}
		return strings.Contains(b.text(), "left out")
	})
	b.quiet(true)
	_ = f.cmd.Process.Kill()
	f.wait()
	f = startFairway(t, options...)
	b.await("the stream again", `document.querySelector(".connection.on")`)
	f.await("a request of the second", func() bool {
		time.Sleep(50 * time.Millisecond) // so that all can be shown
		f.get("nobody.test", "/after")
		return strings.Contains(b.text(), "/after")
	})
	if text := b.text(); strings.Contains(text, "/before") || strings.Contains(text, "left out") {
		t.Errorf("the page has:\n%s", text)
	}
}

// TestDashboard_SaysWhenALoginHasRunOut, which sends somewhere else, or answers with a page of
// its own.
func TestDashboard_SaysWhenALoginHasRunOut(t *testing.T) {
	f := startFairway(t)
	to := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: f.address("traefik")})
	to.FlushInterval = -1
	var login atomic.Pointer[string]
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch way := login.Load(); {
		case way == nil:
			to.ServeHTTP(w, r)
		case *way == "redirect":
			http.Redirect(w, r, "http://login.test/", http.StatusFound)
		default:
			w.Header().Set("Content-Type", "text/html")
			_, _ = w.Write([]byte("<h1>Who are you?</h1>"))
		}
	}))
	t.Cleanup(front.Close)
	for _, way := range []string{"redirect", "page"} {
		t.Run(way, func(t *testing.T) {
			login.Store(nil)
			b := newChromium(t, front.URL)
			b.open(front.URL + "/dashboard/")
			b.await("the stream", `document.querySelector(".connection.on")`)
			b.quiet(true)
			login.Store(&way)
			front.CloseClientConnections()
			b.evaluate(`location.hash = "#/routers"`, nil)
			b.await("the page to say so", `document.querySelector("main .failure")?.innerText.includes("Log in again")`)
			b.await("the stream to say so", `document.querySelector(".connection.off")?.innerText.includes("Log in again")`)
		})
	}
}

func TestDashboard_ABrokenPageLeavesTheOthers(t *testing.T) {
	f := startFairway(t)
	b := newChromium(t, "http://"+f.address("traefik"))
	b.open(f.page(""))
	b.evaluate(`{ const ask = fetch; window.fetch = (u, o) => String(u).includes("api/problems") ? Promise.resolve(Response.json([null])) : ask(u, o); location.hash = "#/problems"; }`, nil)
	b.await("it to be said", `document.querySelector("main [role=alert]") && document.querySelector("h1").innerText.includes("broken")`)
	b.evaluate(`location.hash = "#/services"`, nil)
	b.await("another page", `document.querySelector("h1").innerText === "Services" && document.querySelector(".list tbody tr")`)
	b.checkQuiet()
}

// watchStreams has the page tell of its streams, by window.streams.
func (b *chromium) watchStreams() {
	b.t.Helper()
	b.run(chromedp.ActionFunc(func(ctx context.Context) error {
		_, err := page.AddScriptToEvaluateOnNewDocument(`window.streams = []; const Plain = EventSource;
			window.EventSource = class extends Plain { constructor(url) { super(url); streams.push(this); } };`).Do(ctx)
		return err
	}))
}

// see has the page be seen, or not.
func (b *chromium) see(is bool) {
	b.t.Helper()
	b.evaluate(fmt.Sprintf(`Object.defineProperty(document, "hidden", {value: %v, configurable: true}); document.dispatchEvent(new Event("visibilitychange"))`, !is), nil)
}

// TestDashboard_PagesThatNobodySeesHaveNoStream, since browsers have six connections to a host.
func TestDashboard_PagesThatNobodySeesHaveNoStream(t *testing.T) {
	f := startFairway(t)
	b := newChromium(t, "http://"+f.address("traefik"))
	b.watchStreams()
	b.open(f.page(""))
	b.await("a second", `document.querySelector(".connection.on") && streams.length === 1 && streams[0].url.includes("since=0")`)
	time.Sleep(1500 * time.Millisecond) // until a second is known, which no element shows
	b.see(false)
	b.await("the stream to end", `streams.every((s) => s.readyState === EventSource.CLOSED)`)
	b.see(true)
	b.await("another behind what is known", `document.querySelector(".connection.on") && streams.length === 2 && /since=[1-9]/.test(streams[1].url)`)
	b.checkQuiet()
}

// TestDashboard_AsksNoFasterThanTheStream counts what an open page asks for.
func TestDashboard_AsksNoFasterThanTheStream(t *testing.T) {
	f := startFairway(t, routesIn(t, "http: {services: {s: {loadBalancer: {servers: [{url: 'http://127.0.0.1:1'}]}}}, routers: {r: {rule: 'Host(`a.test`)', service: s}}}\n"))
	b := newChromium(t, "http://"+f.address("traefik"))
	b.watchStreams()
	for _, page := range []string{"", "#/routers", "#/routers/r%40file", "#/services/s%40file", "#/problems", "#/certificates", "#/live"} {
		b.open(f.page(page))
		b.run(chromedp.Reload())
		b.await("the stream", `document.querySelector(".connection.on")`)
		b.evaluate(`performance.clearResourceTimings()`, nil)
		const seconds = 6
		time.Sleep(seconds * time.Second) // what is asked for in that time is what is counted
		var most, open int
		b.evaluate(`{ const n = {}; for (const e of performance.getEntriesByType("resource")) n[e.name] = (n[e.name] ?? 0) + 1; Math.max(0, ...Object.values(n)); }`, &most)
		b.evaluate(`streams.filter((s) => s.readyState !== EventSource.CLOSED).length`, &open)
		if most > seconds/5+2 || open != 1 {
			t.Errorf("%s: one thing was asked for %d times in %d seconds, over %d streams", page, most, seconds, open)
		}
	}
	b.checkQuiet()
}

func TestDashboard_SaysThatTooManyPagesAreOpen(t *testing.T) {
	f := startFairway(t)
	var open []io.Closer
	for range 16 {
		res, err := http.Get("http://" + f.address("traefik") + "/api/events")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = res.Body.Close() })
		open = append(open, res.Body)
	}
	b := newChromium(t, "http://"+f.address("traefik"))
	b.quiet(true)
	b.open(f.page(""))
	b.await("it to be said", `document.querySelector(".connection.off")?.innerText.includes("16 pages are open already by 127.0.0.1")`)
	b.shot("too-many")
	_ = open[0].Close()
	b.await("a place", `document.querySelector(".connection.on")`)
}

// certificateFor makes a certificate that runs out after some days.
func certificateFor(t *testing.T, dir, name string, days int) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), DNSNames: []string{name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(0, 0, days).Add(time.Hour),
		Subject: pkix.Name{CommonName: "An authority of the test"}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]*pem.Block{name + ".crt": {Type: "CERTIFICATE", Bytes: der}, name + ".key": {Type: "PRIVATE KEY", Bytes: secret}}
	for file, block := range files {
		var text bytes.Buffer
		if err := pem.Encode(&text, block); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, file), text.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, name+".crt"), filepath.Join(dir, name+".key")
}

// TestDashboard_Certificates shows two of the operator's: the overview and the page agree on
// which of them runs out soon.
func TestDashboard_Certificates(t *testing.T) {
	dir := t.TempDir()
	routes := "tls:\n  certificates:\n"
	for name, days := range map[string]int{"long.test": 60, "short.test": 10} {
		cert, key := certificateFor(t, dir, name, days)
		routes += fmt.Sprintf("    - {certFile: %s, keyFile: %s}\n", cert, key)
	}
	f := startFairway(t, routesIn(t, routes), "--entrypoints.secure.address=127.0.0.1:0", "--entrypoints.secure.http.tls")
	b := newChromium(t, "http://"+f.address("traefik"))
	b.open(f.page("#/certificates"))
	card := func(name, condition string) string {
		return fmt.Sprintf(`[...document.querySelectorAll(".certificate")].some((e) => e.innerText.includes(%q) && %s)`, name, condition)
	}
	b.await("the one that is well", card("long.test", `e.innerText.includes("An authority of the test") && e.innerText.includes("in 60 days") && e.querySelector(".status.good")`))
	b.await("the one that runs out", card("short.test", `e.innerText.includes("in 10 days") && e.innerText.includes("Issued") && e.querySelector(".status.warn")`))
	b.shot("certificates-real")
	b.open(f.page(""))
	b.await("the one that runs out", `[...document.querySelectorAll(".rows li")].some((e) => e.innerText.includes("short.test") && e.innerText.includes("runs out in 10 days"))`)
	if strings.Contains(b.text(), "long.test") {
		t.Error("the overview warns of the one that is well")
	}
	b.open(f.page("#/explain?url=long.test"))
	b.await("a bare host to be asked for by TLS", `document.querySelector("main").innerText.includes("No router at the entry point secure matches")`)
	b.checkQuiet()
}

func TestDashboard_ManyProblems(t *testing.T) {
	var routes strings.Builder
	routes.WriteString("http:\n  routers:\n")
	for i := range 250 {
		fmt.Fprintf(&routes, "    r%03d: {rule: 'Host(`h%03d.test`)', service: gone%03d}\n", i, i, i)
	}
	f := startFairway(t, routesIn(t, routes.String()))
	b := newChromium(t, "http://"+f.address("traefik"))
	b.open(f.page("#/problems"))
	b.await("the first hundred", `document.querySelectorAll(".problem").length === 100 && document.querySelector("[role=status].total").innerText === "100 of 250"`)
	for _, n := range []int{200, 250} {
		b.run(chromedp.Click(`main p button`))
		b.await("more", fmt.Sprintf(`document.querySelectorAll(".problem").length === %d`, n))
	}
	b.open(f.page("#/problems?search=gone123"))
	b.run(chromedp.Reload())
	b.await("the one that is searched for", `document.querySelectorAll(".problem").length === 1 && document.querySelector("input[type=search]").value === "gone123"`)
	b.checkQuiet()
}

// TestDashboard_Details shows what somebody wrote apart from what is so by default, and the
// way down to the servers of a service that is made of others.
func TestDashboard_Details(t *testing.T) {
	f := startFairway(t, routesIn(t, `http:
  routers:
    r: {rule: 'Host("a.test")', service: w, middlewares: [all], entryPoints: [web]}
    chosen: {rule: 'Host("b.test")', service: a, priority: 77, entryPoints: [web]}
  services:
    a: {loadBalancer: {servers: [{url: 'http://127.0.0.1:1', weight: 5}], healthCheck: {path: /, interval: 200ms}}}
    b: {loadBalancer: {servers: [{url: 'http://127.0.0.1:2'}]}}
    w: {weighted: {services: [{name: a, weight: 3}, {name: b}]}}
  middlewares:
    all: {chain: {middlewares: [add]}}
    add: {addPrefix: {prefix: /x}}
`))
	b := newChromium(t, "http://"+f.address("traefik"))
	panel := func(title string) string {
		return fmt.Sprintf(`[...document.querySelectorAll(".panel")].find((e) => e.querySelector("h2").innerText.startsWith(%q))`, title)
	}
	b.open(f.page("#/routers/r%40file"))
	b.await("servers of the parts", `(() => { const all = [...document.querySelectorAll(".step")].map((e) => e.innerText); return all.some((t) => t.includes("weight 3")) && all.some((t) => t.includes("127.0.0.1:1") && t.includes("weight 5") && t.includes("check failed")) && all.some((t) => t.includes("127.0.0.1:2")); })()`)
	b.await("the priority apart", panel("In force by default")+`?.innerText.includes("priority") && !`+panel("As it was written")+`.innerText.includes("priority")`)
	b.shot("router-weighted")
	b.open(f.page("#/routers/chosen%40file"))
	b.run(chromedp.Reload())
	b.await("a priority that was written", panel("As it was written")+`?.innerText.includes("77") && !`+panel("In force by default"))
	b.open(f.page("#/services/a%40file"))
	b.await("what is as by default", panel("As it was written")+`?.innerText.includes("as by default")`)
	b.open(f.page("#/explain?url=a.test"))
	b.await("a bare host", `(() => { const all = [...document.querySelectorAll(".step")].map((e) => e.innerText); return all.some((t) => t.includes("add@file") && t.includes("of all@file")) && all.some((t) => t.includes("127.0.0.1:2")); })()`)
	b.shot("explain-weighted")
	b.checkQuiet()
}

// TestDashboard_RefusesOtherSites at the insecure entry point, and nowhere else.
func TestDashboard_RefusesOtherSites(t *testing.T) {
	f := startFairway(t, routesIn(t, "http: {routers: {show: {rule: 'PathPrefix(`/api`)', service: api@internal, entryPoints: [web]}}}\n"))
	f.await("the route", func() bool { return f.get("any.test", "/api/version").status == 200 })
	for _, tt := range []struct {
		entryPoint, header, value string
		want                      int
	}{
		{"traefik", "Sec-Fetch-Site", "cross-site", 403},
		{"traefik", "Origin", "http://evil.test", 403},
		{"traefik", "Origin", "http://" + f.address("traefik"), 200},
		{"traefik", "Sec-Fetch-Site", "same-origin", 200},
		{"web", "Origin", "http://start.test", 200},
	} {
		r, err := http.NewRequest(http.MethodGet, "http://"+f.address(tt.entryPoint)+"/api/version", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set(tt.header, tt.value)
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != tt.want {
			t.Errorf("%s, %s: %s: got %d, want %d", tt.entryPoint, tt.header, tt.value, res.StatusCode, tt.want)
		}
	}
}

func TestDashboard_BehindStripPrefix(t *testing.T) {
	f := startFairway(t, routesIn(t, "http:\n  routers: {show: {rule: 'PathPrefix(`/gateway`)', service: api@internal, middlewares: [strip], entryPoints: [web]}}\n"+
		"  middlewares: {strip: {stripPrefix: {prefixes: [/gateway]}}}\n"))
	f.await("the route", func() bool { return f.get("any.test", "/gateway/api/version").status == 200 })
	b := newChromium(t, "http://"+f.address("web"))
	b.open("http://" + f.address("web") + "/gateway/")
	b.await("the stream", `location.pathname === "/gateway/dashboard/" && document.querySelector(".connection.on")`)
	b.checkQuiet()
}
