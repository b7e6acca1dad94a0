package main

import (
	"bytes"
	"os"
	"testing"

	"larder.dev/load/bench/figure"
)

// The chart of the documentation is that of the points that were kept: after a change of either, `go run ./load/bench chart` draws it.
func TestChartIsDrawn(t *testing.T) {
	t.Chdir("../..")
	kept, err := readPoints()
	if err != nil {
		t.Fatal(err)
	}
	var svg bytes.Buffer
	if err := figure.Chart(&svg, kept); err != nil {
		t.Fatal(err)
	}
	if there, err := os.ReadFile(drawn); err != nil || !bytes.Equal(there, svg.Bytes()) {
		t.Errorf("%s isn't what `go run ./load/bench chart` draws (%v)", drawn, err)
	}
}
