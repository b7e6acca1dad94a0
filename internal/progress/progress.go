// Package progress tells people how far long work is: percentage, rate and remaining time. On a terminal it is one line that is drawn anew;
// elsewhere, in a log or a file, a line now and then.
package progress

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

// Pauses between two lines.
const (
	redraw  = 200 * time.Millisecond
	another = 5 * time.Second
)

// Bar is one piece of work. It is safe for concurrent use.
type Bar struct {
	out      io.Writer
	terminal bool
	what     string
	total    int64 // 0: not known
	now      func() time.Time
	began    time.Time

	mu    sync.Mutex
	done  int64
	drawn time.Time
	width int // of the line on the terminal
}

// Start begins to tell of work of so many items, 0 if that isn't known, on a file: standard error, where the answer goes to standard output.
func Start(out *os.File, what string, total int64) *Bar {
	info, err := out.Stat()
	return start(out, err == nil && info.Mode()&os.ModeCharDevice != 0, what, total, time.Now)
}

func start(out io.Writer, terminal bool, what string, total int64, now func() time.Time) *Bar {
	began := now()
	return &Bar{out: out, terminal: terminal, what: what, total: total, now: now, began: began, drawn: began}
}

// Add says that n more items are done.
func (b *Bar) Add(n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.set(b.done + n)
}

// Set says that so many are done in all.
func (b *Bar) Set(done int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.set(done)
}

func (b *Bar) set(done int64) {
	b.done = done
	pause := another
	if b.terminal {
		pause = redraw
	}
	if at := b.now(); at.Sub(b.drawn) >= pause {
		b.draw(at, false)
	}
}

// End draws the last line: what was done, and in what time.
func (b *Bar) End() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.draw(b.now(), true)
}

func (b *Bar) draw(at time.Time, last bool) {
	b.drawn = at
	line := Line(b.what, b.done, b.total, at.Sub(b.began), last)
	if !b.terminal {
		_, _ = fmt.Fprintln(b.out, line)
		return
	}
	width := len(line)
	_, _ = fmt.Fprintf(b.out, "\r%-*s", b.width, line) // over what was longer
	b.width = width
	if last {
		_, _ = fmt.Fprintln(b.out)
	}
}

// Line is what is told: "import: 1200 of 5000 (24 %), 410/s, 9s left".
func Line(what string, done, total int64, took time.Duration, last bool) string {
	rate := float64(done) / max(took.Seconds(), 0.001)
	switch {
	case last:
		return fmt.Sprintf("%s: %d in %s, %.0f/s", what, done, took.Round(100*time.Millisecond), rate)
	case total <= 0:
		return fmt.Sprintf("%s: %d, %.0f/s", what, done, rate)
	case done == 0:
		return fmt.Sprintf("%s: 0 of %d (0 %%)", what, total)
	}
	left := time.Duration(float64(max(total-done, 0)) / rate * float64(time.Second)).Round(time.Second)
	return fmt.Sprintf("%s: %d of %d (%d %%), %.0f/s, %s left", what, done, total, min(100*done/total, 100), rate, left)
}
