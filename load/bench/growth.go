package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"

	"larder.dev/load/bench/figure"
)

const (
	// points has what was measured at which size, by whichever run measured it last.
	points = "load/bench/growth.json"
	drawn  = "docs/growth.svg"
)

// growing are the tests that measure how costs grow, by package.
var growing = []struct{ test, in string }{
	{"TestRebuildGrows", "./load/bench/rooms"},
	{"TestSearchGrows", "./load/searchbench"},
}

// growth measures, keeps the points, and draws.
func growth(ctx context.Context) error {
	var measured []figure.Point
	for _, g := range growing {
		test := exec.CommandContext(ctx, "go", "test", "-tags", "bench", "-count=1", "-v", "-timeout", "60m", "-run", "^"+g.test+"$", g.in)
		test.Stderr = os.Stderr
		output, err := test.StdoutPipe()
		if err != nil {
			return err
		}
		if err := test.Start(); err != nil {
			return err
		}
		err = read(output, os.Stderr, func(line string) bool {
			p, ok := figure.ParsePoint(line)
			if ok {
				measured = append(measured, p)
				report("%s, %.0f: %.3g %s", p.Chart, p.Size, p.Cost, p.Unit)
			}
			return ok
		})
		if err = errors.Join(err, test.Wait()); err != nil {
			return fmt.Errorf("%s: %w", g.test, err)
		}
	}
	kept, err := readPoints()
	if err != nil {
		return err
	}
	if err := write(points, figure.Replace(kept, measured)); err != nil {
		return err
	}
	return chart()
}

func readPoints() (kept []figure.Point, err error) {
	text, err := os.ReadFile(points)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, &kept); err != nil {
		return nil, fmt.Errorf("read %s: %w", points, err)
	}
	return kept, nil
}

// chart draws what was kept.
func chart() error {
	kept, err := readPoints()
	if err != nil {
		return err
	}
	var svg bytes.Buffer
	if err := figure.Chart(&svg, kept); err != nil {
		return err
	}
	return os.WriteFile(drawn, svg.Bytes(), 0o644) //nolint:gosec // a document, which anybody may read
}
