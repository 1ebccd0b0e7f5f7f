//go:build e2e

package test

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// page is the address of a page of the dashboard.
func (f *fairway) page(name string) string {
	return "http://" + f.address("traefik") + "/dashboard/" + name
}

// hostile is what a container may call things to break into a page.
const hostile = `<img src=x onerror="document.title='broken'"><script>document.title='broken'</script>`

func TestDashboard_Pages(t *testing.T) {
	e := needDocker(t)
	f := dockerFairway(t, e)
	e.container(t, "shop", "-l", "fairway.http.routers.shop.rule=Host(`shop.test`) && PathPrefix(`/cart`)",
		"-l", "fairway.http.routers.shop.middlewares=limit,strip", "-l", "fairway.http.middlewares.strip.stripprefix.prefixes=/cart",
		"-l", "fairway.http.middlewares.limit.ratelimit.average=1000", "-l", "fairway.http.middlewares.limit.ratelimit.burst=100",
		"-l", "fairway.http.services.shop.loadbalancer.healthcheck.path=/", "-l", "fairway.http.services.shop.loadbalancer.healthcheck.interval=500ms")
	e.container(t, "blog", "-l", "fairway.http.routers.blog.rule=Host(`blog.test`)")
	e.container(t, "wrong", "-l", "fairway.http.routers.wrong.rule=Host(`wrong.test`)", "-l", "fairway.http.routers.wrong.middleware="+hostile,
		"-l", "fairway.http.routers.evil.rule=Host(`evil.test`)", "-l", "fairway.http.routers.evil.service="+hostile,
		"-l", "fairway.http.middlewares.evil.headers.customresponseheaders.X-Evil="+hostile, "-l", "fairway.http.routers.wrong.entrypoint="+hostile)
	f.await("the service", func() bool { return f.get("shop.test", "/cart").status == 200 })
	for range 30 {
		f.get("shop.test", "/cart/1?token=hunter2")
		f.get("nobody.test", "/")
	}
	b := newChromium(t, "http://"+f.address("traefik"))

	t.Run("overview", func(t *testing.T) {
		b.open(f.page(""))
		b.await("the stream", `document.querySelector(".connection.on")`)
		b.await("requests of the last seconds", `document.querySelectorAll(".figure .big")[2].innerText.includes("ms")`)
		b.await("the provider", `document.querySelector("main")?.innerText.includes("docker")`)
		b.shot("overview")
	})
	t.Run("problems", func(t *testing.T) {
		b.open(f.page("#/problems"))
		b.await("the mistyped label", `document.querySelector(".problems")?.innerText.includes("fairway.http.routers.wrong.middlewares")`)
		b.shot("problems")
	})
	t.Run("routers", func(t *testing.T) {
		b.open(f.page("#/routers"))
		b.await("the routers", `document.querySelectorAll(".list tbody tr").length >= 4`)
		b.run(chromedp.SendKeys(`input[type=search]`, "shop"))
		b.await("what is searched for", `document.querySelectorAll(".list tbody tr").length === 1 && document.querySelector(".list tbody")?.innerText.includes("shop")`)
		b.shot("routers")
		b.run(chromedp.Click(`.list tbody a.name`))
		b.await("the way of a request", `[...document.querySelectorAll(".way .what")].map((e) => e.innerText).join() === "entry points,router,middleware,middleware,service,server"`)
		b.await("where it was written", `document.querySelector("main")?.innerText.includes("container shop")`)
		b.shot("router")
	})
	t.Run("service", func(t *testing.T) {
		b.open(f.page("#/services/shop%40docker"))
		b.await("its check", `document.querySelector("main table")?.innerText.includes("passed")`)
		b.shot("service")
	})
	t.Run("middleware", func(t *testing.T) {
		b.open(f.page("#/middlewares/limit%40docker"))
		b.await("options with their sentences", `document.querySelector(".options .hint") && document.querySelector(".options")?.innerText.includes("1000")`)
		b.shot("middleware")
	})
	t.Run("explain", func(t *testing.T) {
		b.open(f.page("#/explain"))
		b.run(chromedp.SendKeys(`input[inputmode=url]`, "http://shop.test/basket"), chromedp.SendKeys(`input[inputmode=url]`, kb.Enter))
		b.await("the matcher that failed", `document.querySelector(".matcher.no")?.innerText.includes("PathPrefix(`+"\\`/cart\\`"+`)")`)
		b.open(f.page("#/explain?url=http%3A%2F%2Fshop.test%2Fcart"))
		b.await("who gets it", `document.querySelector(".step.here")?.innerText.includes("shop@docker")`)
		b.shot("explain")
	})
	t.Run("requests", func(t *testing.T) {
		b.open(f.page("#/live"))
		b.await("the stream with requests", `document.querySelector(".connection.on")`)
		f.await("a request on the page", func() bool {
			f.get("shop.test", "/cart/seen?token=hunter2")
			f.get("nobody.test", "/wp-login.php")
			return strings.Contains(b.text(), "/cart/seen?token=")
		})
		if text := b.text(); strings.Contains(text, "hunter2") || !strings.Contains(text, "shop@docker") {
			t.Errorf("the page has:\n%s", text)
		}
		b.run(chromedp.Click(`button[aria-pressed]`))
		b.shot("requests")
	})
	for name, word := range map[string]string{"certificates": "There are none", "configuration": "providers.docker.endpoint", "middlewares": "stripprefix", "services": "1 of 1 up", "streams": "Routers of UDP"} {
		t.Run(name, func(t *testing.T) {
			b.open(f.page("#/" + name))
			b.await(word, fmt.Sprintf(`document.querySelector("main")?.innerText.includes(%q)`, word))
			b.shot(name)
		})
	}
	t.Run("names are text", func(t *testing.T) {
		for page, text := range map[string]string{
			"#/middlewares/evil%40docker": "onerror",
			"#/configuration":             "onerror",
			"#/explain?url=http%3A%2F%2Fa.test%2F%3Cimg%20src%3Dx%20onerror%3D1%3E": "Nobody gets it",
			"#/problems?search=onerror": "<script>document.title",
			"#/routers?search=evil":     "<script>document.title",
		} {
			b.open(f.page(page))
			b.await("the hostile text", fmt.Sprintf(`document.querySelector("main")?.innerText.includes(%q)`, text))
			var elements int
			b.evaluate(`document.querySelectorAll("main img, main script").length`, &elements)
			if elements > 0 {
				t.Errorf("%s: %d elements were made of a label", page, elements)
			}
		}
	})
	t.Run("what is not there", func(t *testing.T) {
		b.quiet(true)
		defer b.quiet(false)
		b.open(f.page("#/routers/" + url.PathEscape(hostile)))
		b.await("it to be said", `document.querySelector("main")?.innerText.includes("router not found: <img src=x")`)
	})
	t.Run("it is live", func(t *testing.T) {
		b.open(f.page("#/routers"))
		b.await("the router", `document.querySelector(".list")?.innerText.includes("blog")`)
		e.do(t, "stop", "-t", "1", "blog")
		b.await("it to go", `document.querySelector(".list") && !document.querySelector(".list").innerText.includes("blog")`)
	})
	b.checkQuiet()
	checkAccessible(t, b, f)
}

// checkAccessible has axe-core look at every page, by both sets of colours and as wide as a
// phone is.
func checkAccessible(t *testing.T, b *chromium, f *fairway) {
	axe := axeCore(t)
	for _, look := range []string{"light", "dark", "phone"} {
		if look == "phone" {
			b.size(390, 800)
		} else {
			b.prefer(look)
		}
		for _, page := range []string{"", "#/problems", "#/routers", "#/routers/shop%40docker", "#/services", "#/services/shop%40docker", "#/middlewares/limit%40docker", "#/explain?url=http%3A%2F%2Fshop.test%2F", "#/live", "#/certificates", "#/configuration", "#/streams"} {
			b.open(f.page(page))
			var found string
			b.run(chromedp.Evaluate(axe, nil))
			b.run(chromedp.Evaluate(`axe.run(document, {runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}).then((r) => JSON.stringify(r.violations
				.filter((v) => v.impact === "serious" || v.impact === "critical")
				.map((v) => v.id + ": " + v.nodes.map((n) => n.html).slice(0, 3).join(" "))))`, &found, awaitPromise))
			if found != "[]" {
				t.Errorf("%s, %s: %s", page, look, found)
			}
		}
	}
	b.open(f.page("#/live"))
	b.await("a request", `document.querySelector(".requests tbody td")`)
	b.await("names of columns", `[...document.querySelectorAll(".requests tbody tr:first-child td")].every((e) => e.dataset.title) && getComputedStyle(document.querySelectorAll(".requests tbody td")[4], "::before").content.includes("Took")`)
	b.run(chromedp.SendKeys(`input[type=search]`, "seen"))
	b.shot("phone-requests")
	b.size(1360, 900)
	b.open(f.page(""))
	b.shot("dark")
}

// axeCore is the library, as npm has it.
func axeCore(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	pack := exec.Command("npm", "pack", "--silent", "axe-core@4.10.3")
	pack.Dir = dir
	if out, err := pack.CombinedOutput(); err != nil {
		t.Fatalf("fetch axe-core: %v\n%s", err, out)
	}
	if out, err := exec.Command("tar", "xzf", filepath.Join(dir, "axe-core-4.10.3.tgz"), "-C", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	text, err := os.ReadFile(filepath.Join(dir, "package", "axe.min.js"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestDashboard_TenThousandRouters(t *testing.T) {
	dir := t.TempDir()
	var text strings.Builder
	text.WriteString("http:\n  services: {s: {loadBalancer: {servers: [{url: 'http://127.0.0.1:1'}]}}}\n  routers:\n")
	for i := range 10_000 {
		fmt.Fprintf(&text, "    r%05d: {rule: 'Host(`h%05d.test`)', service: s}\n", i, i)
	}
	if err := os.WriteFile(filepath.Join(dir, "routes.yml"), []byte(text.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	f := startFairway(t, "--providers.file.directory="+dir)
	b := newChromium(t, "http://"+f.address("traefik"))
	b.open(f.page("#/routers?provider=file"))
	b.await("the first page", `document.querySelectorAll(".list tbody tr").length === 100`)
	b.await("how many there are", `document.querySelector("[role=status].total").innerText.endsWith("of 10,000")`)
	var drawn int // links, of which each row has two
	b.evaluate(`window.drawn = 0; const plain = encodeURIComponent; window.encodeURIComponent = (s) => (window.drawn++, plain(s)); 0`, &drawn)
	time.Sleep(10 * time.Second) // what is drawn in that time is what is counted
	b.evaluate(`window.drawn`, &drawn)
	if most := 9 * 200; drawn > most {
		t.Errorf("in 10 seconds %d links of rows were drawn, want at most %d", drawn, most)
	}
	for n := 200; n <= 400; n += 100 {
		b.evaluate(`scrollTo(0, document.body.scrollHeight)`, nil)
		b.await("another page", fmt.Sprintf(`document.querySelectorAll(".list tbody tr").length >= %d`, n))
	}
	b.run(chromedp.SendKeys(`input[type=search]`, "h07777"))
	b.await("the one that is searched for", `document.querySelectorAll(".list tbody tr").length === 1 && document.querySelector(".list tbody")?.innerText.includes("r07777")`)
	b.await("how many fit", `document.querySelector("[role=status].total").innerText === "1 in all"`)
	b.shot("ten-thousand")
	b.checkQuiet()
}

// TestDashboard_BelowAPathAndALogin serves the dashboard by a router of the user's.
func TestDashboard_BelowAPathAndALogin(t *testing.T) {
	dir := t.TempDir()
	routes := "http:\n  routers: {show: {rule: 'PathPrefix(`/gateway`)', service: api@internal, middlewares: [login], entryPoints: [web]}}\n" +
		"  middlewares: {login: {basicAuth: {users: ['ann:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=']}}}\n"
	if err := os.WriteFile(filepath.Join(dir, "routes.yml"), []byte(routes), 0o644); err != nil {
		t.Fatal(err)
	}
	f := startFairway(t, "--providers.file.directory="+dir, "--api.basepath=/gateway", "--api.insecure=false")
	b := newChromium(t, "http://"+f.address("web"))
	b.run(chromedp.Navigate("http://ann:secret@" + f.address("web") + "/gateway/dashboard/"))
	b.await("the stream below the path", `document.querySelector(".connection.on")`)
	b.open("http://" + f.address("web") + "/gateway/dashboard/#/routers")
	b.await("the router", `document.querySelector(".list")?.innerText.includes("show")`)
}

// TestDashboard_SaysThatTheConnectionIsLost, and goes on when fairway is there again.
func TestDashboard_SaysThatTheConnectionIsLost(t *testing.T) {
	port := freePort(t)
	options := []string{"--entrypoints.traefik.address=127.0.0.1:" + port}
	f := startFairway(t, options...)
	b := newChromium(t, "http://"+f.address("traefik"))
	b.open(f.page(""))
	b.await("the stream", `document.querySelector(".connection.on")`)
	b.size(390, 800)
	b.shot("phone")
	b.quiet(true)
	_ = f.cmd.Process.Kill()
	f.wait()
	b.await("it to be said", `document.querySelector(".connection.off")?.innerText.includes("lost")`)
	startFairway(t, options...)
	b.await("the stream again", `document.querySelector(".connection.on")`)
}

func TestDashboard_OnlyReads(t *testing.T) {
	f := startFairway(t)
	for _, method := range []string{"POST", "PUT", "PATCH", "DELETE", "OPTIONS", "MKCOL"} {
		for _, path := range []string{"/api/version", "/api/explain", "/api/events", "/api/changes", "/api/http/routers/x", "/dashboard/", "/dashboard/app.js", "/api/nothing"} {
			req, err := http.NewRequest(method, "http://"+f.address("traefik")+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			_ = res.Body.Close()
			if res.StatusCode != http.StatusMethodNotAllowed || res.Header.Get("Allow") != "GET, HEAD" {
				t.Errorf("%s %s: got %d", method, path, res.StatusCode)
			}
		}
	}
}
