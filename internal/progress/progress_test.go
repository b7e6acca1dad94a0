package progress

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

func TestLine(t *testing.T) {
	for want, c := range map[string]struct {
		done, total int64
		took        time.Duration
		last        bool
	}{
		"work: 0 of 5000 (0 %)":                      {0, 5000, 0, false},
		"work: 1000 of 5000 (20 %), 500/s, 8s left":  {1000, 5000, 2 * time.Second, false},
		"work: 5000 of 5000 (100 %), 500/s, 0s left": {5000, 5000, 10 * time.Second, false},
		"work: 6000 of 5000 (100 %), 600/s, 0s left": {6000, 5000, 10 * time.Second, false}, // more came while it ran
		"work: 1000, 500/s":                          {1000, 0, 2 * time.Second, false},
		"work: 1000 in 2s, 500/s":                    {1000, 5000, 2 * time.Second, true},
	} {
		if got := Line("work", c.done, c.total, c.took, c.last); got != want {
			t.Errorf("%d of %d in %s: %q, want %q", c.done, c.total, c.took, got, want)
		}
	}
}

// A terminal's line is drawn over the one before, also over a longer one; elsewhere each is a line of its own, and few of them.
func TestDrawing(t *testing.T) {
	for _, terminal := range []bool{true, false} {
		var out bytes.Buffer
		now := time.Unix(0, 0)
		bar := start(&out, terminal, "work", 100, func() time.Time { return now })
		for range 100 {
			now = now.Add(100 * time.Millisecond)
			bar.Add(1)
		}
		bar.End()
		returns, lines := strings.Count(out.String(), "\r"), strings.Count(out.String(), "\n")
		if terminal && (returns != 51 || lines != 1) || !terminal && (returns != 0 || lines != 3) {
			t.Errorf("terminal %v: %d times drawn over, %d lines: %q", terminal, returns, lines, out.String())
		}
		if !strings.HasSuffix(strings.TrimSpace(out.String()), "work: 100 in 10s, 10/s") {
			t.Errorf("terminal %v: the end is missing: %q", terminal, out.String())
		}
	}
}
