package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"larder.dev/load/bench/figure"
)

// What a run has to keep.
const (
	maxP99 = 200 * time.Millisecond // of each kind
	// maxBad is the share of requests that failed, were refused, or that the generator couldn't begin in time.
	maxBad = 0.001
)

// score is what came of a kind's requests.
type score struct {
	kind                        string
	count, good, refused, wrong int // refused with 429; wrong: any other answer than the one that was asked for
	dropped                     int // never begun: the generator had nobody free
	p50, p95, p99, max          time.Duration
	perSecond, goodPerSecond    float64
}

// scores sums a run up. dropped is by kind, of iterations.
func scores(requests []request, dropped map[string]int, lasts time.Duration) []score {
	byKind := map[string][]request{}
	for _, r := range requests {
		byKind[r.kind] = append(byKind[r.kind], r)
	}
	var all []score
	for _, kind := range kinds {
		of := byKind[kind]
		if len(of) == 0 && dropped[kind] == 0 {
			continue
		}
		s := score{kind: kind, count: len(of), dropped: dropped[kind]}
		took := make([]time.Duration, len(of))
		for i, r := range of {
			took[i] = r.took
			switch {
			case r.good:
				s.good++
			case r.refused():
				s.refused++
			default:
				s.wrong++
			}
		}
		s.p50, s.p95, s.p99, s.max = figure.Percentile(took, 500), figure.Percentile(took, 950), figure.Percentile(took, 990), figure.Percentile(took, 1000)
		s.perSecond, s.goodPerSecond = float64(s.count)/lasts.Seconds(), float64(s.good)/lasts.Seconds()
		all = append(all, s)
	}
	return all
}

// limits lists what a run didn't keep; empty: it kept all.
func limits(all []score) []string {
	var broken []string
	asked, bad := 0, 0
	for _, s := range all {
		if s.p99 > maxP99 {
			broken = append(broken, fmt.Sprintf("%s p99 is %s, %s at most", s.kind, ms(s.p99), ms(maxP99)))
		}
		asked += s.count + s.dropped
		bad += s.refused + s.wrong + s.dropped
	}
	switch {
	case asked == 0:
		broken = append(broken, "nothing was asked")
	case float64(bad) >= maxBad*float64(asked) && bad > 0:
		broken = append(broken, fmt.Sprintf("%d of %d (%.2f %%) failed, were refused, or never begun, less than %.1f %% may", bad, asked, 100*float64(bad)/float64(asked), 100*maxBad))
	}
	return broken
}

func ms(d time.Duration) string {
	if d < 10*time.Millisecond {
		return fmt.Sprintf("%.1f ms", d.Seconds()*1000)
	}
	return fmt.Sprintf("%.0f ms", d.Seconds()*1000)
}

// total is the sum of all kinds; it has no percentiles.
func total(all []score) score {
	sum := score{kind: "all"}
	for _, s := range all {
		sum.count += s.count
		sum.good += s.good
		sum.refused += s.refused
		sum.wrong += s.wrong
		sum.dropped += s.dropped
		sum.perSecond += s.perSecond
		sum.goodPerSecond += s.goodPerSecond
	}
	return sum
}

func printScores(out io.Writer, all []score) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	line := func(cells ...string) { _, _ = fmt.Fprintln(table, strings.Join(cells, "\t")+"\t") } // told by Flush
	line("", "requests", "a second", "p50", "p95", "p99", "most", "good a second", "429", "wrong", "dropped")
	for _, s := range append(slices.Clone(all), total(all)) {
		took := []string{ms(s.p50), ms(s.p95), ms(s.p99), ms(s.max)}
		if s.p99 == 0 {
			took = []string{"", "", "", ""}
		}
		line(append([]string{s.kind, fmt.Sprint(s.count), fmt.Sprintf("%.1f", s.perSecond)},
			append(took, fmt.Sprintf("%.1f", s.goodPerSecond), fmt.Sprint(s.refused), fmt.Sprint(s.wrong), fmt.Sprint(s.dropped))...)...)
	}
	return table.Flush()
}

// share is what a process used of the machine in a while.
type share struct {
	name     string
	cores    float64 // CPU seconds a second
	resident int64   // bytes, in the end
}

// printShares tells of the processes that used most, and of the rest in one line.
func printShares(out io.Writer, all []share, busy float64, requests int, lasts time.Duration) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	line := func(cells ...string) { _, _ = fmt.Fprintln(table, strings.Join(cells, "\t")+"\t") } // told by Flush
	perRequest := func(cores float64) string {
		return fmt.Sprintf("%.2f ms", 1000*cores*lasts.Seconds()/float64(max(1, requests)))
	}
	line("process", "cores", "CPU a request", "memory")
	var rest share
	of := 0
	for _, s := range all {
		if s.cores < 0.01 {
			rest.cores, rest.resident, of = rest.cores+s.cores, rest.resident+s.resident, of+1
			continue
		}
		line(s.name, fmt.Sprintf("%.2f", s.cores), perRequest(s.cores), mib(s.resident))
	}
	line(fmt.Sprintf("%d others", of), fmt.Sprintf("%.2f", rest.cores), perRequest(rest.cores), mib(rest.resident))
	line("the machine", fmt.Sprintf("%.2f", busy), perRequest(busy), "")
	return table.Flush()
}

func mib(bytes int64) string { return fmt.Sprintf("%d MiB", bytes>>20) }

func byCores(x, y share) int {
	return cmp.Or(cmp.Compare(y.cores, x.cores), cmp.Compare(x.name, y.name))
}
