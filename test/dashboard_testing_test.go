//go:build e2e

package test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// chromium is a browser without a screen, with one tab.
type chromium struct {
	t     *testing.T
	tab   context.Context
	shots string

	mu       sync.Mutex
	said     []string // errors and violations that the console shows
	foreign  []string // requests to others
	allowed  string   // the origin of the page
	quietly  bool     // errors are expected: the gateway is away
	requests int
}

// newChromium starts the browser. It ends with the test. Screenshots are written to the
// folder that FAIRWAY_SHOTS names, if it does.
func newChromium(t *testing.T, origin string) *chromium {
	t.Helper()
	profile, err := os.MkdirTemp("", "fairway-chromium")
	if err != nil {
		t.Fatal(err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.NoSandbox, chromedp.UserDataDir(profile), chromedp.WindowSize(1360, 900),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("ignore-certificate-errors", true),
	)
	allocated, freed := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(freed)
	tab, closed := chromedp.NewContext(allocated)
	t.Cleanup(func() {
		_ = chromedp.Cancel(tab) // waits until the browser has ended
		closed()
		_ = os.RemoveAll(profile)
	})
	bounded, end := context.WithTimeout(tab, 3*time.Minute)
	t.Cleanup(end)
	b := &chromium{t: t, tab: bounded, shots: os.Getenv("FAIRWAY_SHOTS"), allowed: origin}
	chromedp.ListenTarget(bounded, b.listen)
	b.run(log.Enable(), network.Enable(), runtime.Enable())
	return b
}

func (b *chromium) listen(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *log.EventEntryAdded:
		if !b.quietly && e.Entry.Level == log.LevelError {
			b.said = append(b.said, e.Entry.Text+" "+e.Entry.URL)
		}
	case *runtime.EventExceptionThrown:
		b.said = append(b.said, e.ExceptionDetails.Error())
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.APITypeError || e.Type == runtime.APITypeWarning {
			b.said = append(b.said, fmt.Sprint(e.Type, " on the console: ", string(e.Args[0].Value)))
		}
	case *network.EventRequestWillBeSent:
		b.requests++
		if url := e.Request.URL; !strings.HasPrefix(url, b.allowed) && !strings.HasPrefix(url, "data:") && !strings.HasPrefix(url, "about:") {
			b.foreign = append(b.foreign, url)
		}
	}
}

func (b *chromium) run(actions ...chromedp.Action) {
	b.t.Helper()
	if err := chromedp.Run(b.tab, actions...); err != nil {
		b.t.Fatalf("in the browser: %v", err)
	}
}

// open goes to a page and waits until its heading is there, and nothing is waited for.
func (b *chromium) open(url string) {
	b.t.Helper()
	b.run(chromedp.Navigate(url))
	b.await("the page "+url, `document.querySelector("main h1") !== null && document.querySelector(".wait") === null`)
}

// quiet has errors on the console be taken for what they are: the gateway has said no.
func (b *chromium) quiet(is bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.quietly = is
}

// await waits until an expression is true.
func (b *chromium) await(what, expression string) {
	b.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for met := false; !met; time.Sleep(20 * time.Millisecond) {
		if err := chromedp.Run(b.tab, chromedp.Evaluate("Boolean("+expression+")", &met)); err != nil {
			b.t.Fatalf("%s: %v", what, err)
		}
		if time.Now().After(deadline) {
			b.shot("failed")
			b.t.Fatalf("waited in vain for %s; the page has:\n%.2000s", what, b.text())
		}
	}
}

// text is all that the page shows.
func (b *chromium) text() (text string) {
	b.t.Helper()
	b.run(chromedp.Evaluate("document.body.innerText", &text))
	return text
}

// evaluate returns what an expression gives.
func (b *chromium) evaluate(expression string, into any) {
	b.t.Helper()
	b.run(chromedp.Evaluate(expression, into))
}

// dark chooses what the browser prefers.
func (b *chromium) prefer(scheme string) {
	b.t.Helper()
	b.run(emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}))
}

func (b *chromium) size(width, height int64) {
	b.t.Helper()
	b.run(emulation.SetDeviceMetricsOverride(width, height, 1, width < 600))
}

// shot takes a picture.
func (b *chromium) shot(name string) {
	b.t.Helper()
	if b.shots == "" {
		return
	}
	var picture []byte
	b.run(chromedp.FullScreenshot(&picture, 100))
	if err := os.MkdirAll(b.shots, 0o755); err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(b.shots, name+".png"), picture, 0o644); err != nil {
		b.t.Fatal(err)
	}
}

// checkQuiet fails if something was wrong in the browser so far, or somebody else was asked.
func (b *chromium) checkQuiet() {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.said) > 0 {
		b.t.Errorf("the console shows: %q", b.said)
	}
	if len(b.foreign) > 0 {
		b.t.Errorf("others were asked: %q", b.foreign)
	}
}

// awaitPromise has an expression wait for what it promises.
func awaitPromise(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }
