package browser

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

//go:embed layout.js
var layout string

// finding is what axe-core says of a page.
type finding struct {
	ID     string `json:"id"`
	Impact string `json:"impact"`
	Help   string `json:"help"`
	Nodes  []struct {
		Target  []any  `json:"target"`
		Summary string `json:"failureSummary"`
	} `json:"nodes"`
}

// Look looks at the page as it is, at both widths: takes a picture, and fails the test for what axe-core finds serious or critical
// (contrast is among it), and for what doesn't fit or lies over something else (layout.js).
func (p *Page) Look(name string) {
	p.t.Helper()
	for _, width := range []int64{narrow, wide} {
		p.run("resize", size(width))
		ask(p, "wait until it is drawn", chromedp.Evaluate[bool](`new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))`, chromedp.EvalAwaitPromise))
		for _, fault := range p.layout() {
			p.t.Errorf("%s at %d px: %s", name, width, fault)
		}
		for _, fault := range p.axe() {
			p.t.Errorf("%s at %d px: %s", name, width, fault)
		}
		p.picture(name, width)
	}
	if p.b.smaller != "" {
		p.small(name)
	}
}

func (p *Page) layout() []string {
	p.t.Helper()
	return ask(p, "look at the layout", chromedp.Evaluate[[]string](layout))
}

func (p *Page) axe() []string {
	p.t.Helper()
	if !ask(p, "look for axe-core", chromedp.Evaluate[bool](`!!window.axe`)) {
		ask(p, "load axe-core", chromedp.Evaluate[bool](p.b.axe+";true"))
	}
	answer := ask(p, "run axe-core", chromedp.Evaluate[string](
		`axe.run(document, {resultTypes: ['violations']}).then(r => JSON.stringify(r.violations))`, chromedp.EvalAwaitPromise))
	var found []finding
	if err := json.Unmarshal([]byte(answer), &found); err != nil {
		p.t.Fatalf("read what axe-core says: %v", err)
	}
	var faults []string
	for _, f := range found {
		if f.Impact != "serious" && f.Impact != "critical" {
			continue
		}
		for _, node := range f.Nodes {
			faults = append(faults, fmt.Sprintf("%s (%s): %s, at %v: %s", f.ID, f.Impact, f.Help, node.Target, strings.Join(strings.Fields(node.Summary), " ")))
		}
	}
	return faults
}

// small takes a picture for people who read about it, of what a window shows at first.
func (p *Page) small(name string) {
	p.t.Helper()
	quality, beyond := int64(70), false
	ask(p, "go to the top", chromedp.Evaluate[bool](`window.scrollTo(0, 0), true`))
	shot := ask(p, "take a small picture", func(ctx context.Context, t *chromedp.Target) (page.CaptureScreenshotResult, error) {
		return cdp.Call(ctx, t, page.CaptureScreenshot, page.CaptureScreenshotParams{
			Format: page.CaptureScreenshotFormatWebp, Quality: &quality, CaptureBeyondViewport: &beyond,
			Clip: &page.Viewport{Width: wide, Height: height, Scale: 0.62},
		})
	})
	if err := os.WriteFile(filepath.Join(p.b.smaller, name+".webp"), shot.Data, 0o644); err != nil { //nolint:gosec // for everybody
		p.t.Error(err)
	}
}
