// Package browser drives a real browser, Debian's Chromium, through pages as a person would, and looks at each page as a person might have to:
// by keyboard or screen reader (axe-core), on a phone, in a window. It is for tests.
//
//	b := browser.Start(t, "http://127.0.0.1:28080")
//	p := b.Visit(t)
//	p.Go("/")
//	p.Type("#q", "bananna")
//	p.Press(kb.Enter)
//	p.Wait(".card")
//	p.Look("search") // at both widths: a picture, axe-core, the layout
//
// Whatever a page's script throws, and whatever the page's policy refuses, fails the test.
package browser

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp" // speaks the browser's own protocol: neither a driver's program nor another language is needed
)

// patience is how long a page may take to be as it is waited for. A browser on a busy machine is slow.
const patience = 30 * time.Second

// The widths that pages are looked at: the narrowest phone, and a window.
const (
	narrow = 360
	wide   = 1280
	height = 900
)

// Browser is one browser process. Its visits share nothing.
type Browser struct {
	ctx     context.Context
	base    string
	axe     string
	folder  string // of pictures
	smaller string // of small ones, "" for none
}

// Start starts a browser for the pages at base. It ends with the test. SCREENSHOTS names the folder of pictures, AXE the file axe.min.js of
// tools/axe.sh; SMALL_SCREENSHOTS a folder for small ones, which nothing needs.
func Start(t *testing.T, base string) *Browser {
	t.Helper()
	b := &Browser{base: base, folder: os.Getenv("SCREENSHOTS"), smaller: os.Getenv("SMALL_SCREENSHOTS")}
	if b.folder == "" {
		b.folder = t.TempDir()
	}
	for _, folder := range []string{b.folder, b.smaller} {
		if folder == "" {
			continue
		}
		if err := os.MkdirAll(folder, 0o755); err != nil { //nolint:gosec // pictures are for everybody
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(os.Getenv("AXE"))
	if err != nil {
		t.Fatalf("AXE doesn't name axe-core's file; make test sets it, and so does: export AXE=$(tools/axe.sh): %v", err)
	}
	b.axe = string(text)
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.NoSandbox, // tests run as root, in a container as well
		chromedp.DisableGPU,
		chromedp.Flag("disable-component-update", true),
		chromedp.UserDataDir(t.TempDir()),
		chromedp.WSURLReadTimeout(time.Minute),
	)
	ctx, cancel := chromedp.NewExecAllocator(context.WithoutCancel(t.Context()), options...)
	t.Cleanup(cancel)
	var end context.CancelFunc
	b.ctx, end = chromedp.NewContext(ctx)
	t.Cleanup(end)
	if err := chromedp.Do(b.ctx); err != nil {
		t.Fatalf("the browser doesn't start; make demo installs the Debian package chromium: %v", err)
	}
	return b
}

// Page is a visit: one tab, with cookies of its own.
type Page struct {
	t   *testing.T
	b   *Browser
	ctx context.Context

	mu     sync.Mutex
	faults []string
	blind  bool
}

// Option changes a visit.
type Option func(*Page)

// WithoutScripts visits as a browser does that runs none.
func WithoutScripts(p *Page) { p.blind = true }

// Visit opens a tab.
func (b *Browser) Visit(t *testing.T, options ...Option) *Page {
	t.Helper()
	p := &Page{t: t, b: b}
	for _, option := range options {
		option(p)
	}
	ctx, cancel := chromedp.NewContext(b.ctx, chromedp.WithNewBrowserContext())
	p.ctx = ctx
	t.Cleanup(func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, fault := range p.faults {
			t.Error(fault)
		}
		if t.Failed() && !p.blind {
			p.picture("failed-"+strings.ReplaceAll(t.Name(), "/", "-"), wide)
		}
		cancel()
	})
	if err := chromedp.Listen(ctx, p.hear); err != nil {
		t.Fatalf("open a tab: %v", err)
	}
	p.run("open a tab", do(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: p.blind}), size(wide))
	return p
}

// hear keeps what the page complains of.
func (p *Page) hear(event any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		p.faults = append(p.faults, "a script failed: "+fmt.Sprint(e.ExceptionDetails.Text, " ", describe(e.ExceptionDetails)))
	case *cdplog.EventEntryAdded:
		// A refusal that is a page of words, 409 for example, is no fault.
		if e.Entry.Level == cdplog.EntryLevelError && e.Entry.Source != cdplog.EntrySourceNetwork {
			p.faults = append(p.faults, fmt.Sprintf("the browser complains: %s (%s)", e.Entry.Text, e.Entry.URL))
		}
	}
}

func describe(e *runtime.ExceptionDetails) string {
	if e.Exception == nil {
		return ""
	}
	return e.Exception.Description
}

type step = chromedp.Action[chromedp.Void]

// do is a command of the browser's protocol that answers nothing.
func do[P any](command cdp.Command[P, cdp.Empty], params P) step {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, command, params)
		return err
	})
}

func size(width int64) step {
	return do(emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: width, Height: height, DeviceScaleFactor: 1, Mobile: width < 600})
}

func (p *Page) run(what string, steps ...step) {
	p.t.Helper()
	ask(p, what, func(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
		return chromedp.Steps(steps...)(ctx, t)
	})
}

// ask does something that answers, or ends the test. It asks again if another page came in the place of the one that was being asked, so
// that what it does must be as well done twice as once.
func ask[T any](p *Page, what string, action chromedp.Action[T]) T {
	p.t.Helper()
	return askWhile(p, what, action, replaced)
}

// once does what may not be done twice, a click for example, or ends the test.
func (p *Page) once(what string, action step) {
	p.t.Helper()
	askWhile(p, what, action, func(error) bool { return false })
}

// askWhile asks until the answer is none of those errors after which one asks again.
func askWhile[T any](p *Page, what string, action chromedp.Action[T], again func(error) bool) T {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	answer, err := chromedp.Run(ctx, action)
	for ; again(err) && ctx.Err() == nil; <-tick.C {
		answer, err = chromedp.Run(ctx, action)
	}
	if err != nil {
		at, _ := chromedp.Run(p.ctx, chromedp.Location())
		p.t.Fatalf("%s: %v; the page is %s, and says: %s", what, err, at, p.says())
	}
	return answer
}

// replaced tells whether an error says that the page went away under what was asked of it. The browser has one code for this and more;
// only its words tell.
func replaced(err error) bool {
	var refusal *cdproto.Error
	return errors.As(err, &refusal) && slices.ContainsFunc([]string{
		"Execution context was destroyed",
		"Cannot find context with specified id",
		"Cannot find default execution context",
		"Could not find object with given id",
		"Inspected target navigated or closed",
		"Could not find node with given id",
		"No node with given id found",
		"Node with given id does not belong to the document",
		"Node is detached from document",
	}, func(words string) bool { return strings.HasPrefix(refusal.Message, words) })
}

// says is the beginning of what the page says.
func (p *Page) says() string {
	ctx, cancel := context.WithTimeout(p.ctx, 2*time.Second)
	defer cancel()
	text, _ := chromedp.Run(ctx, chromedp.Evaluate[string](`(document.querySelector('main') || document.body).innerText.slice(0, 400)`))
	return text
}

// Go opens an address, a path of the base or a whole one.
func (p *Page) Go(address string) {
	p.t.Helper()
	if strings.HasPrefix(address, "/") {
		address = p.b.base + address
	}
	p.run("open "+address, chromedp.Navigate(address))
}

// Click presses what a selector finds first, once it can be seen.
func (p *Page) Click(selector string) {
	p.t.Helper()
	target := chromedp.CSS(selector)
	p.run("look for "+selector, chromedp.WaitVisible(target))
	p.once("click "+selector, chromedp.Click(target))
}

// Type puts text into a field, in the place of what was there, letter by letter.
func (p *Page) Type(selector, text string) {
	p.t.Helper()
	field := chromedp.CSS(selector)
	p.run("type into "+selector, chromedp.WaitVisible(field), chromedp.Clear(field), chromedp.SendKeys(field, text))
}

// Press presses a key, kb.Enter for example, where the focus is.
func (p *Page) Press(key string) {
	p.t.Helper()
	p.once("press a key", chromedp.KeyEvent(key))
}

// Wait waits until something can be seen.
func (p *Page) Wait(selector string) {
	p.t.Helper()
	p.run("wait for "+selector, chromedp.WaitVisible(chromedp.CSS(selector)))
}

// WaitText waits until what a selector finds first says something.
func (p *Page) WaitText(selector, text string) {
	p.t.Helper()
	p.until(fmt.Sprintf("%q in %s", text, selector), func() bool {
		return ask(p, "read "+selector, chromedp.Evaluate[bool](fmt.Sprintf(`!!document.querySelector(%q)?.textContent.includes(%q)`, selector, text)))
	})
}

// WaitPath waits until the address is that of a path, which may end with * for whatever comes.
func (p *Page) WaitPath(path string) {
	p.t.Helper()
	p.until("the page "+path, func() bool {
		at := p.Path()
		start, open := strings.CutSuffix(path, "*")
		return at == path || open && strings.HasPrefix(at, start)
	})
	p.run("wait for the page", chromedp.WaitReady(chromedp.CSS("footer, body")))
}

// until waits for a condition.
func (p *Page) until(what string, holds func() bool) {
	p.t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for began := time.Now(); !holds(); <-tick.C {
		if time.Since(began) > patience {
			p.t.Fatalf("waited for %s; the page is %s, and says: %s", what, p.Path(), p.says())
		}
	}
}

// Path is the path and query of where the page is.
func (p *Page) Path() string {
	p.t.Helper()
	u, err := url.Parse(ask(p, "look at the address", chromedp.Location()))
	if err != nil {
		p.t.Fatal(err)
	}
	return u.RequestURI()
}

// Text is what something says.
func (p *Page) Text(selector string) string {
	p.t.Helper()
	return strings.TrimSpace(ask(p, "read "+selector, chromedp.Text(chromedp.CSS(selector))))
}

// Attribute is an attribute of something, "" if it has none.
func (p *Page) Attribute(selector, name string) string {
	p.t.Helper()
	return ask(p, "read "+selector, chromedp.AttributeValue(chromedp.CSS(selector), name)).Value
}

// Count is how many things a selector finds.
func (p *Page) Count(selector string) int {
	p.t.Helper()
	return int(p.Number(fmt.Sprintf("document.querySelectorAll(%q).length", selector)))
}

// Number is what an expression is, in the page.
func (p *Page) Number(expression string) float64 {
	p.t.Helper()
	return ask(p, "ask the page", chromedp.Evaluate[float64](expression))
}

func (p *Page) picture(name string, width int64) {
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	png, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	if err != nil {
		p.t.Logf("no picture of %s: %v", name, err)
		return
	}
	file := filepath.Join(p.b.folder, fmt.Sprintf("%s-%d.png", name, width))
	if err := os.WriteFile(file, png, 0o600); err != nil {
		p.t.Errorf("picture: %v", err)
	}
}
