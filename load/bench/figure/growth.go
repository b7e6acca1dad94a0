package figure

import (
	"encoding/json"
	"fmt"
	"html"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Point is what something costs at a size.
type Point struct {
	// Chart is what grows and what is measured, "a search by products".
	Chart string  `json:"chart"`
	Size  float64 `json:"size"`
	Cost  float64 `json:"cost"`
	// Unit of the cost.
	Unit string `json:"unit"`
}

const pointPrefix = "point: "

// Print writes a point as a line that ParsePoint reads.
func (p Point) Print(w io.Writer) {
	text, err := json.Marshal(p)
	if err != nil {
		panic(err) // a cost that is no number: a fault of the benchmark's
	}
	_, _ = fmt.Fprintf(w, "%s%s\n", pointPrefix, text)
}

// ParsePoint reads a line; ok is false for one that is no point. A test's log may stand before it.
func ParsePoint(line string) (p Point, ok bool) {
	_, text, found := strings.Cut(line, pointPrefix)
	if !found || json.Unmarshal([]byte(text), &p) != nil {
		return Point{}, false
	}
	return p, p.Chart != "" && p.Size > 0
}

// Replace puts points in the place of those of the same charts.
func Replace(kept, measured []Point) []Point {
	kept = slices.DeleteFunc(slices.Clone(kept), func(p Point) bool {
		return slices.ContainsFunc(measured, func(m Point) bool { return m.Chart == p.Chart })
	})
	return append(kept, measured...)
}

// Of a panel, in pixels.
const (
	panelWidth, panelHeight = 360, 170
	left, right             = 24, 60 // of a panel's middle; the last point's label stands right of it
	top, bottom             = 44, 30
)

// Chart draws a panel for each chart, two in a row: sizes by their logarithm, costs from zero, each point with both.
func Chart(w io.Writer, points []Point) error {
	var names []string
	for _, p := range points {
		if !slices.Contains(names, p.Chart) {
			names = append(names, p.Chart)
		}
	}
	var svg strings.Builder
	rows := (len(names) + 1) / 2
	fmt.Fprintf(&svg, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="11">`+"\n", 2*panelWidth, rows*panelHeight)
	fmt.Fprintf(&svg, `<rect width="%d" height="%d" fill="#ffffff"/>`+"\n", 2*panelWidth, rows*panelHeight)
	for i, name := range names {
		own := slices.DeleteFunc(slices.Clone(points), func(p Point) bool { return p.Chart != name })
		fmt.Fprintf(&svg, `<g transform="translate(%d %d)">`+"\n", i%2*panelWidth, i/2*panelHeight)
		panel(&svg, name, own)
		svg.WriteString("</g>\n")
	}
	svg.WriteString("</svg>\n")
	_, err := io.WriteString(w, svg.String())
	return err
}

func panel(svg *strings.Builder, name string, points []Point) {
	slices.SortFunc(points, func(a, b Point) int { return int(math.Copysign(1, a.Size-b.Size)) })
	var most float64
	for _, p := range points {
		most = max(most, p.Cost)
	}
	first, last := math.Log(points[0].Size), math.Log(points[len(points)-1].Size)
	x := func(p Point) float64 {
		if last == first {
			return left
		}
		return left + (panelWidth-left-right)*(math.Log(p.Size)-first)/(last-first)
	}
	const floor = panelHeight - bottom
	y := func(p Point) float64 { return floor - (floor-top)*p.Cost/max(most, math.SmallestNonzeroFloat64) }

	fmt.Fprintf(svg, `<text x="%d" y="18" font-size="13" fill="#1f2933">%s</text>`+"\n", left, html.EscapeString(name))
	fmt.Fprintf(svg, `<path d="M%d %dH%d" stroke="#9aa5b1"/>`+"\n", left, floor, panelWidth-right)
	var line []string
	for _, p := range points {
		line = append(line, fmt.Sprintf("%.1f,%.1f", x(p), y(p)))
	}
	fmt.Fprintf(svg, `<polyline points="%s" fill="none" stroke="#2f6f4f" stroke-width="2"/>`+"\n", strings.Join(line, " "))
	for _, p := range points {
		fmt.Fprintf(svg, `<circle cx="%.1f" cy="%.1f" r="3" fill="#2f6f4f"/>`+"\n", x(p), y(p))
		fmt.Fprintf(svg, `<text x="%.1f" y="%.1f" text-anchor="middle" fill="#1f2933">%s %s</text>`+"\n", x(p), y(p)-8, number(p.Cost), html.EscapeString(p.Unit))
		fmt.Fprintf(svg, `<text x="%.1f" y="%d" text-anchor="middle" fill="#52606d">%s</text>`+"\n", x(p), floor+16, grouped(p.Size))
	}
}

// number writes three digits, and whole numbers where there are more.
func number(v float64) string {
	if v >= 100 {
		return grouped(v)
	}
	return strconv.FormatFloat(v, 'g', 3, 64)
}

// grouped writes a whole number with its thousands apart.
func grouped(v float64) string {
	text := strconv.FormatFloat(v, 'f', 0, 64)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
