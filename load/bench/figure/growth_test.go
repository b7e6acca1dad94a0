package figure

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
)

func TestPointsAreReadBackAndReplaced(t *testing.T) {
	p := Point{Chart: "a search by products", Size: 1500, Cost: 2.5, Unit: "ms"}
	var text bytes.Buffer
	p.Print(&text)
	if got, ok := ParsePoint(strings.TrimSpace(text.String())); !ok || got != p {
		t.Errorf("%+v, %v", got, ok)
	}
	other := Point{Chart: "history", Size: 1, Cost: 1, Unit: "ms"}
	late := Point{Chart: p.Chart, Size: 1500, Cost: 3, Unit: "ms"}
	if got := Replace([]Point{p, other}, []Point{late}); !slices.Equal(got, []Point{other, late}) {
		t.Errorf("%+v", got)
	}
}

func TestChart(t *testing.T) {
	points := []Point{
		{"a <b> by c", 1500, 1.234, "ms"}, {"a <b> by c", 500_000, 4, "ms"}, {"one point", 10, 0, "us"},
		{"history", 1000, 15, "ms"}, {"history", 1_000_000, 24, "ms"}, {"large", 10, 999.6, "ms"},
	}
	var svg bytes.Buffer
	if err := Chart(&svg, points); err != nil {
		t.Fatal(err)
	}
	for decoder := xml.NewDecoder(&svg); ; {
		if _, err := decoder.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("%v in\n%s", err, svg.String())
		}
	}
	var again bytes.Buffer
	if err := Chart(&again, points); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"500,000", "1.23 ms", "1,000 ms", "1,000,000", "a &lt;b&gt; by c", `viewBox="0 0 720 340"`} {
		if !strings.Contains(again.String(), want) {
			t.Errorf("the chart lacks %q:\n%s", want, again.String())
		}
	}
	if strings.Contains(again.String(), "NaN") {
		t.Error("a point without a cost has no place")
	}
}
