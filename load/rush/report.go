package main

import (
	_ "embed"
	"errors"
	"fmt"
	"html/template"
	"io"
	"math"
	"os"
	"slices"
	"strings"
	"time"

	"larder.dev/load/bench/figure"
	"larder.dev/load/prove/account"
)

//go:embed report.html
var page string

var pageTemplate = template.Must(template.New("report").Funcs(template.FuncMap{
	"ms": ms, "mib": mib, "one": func(x float64) string { return fmt.Sprintf("%.1f", x) }, "two": func(x float64) string { return fmt.Sprintf("%.2f", x) },
}).Parse(page))

// A chart's size, and how long one of its steps is.
const (
	chartWidth, chartHeight = 640, 160
	chartStep               = 5 * time.Second
	// mostLines is how many processes a chart shows.
	mostLines = 7
)

// chart is a picture of values over time.
type chart struct {
	Title, Top string // Top is the value at its upper edge
	Width      int
	Height     int
	Lines      []chartLine
}

type chartLine struct {
	Name, Points, Color string
}

var colors = []string{"#1b6ca8", "#c2410c", "#15803d", "#7e22ce", "#b91c1c", "#0e7490", "#a16207", "#475569"}

// newChart draws named values, each with a place between 0 and 1, under one scale. mark, if above 0, is a line at that value.
func newChart(title, unit string, names []string, values map[string][]point, mark float64) chart {
	top := mark
	for _, of := range values {
		for _, p := range of {
			top = max(top, p.value)
		}
	}
	if top == 0 {
		top = 1
	}
	c := chart{Title: title, Top: fmt.Sprintf("%.4g %s", top, unit), Width: chartWidth, Height: chartHeight}
	draw := func(points []point) string {
		var places []string
		for _, p := range points {
			places = append(places, fmt.Sprintf("%.1f,%.1f", p.place*chartWidth, chartHeight*(1-p.value/top)))
		}
		return strings.Join(places, " ")
	}
	for i, name := range names {
		c.Lines = append(c.Lines, chartLine{Name: name, Points: draw(values[name]), Color: colors[i%len(colors)]})
	}
	if mark > 0 {
		c.Lines = append(c.Lines, chartLine{Name: "limit", Points: draw([]point{{0, mark}, {1, mark}}), Color: "#000"})
	}
	return c
}

type point struct{ place, value float64 }

// charts of a burst.
func charts(o *outcome) []chart {
	lasts := o.to.Sub(o.from)
	steps := int(math.Ceil(float64(lasts) / float64(chartStep)))
	good, slow := map[string][]point{}, map[string][]point{}
	took := map[string][][]time.Duration{}
	count := map[string][]int{}
	var names []string
	for _, s := range o.scores {
		names = append(names, s.kind)
		took[s.kind], count[s.kind] = make([][]time.Duration, steps), make([]int, steps)
	}
	for _, r := range o.tape.requests {
		i := int(r.start.Sub(o.from) / chartStep)
		if i < 0 || i >= steps { // it was begun later than it was to be
			continue
		}
		took[r.kind][i] = append(took[r.kind][i], r.took)
		if r.good {
			count[r.kind][i]++
		}
	}
	for _, name := range names {
		for i := range steps {
			place := min(1, (float64(i)+0.5)*float64(chartStep)/float64(lasts))
			good[name] = append(good[name], point{place, float64(count[name][i]) / min(chartStep, lasts-time.Duration(i)*chartStep).Seconds()})
			slow[name] = append(slow[name], point{place, figure.Percentile(took[name][i], 990).Seconds() * 1000})
		}
	}
	var busiest []string
	for _, s := range o.shares[:min(len(o.shares), mostLines)] {
		busiest = append(busiest, s.name)
	}
	return []chart{
		newChart("Good answers", "a second", names, good, 0),
		newChart("99th percentile", "ms", names, slow, maxP99.Seconds()*1000),
		newChart("Processors", "cores", append([]string{"the machine"}, busiest...), cpuOverTime(o, busiest), 0),
	}
}

// cpuOverTime is what processes, and the machine, used between each two samples.
func cpuOverTime(o *outcome, names []string) map[string][]point {
	values := map[string][]point{}
	for i := 1; i < len(o.samples); i++ {
		before, after := o.samples[i-1], o.samples[i]
		lasts := after.at.Sub(before.at).Seconds()
		place := min(1, after.at.Sub(o.from).Seconds()/o.to.Sub(o.from).Seconds())
		for _, name := range names {
			values[name] = append(values[name], point{place, max(0, (after.cpu[name]-before.cpu[name]).Seconds()/lasts)})
		}
		values["the machine"] = append(values["the machine"], point{place, (after.machine - before.machine).Seconds() / lasts})
	}
	return values
}

// burstView is a burst as the page shows it.
type burstView struct {
	Rate     int
	Mix      string
	Lasts    time.Duration
	Scores   []scoreView
	Shares   []shareView
	Busy     float64
	Answers  string
	Distinct int
	Broken   []string
	Charts   []chart
}

type scoreView struct {
	Kind                           string
	Count, Refused, Wrong, Dropped int
	PerSecond, GoodPerSecond       float64
	P50, P95, P99, Max             time.Duration
	HasTimes                       bool
}

type shareView struct {
	Name     string
	Cores    float64
	Resident int64
}

// render writes the page: each burst with its tables and charts, and the accounts.
func render(to io.Writer, title string, all []*outcome, result *account.Result) error {
	view := struct {
		Title, Account string
		Clean          bool
		Orders         int
		Details        []string
		Bursts         []burstView
	}{Title: title, Account: result.String(), Clean: result.Clean(), Orders: result.Orders}
	for _, counter := range account.Counters {
		for _, detail := range result.Details[counter] {
			view.Details = append(view.Details, counter+": "+detail)
		}
	}
	for _, o := range all {
		b := burstView{
			Rate: o.rate, Mix: fmt.Sprintf("%d:%d:%d", o.mix.search, o.mix.cart, o.mix.checkout), Lasts: o.lasts, Busy: o.busy, Answers: hits(o.answers),
			Distinct: o.distinct, Broken: limits(o.scores), Charts: charts(o),
		}
		for _, s := range append(slices.Clone(o.scores), total(o.scores)) {
			b.Scores = append(b.Scores, scoreView{
				Kind: s.kind, Count: s.count, Refused: s.refused, Wrong: s.wrong, Dropped: s.dropped, PerSecond: s.perSecond, GoodPerSecond: s.goodPerSecond,
				P50: s.p50, P95: s.p95, P99: s.p99, Max: s.max, HasTimes: s.p99 > 0,
			})
		}
		for _, s := range o.shares {
			b.Shares = append(b.Shares, shareView{s.name, s.cores, s.resident})
		}
		view.Bursts = append(view.Bursts, b)
	}
	if err := pageTemplate.Execute(to, view); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

// writeReport writes the page to a file.
func writeReport(name, title string, all []*outcome, result *account.Result) error {
	file, err := os.Create(name)
	if err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return errors.Join(render(file, title, all, result), file.Close())
}
