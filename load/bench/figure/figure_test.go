package figure

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

func TestLinesAreReadBack(t *testing.T) {
	f := Figure{Name: "reserve", Seen: "43.1 us", Ratio: 0.74, To: "a naive script", Bound: "0.70 or more"}
	var text bytes.Buffer
	f.Print(&text)
	if got, ok := Parse("    orders_test.go:12: " + strings.TrimSpace(text.String())); !ok || got != f {
		t.Errorf("%+v, %v", got, ok)
	}
	for _, line := range []string{"", "figure: ", "figure: {", `figure: {"seen":"1 s"}`, "ok  larder.dev/load"} {
		if got, ok := Parse(line); ok {
			t.Errorf("%q is read as %+v", line, got)
		}
	}
	text.Reset()
	f.Missed = true
	if err := Table(&text, []Figure{f, {Name: "cold start", Seen: "90 ms"}}); err != nil {
		t.Fatal(err)
	}
	if lines := strings.Split(text.String(), "\n"); !strings.Contains(lines[1], "0.74 of a naive script") || !strings.Contains(lines[1], "MISSED") ||
		!strings.Contains(lines[2], "90 ms") {
		t.Errorf("the table is\n%s", text.String())
	}
}

func TestRegressions(t *testing.T) {
	kept := map[string]float64{"a": 1, "b": 1, "c": 1, "gone": 1}
	now := []Figure{{Name: "a", Ratio: 0.71}, {Name: "b", Ratio: 0.69}, {Name: "c", Ratio: 2}, {Name: "new", Ratio: 0.1}, {Name: "told", Seen: "3 ms"}}
	found := Regressions(kept, now)
	if len(found) != 2 || found["b"] == "" || found["gone"] == "" {
		t.Errorf("regressions are %v, want b and gone", found)
	}
	again := Better(now, []Figure{{Name: "b", Ratio: 0.9}, {Name: "a", Ratio: 0.5}, {Name: "gone", Ratio: 1}})
	if found := Regressions(kept, again); len(found) != 0 || Ratios(again)["a"] != 0.71 {
		t.Errorf("after a second run regressions are %v of %v", found, again)
	}
}

func TestPercentile(t *testing.T) {
	took := []time.Duration{3, 1, 2, 4}
	for permille, want := range map[int]time.Duration{0: 1, 500: 2, 990: 4, 1000: 4} {
		if got := Percentile(took, permille); got != want {
			t.Errorf("%d of 1000: %d, want %d", permille, got, want)
		}
	}
	if took[0] != 3 {
		t.Errorf("they were put in order: %v", took)
	}
}
