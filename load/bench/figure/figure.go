// Package figure is how benchmarks tell what they have measured, so that one table shows it and another day's figures can be compared with it.
package figure

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// Figure is something that was measured.
type Figure struct {
	// Name is lasting: another day's figure is found by it.
	Name string `json:"name"`
	// Seen is what was measured, with its unit, for people.
	Seen string `json:"seen"`
	// Ratio is what something plainer costs, over what ours costs in the same run: so it is about the same on any machine, and higher is better.
	// Zero: the figure has none, and isn't compared.
	Ratio float64 `json:"ratio,omitempty"`
	// To is what ours is compared with.
	To string `json:"to,omitempty"`
	// Bound is what was promised, for people; Missed tells that it wasn't kept.
	Bound  string `json:"bound,omitempty"`
	Missed bool   `json:"missed,omitempty"`
}

const prefix = "figure: "

// Print writes a figure as a line that Parse reads.
func (f Figure) Print(w io.Writer) {
	text, err := json.Marshal(f)
	if err != nil {
		panic(err) // a ratio that is no number: a fault of the benchmark's
	}
	_, _ = fmt.Fprintf(w, "%s%s\n", prefix, text)
}

// Parse reads a line; ok is false for one that is no figure. A test's log may stand before it.
func Parse(line string) (f Figure, ok bool) {
	_, text, found := strings.Cut(line, prefix)
	if !found || json.Unmarshal([]byte(text), &f) != nil {
		return Figure{}, false
	}
	return f, f.Name != ""
}

// Table writes figures as a table.
func Table(w io.Writer, figures []Figure) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "name\tfigure\tratio\tbound\t") // Flush tells
	for _, f := range figures {
		ratio, bound := "-", f.Bound
		if f.Ratio != 0 {
			ratio = fmt.Sprintf("%.2f of %s", f.Ratio, f.To)
		}
		switch {
		case bound == "":
			bound = "-"
		case f.Missed:
			bound += " MISSED"
		}
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\t\n", f.Name, f.Seen, ratio, bound)
	}
	return table.Flush()
}

// Ratios are those of the figures that have one, by name.
func Ratios(figures []Figure) map[string]float64 {
	ratios := map[string]float64{}
	for _, f := range figures {
		if f.Ratio != 0 {
			ratios[f.Name] = math.Round(f.Ratio*1000) / 1000
		}
	}
	return ratios
}

// Allowed is how much of a ratio may be lost before it counts as a regression.
const Allowed = 0.3

// Regressions compares ratios with those that were kept, and names the figures that are worse than allowed, or gone, each with the reason.
func Regressions(kept map[string]float64, figures []Figure) map[string]string {
	now, found := Ratios(figures), map[string]string{}
	for name, was := range kept {
		switch is, measured := now[name]; {
		case !measured:
			found[name] = "wasn't measured"
		case is < was*(1-Allowed):
			found[name] = fmt.Sprintf("%.3f, was %.3f: %.0f %% lost", is, was, 100*(1-is/was))
		}
	}
	return found
}

// Better merges two runs: of a figure that is in both, the one with the higher ratio.
func Better(first, second []Figure) []Figure {
	merged := slices.Clone(first)
	for _, f := range second {
		switch i := slices.IndexFunc(merged, func(other Figure) bool { return other.Name == f.Name }); {
		case i < 0:
			merged = append(merged, f)
		case f.Ratio > merged[i].Ratio:
			merged[i] = f
		}
	}
	return merged
}

// Sorted are the names of regressions.
func Sorted(regressions map[string]string) []string { return slices.Sorted(maps.Keys(regressions)) }

// Percentile of times in no order, by the nearest rank, 0 of none; permille is from 0 to 1000, which is the longest.
func Percentile(took []time.Duration, permille int) time.Duration {
	if len(took) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(took))
	rank := (len(sorted)*permille + 999) / 1000
	return sorted[max(rank, 1)-1]
}
