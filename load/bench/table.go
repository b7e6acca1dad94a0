package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"larder.dev/load/bench/figure"
)

// part is a benchmark of the table: quick, and by itself, so that one can be measured again.
type part struct {
	name    string
	measure func(ctx context.Context) ([]figure.Figure, error)
}

// kept has the ratios that `bench check` compares with, and `bench keep` writes.
const kept = "load/bench/ratios.json"

// rooms are tests of load/bench/rooms, each a part.
var rooms = []string{"TestSaga", "TestOrders", "TestDrop", "TestCarts", "TestEdge", "TestRelay", "TestStart"}

// tableParts builds the tests' program, and lists what the table is made of.
func tableParts(ctx context.Context, folder string) ([]part, error) {
	program := filepath.Join(folder, "rooms.test")
	build := exec.CommandContext(ctx, "go", "test", "-c", "-tags", "bench", "-o", program, "./load/bench/rooms")
	build.Stdout, build.Stderr = os.Stderr, os.Stderr
	if err := build.Run(); err != nil {
		return nil, fmt.Errorf("build the benchmarks: %w", err)
	}
	parts := []part{{"redis", func(ctx context.Context) ([]figure.Figure, error) {
		told = nil
		err := benchRedis(ctx)
		return told, err
	}}}
	for _, name := range rooms {
		parts = append(parts, part{name, func(ctx context.Context) ([]figure.Figure, error) {
			test := exec.CommandContext(ctx, program, "-test.run", "^"+name+"$", "-test.timeout", "10m")
			test.Dir, test.Stderr = filepath.Join("load", "bench", "rooms"), os.Stderr
			output, err := test.StdoutPipe()
			if err != nil {
				return nil, err
			}
			if err := test.Start(); err != nil {
				return nil, err
			}
			var figures []figure.Figure
			err = read(output, os.Stderr, func(line string) bool {
				f, ok := figure.Parse(line)
				if ok {
					figures = append(figures, f)
				}
				return ok
			})
			return figures, errors.Join(err, test.Wait())
		}})
	}
	return parts, nil
}

// read gives each line of what a benchmark prints to take, and hands on those that it doesn't want.
func read(from io.Reader, others io.Writer, take func(line string) bool) error {
	lines := bufio.NewScanner(from)
	for lines.Scan() {
		if take(lines.Text()) {
			continue
		}
		if _, err := fmt.Fprintln(others, lines.Text()); err != nil {
			return err
		}
	}
	return lines.Err()
}

// measureAll measures each part. One that fails has its figures all the same: a bound that was missed is in the table.
func measureAll(ctx context.Context, parts []part) (figures []figure.Figure, of map[string]string, err error) {
	of = map[string]string{}
	for _, p := range parts {
		found, failed := p.measure(ctx)
		if failed != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w", p.name, failed))
		}
		for _, f := range found {
			of[f.Name] = p.name
		}
		figures = append(figures, found...)
	}
	return figures, of, err
}

// compare measures the parts, and once more those that have a regression: the better of the two runs counts. It returns what is still worse
// than was kept.
func compare(ctx context.Context, parts []part, ratios map[string]float64) ([]figure.Figure, map[string]string, error) {
	figures, of, err := measureAll(ctx, parts)
	worse := figure.Regressions(ratios, figures)
	if len(worse) == 0 {
		return figures, worse, err
	}
	again := slices.DeleteFunc(slices.Clone(parts), func(p part) bool {
		return !slices.ContainsFunc(figure.Sorted(worse), func(name string) bool { return of[name] == p.name || of[name] == "" })
	})
	second, _, secondErr := measureAll(ctx, again)
	figures = figure.Better(figures, second)
	return figures, figure.Regressions(ratios, figures), errors.Join(err, secondErr)
}

// table measures the quick benchmarks, prints them, and leaves them as JSON in the profile's state folder. With keep their ratios are kept, with
// check compared with those that were kept.
func table(keep, check bool) func(context.Context) error {
	return func(ctx context.Context) error {
		folder, err := os.MkdirTemp("", "bench")
		if err != nil {
			return err
		}
		defer func() { _ = os.RemoveAll(folder) }()
		parts, err := tableParts(ctx, folder)
		if err != nil {
			return err
		}
		ratios := map[string]float64{}
		if check {
			text, err := os.ReadFile(kept)
			if err != nil {
				return fmt.Errorf("read what was kept: %w", err)
			}
			if err := json.Unmarshal(text, &ratios); err != nil {
				return fmt.Errorf("read %s: %w", kept, err)
			}
		}
		figures, worse, err := compare(ctx, parts, ratios)
		if shown := figure.Table(os.Stdout, figures); shown != nil {
			return shown
		}
		if state := os.Getenv("LARDER_STATE"); state != "" {
			err = errors.Join(err, write(filepath.Join(state, "bench.json"), figures))
		}
		if keep && err == nil {
			err = write(kept, figure.Ratios(figures))
		}
		var lost []string
		for _, name := range figure.Sorted(worse) {
			lost = append(lost, name+" "+worse[name])
		}
		if len(lost) > 0 {
			return errors.Join(err, fmt.Errorf("regressions of more than %.0f %%, measured twice:\n  %s", 100*figure.Allowed, strings.Join(lost, "\n  ")))
		}
		return err
	}
}

func write(file string, value any) error {
	text, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
		return err
	}
	return os.WriteFile(file, append(text, '\n'), 0o600)
}
