package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"larder.dev/load/bench/figure"
)

const (
	// points has what was measured at which size, by whichever run measured it last.
	points = "load/bench/growth.json"
	drawn  = "docs/growth.svg"
)

// growing are the programs that measure how costs grow, each printing points.
func growing() [][]string {
	test := func(name, in string) []string {
		return []string{"go", "test", "-tags", "bench", "-count=1", "-v", "-timeout", "60m", "-run", "^" + name + "$", in}
	}
	all := [][]string{test("TestRebuildGrows", "./load/bench/rooms"), test("TestSearchGrows", "./load/searchbench")}
	for _, products := range []string{"1500", "50000", os.Getenv("BENCH_MOST")} {
		if products != "" {
			all = append(all, []string{"go", "run", "./load/fidelity", "-reindex", products}) // on a platform of its own
		}
	}
	return all
}

// growth measures, keeps the points, and draws.
func growth(ctx context.Context) error {
	var measured []figure.Point
	for _, command := range growing() {
		program := exec.CommandContext(ctx, command[0], command[1:]...) //nolint:gosec // one of the above
		program.Stderr = os.Stderr
		output, err := program.StdoutPipe()
		if err != nil {
			return err
		}
		if err := program.Start(); err != nil {
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
		if err = errors.Join(err, program.Wait()); err != nil {
			return fmt.Errorf("%s: %w", strings.Join(command, " "), err)
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
