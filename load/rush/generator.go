package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"larder.dev/load/prove/shop"
)

// mix is how many of a hundred requests are of each kind.
type mix struct{ search, cart, checkout int }

func (m mix) check() error {
	if m.search < 0 || m.checkout < 0 || m.cart < 2*m.checkout || m.search+m.cart+m.checkout != 100 {
		return fmt.Errorf("a mix of %d:%d:%d: want 100 in all, and two of a cart's for each checkout, which opens and fills one", m.search, m.cart, m.checkout)
	}
	return nil
}

// burst is a load of a rate for a while.
type burst struct {
	rate        int
	warm, lasts time.Duration
	mix         mix
}

// outcome is what came of a burst.
type outcome struct {
	burst
	tape     *tape
	from, to time.Time // what was measured
	scores   []score
	shares   []share
	busy     float64 // cores of the machine
	samples  []sample
	answers  map[string]float64 // of search, by where they came from
	distinct int                // queries that were asked
}

// generator runs k6 with the script of this folder.
type generator struct {
	program, script, dir string
	edge                 string
	sampler              *sampler
}

// data are what the script asks for.
type data struct {
	searches []string
	goods    []good
	shoppers []shop.Session
}

// run lets k6 ask, and reads what it wrote. Errors: k6 didn't run to its end.
func (g *generator) run(ctx context.Context, name string, b burst, d data) (*tape, map[string]int, error) {
	dir, err := filepath.Abs(filepath.Join(g.dir, name))
	if err != nil {
		return nil, nil, fmt.Errorf("find %s: %w", g.dir, err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, nil, fmt.Errorf("make a folder: %w", err)
	}
	for name, content := range map[string]any{"searches": d.searches, "goods": d.goods, "shoppers": d.shoppers} {
		text, err := json.Marshal(content)
		if err != nil {
			return nil, nil, fmt.Errorf("encode %s: %w", name, err)
		}
		if err := os.WriteFile(filepath.Join(dir, name+".json"), text, 0o600); err != nil { // tokens are in one
			return nil, nil, fmt.Errorf("write %s: %w", name, err)
		}
	}
	console, summary := filepath.Join(dir, "console.log"), filepath.Join(dir, "summary.json")
	if err := errors.Join(remove(console), remove(summary)); err != nil {
		return nil, nil, err
	}
	log, err := os.Create(filepath.Join(dir, "k6.log"))
	if err != nil {
		return nil, nil, fmt.Errorf("open k6's log: %w", err)
	}
	defer func() { _ = log.Close() }() // told by k6's exit where it matters
	cmd := exec.CommandContext(ctx, g.program, "run", "--quiet", "--no-usage-report", "--address", "", "--log-format", "raw", "--console-output", console,
		"-e", "EDGE="+g.edge, "-e", "DATA="+dir, "-e", "SUMMARY="+summary, "-e", "RECORD=1", "-e", fmt.Sprintf("RUN=%s-%x", name, time.Now().UnixNano()),
		"-e", fmt.Sprintf("RATE=%d", b.rate), "-e", "WARM="+warm(b.warm), "-e", fmt.Sprintf("DURATION=%s", b.lasts),
		"-e", fmt.Sprintf("SEARCH=%d", b.mix.search), "-e", fmt.Sprintf("CART=%d", b.mix.cart), "-e", fmt.Sprintf("CHECKOUT=%d", b.mix.checkout),
		g.script)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // it ends what it has begun
	cmd.WaitDelay = 30 * time.Second
	if err := cmd.Start(); err != nil {
		return nil, nil, fmt.Errorf("start k6: %w", err)
	}
	g.sampler.also(cmd.Process.Pid, "k6")
	err = cmd.Wait()
	// 99: a threshold of the script's own was crossed, which is for us to judge.
	if exit := new(exec.ExitError); err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 99) {
		return nil, nil, fmt.Errorf("k6: %w (see %s)", err, log.Name())
	}
	file, err := os.Open(console)
	if err != nil {
		return nil, nil, fmt.Errorf("read what k6 wrote: %w", err)
	}
	defer file.Close()
	t, err := readTape(file)
	if err != nil {
		return nil, nil, err
	}
	text, err := os.ReadFile(summary)
	if err != nil {
		return nil, nil, fmt.Errorf("read k6's summary: %w", err)
	}
	dropped, err := readDropped(text)
	return t, dropped, err
}

// warm is "" for none.
func warm(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return d.String()
}

func remove(file string) error {
	if err := os.Remove(file); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove what an earlier run left: %w", err)
	}
	return nil
}

// readDropped reads how many iterations of each kind were never begun from k6's metrics, as rush.js's handleSummary writes them. A purchase
// that was never begun is a checkout less.
func readDropped(text []byte) (map[string]int, error) {
	var metrics map[string]struct {
		Values struct {
			Count float64 `json:"count"`
		} `json:"values"`
	}
	if err := json.Unmarshal(text, &metrics); err != nil {
		return nil, fmt.Errorf("read k6's summary: %w", err)
	}
	if _, ok := metrics["iterations"]; !ok {
		return nil, errors.New("k6's summary has no iterations")
	}
	dropped := map[string]int{}
	for _, kind := range kinds {
		dropped[kind] = int(metrics["dropped_iterations{scenario:"+kind+"}"].Values.Count)
	}
	return dropped, nil
}

// measure is a burst with all that is known of it.
func (g *generator) measure(ctx context.Context, name string, b burst, d data, told *receiver) (*outcome, error) {
	sampling, stop := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		g.sampler.run(sampling)
	}()
	t, dropped, err := g.run(ctx, name, b, d)
	stop()
	<-done
	if err != nil {
		return nil, err
	}
	o := &outcome{burst: b, tape: t, scores: scores(t.requests, dropped, b.lasts)}
	for _, r := range t.requests {
		if o.from.IsZero() || r.start.Before(o.from) {
			o.from = r.start
		}
	}
	o.to = o.from.Add(b.lasts)
	o.samples = g.sampler.between(o.from, o.to)
	o.shares, o.busy = shares(o.samples)
	o.answers = told.between("larder.search.answers", "larder.search.source", o.from, o.to)
	asked := map[string]bool{}
	for _, q := range d.searches[:min(len(d.searches), int(float64(b.rate*b.mix.search)/100*b.lasts.Seconds()))] {
		asked[q] = true
	}
	o.distinct = len(asked)
	return o, nil
}
