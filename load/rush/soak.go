package main

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"larder.dev/load/usage"
)

// A soak is a number of bursts. After each, all that it has set off must come to its end, and the platform's programs are to have what they had
// after the first one.
const (
	soakBurst = 3 * time.Minute
	// quietIn is how long after a burst nothing is on its way any more.
	quietIn = time.Minute
	// memoryMayGrow is what a program's memory may grow by from the first burst to the last, by its part, or so many bytes if that is more;
	// goroutinesMayGrow is for goroutines, by number if that is more: connections come and go.
	memoryMayGrow, memoryFloor         = 0.2, 24 << 20
	goroutinesMayGrow, goroutinesFloor = 0.2, 20
)

// keepers are programs of ours that are to keep what they are given: they stand in for others' servers.
var keepers = map[string]bool{"payments": true, "mailsink": true}

// reading is what there is after a burst.
type reading struct {
	memory     map[string]int64 // of the platform's programs
	pids       map[string][]int
	goroutines map[string]float64
	left       []string
}

// soak asks half of a rate for long.
func (p *platform) soak(ctx context.Context) error {
	if err := p.awaken(ctx); err != nil {
		return err
	}
	var readings []reading
	var broken []string
	warm := p.warm
	for rest := p.duration; rest > 0; rest -= soakBurst {
		o, err := p.burst(ctx, burst{rate: p.rate, warm: warm, lasts: min(soakBurst, rest), mix: p.mix})
		if err != nil {
			return err
		}
		warm = time.Second
		r, err := p.read(ctx)
		if err != nil {
			return err
		}
		readings = append(readings, r)
		sum := total(o.scores)
		var memory int64
		for _, n := range r.memory {
			memory += n
		}
		var goroutines float64
		for _, n := range r.goroutines {
			goroutines += n
		}
		p.say("after %s: %.1f good answers of %.1f a second, %s, programs %s, %.0f goroutines; left: %s", (p.duration - rest + o.lasts).Round(time.Second),
			sum.goodPerSecond, sum.perSecond, tellP99(o.scores), mib(memory), goroutines, strings.Join(append(r.left, "nothing")[:max(1, len(r.left))], ", "))
		for _, what := range limits(o.scores) {
			broken = append(broken, fmt.Sprintf("burst %d: %s", len(readings), what))
		}
	}
	if err := p.tellGrowth(readings[0], readings[len(readings)-1]); err != nil {
		return err
	}
	broken = append(broken, grown(readings[0], readings[len(readings)-1])...)
	for i, r := range readings {
		for _, what := range r.left {
			broken = append(broken, fmt.Sprintf("%s after burst %d: %s", quietIn, i+1, what))
		}
	}
	result, err := p.tellAccount(ctx)
	if err != nil {
		return err
	}
	return p.verdict(broken, result)
}

func tellP99(all []score) string {
	var parts []string
	for _, s := range all {
		parts = append(parts, fmt.Sprintf("%s p99 %s", s.kind, ms(s.p99)))
	}
	return strings.Join(parts, ", ")
}

// read waits until nothing is on its way, and reads what there is.
func (p *platform) read(ctx context.Context) (reading, error) {
	var r reading
	for deadline := time.Now().Add(quietIn); ; {
		var err error
		if r.left, err = p.books.Left(ctx, p.history); err != nil {
			return r, err
		}
		if len(r.left) == 0 || time.Now().After(deadline) {
			break
		}
		if !pause(ctx, 2*time.Second) {
			return r, context.Cause(ctx)
		}
	}
	processes, err := usage.Read(p.State, nil)
	if err != nil {
		return r, fmt.Errorf("read the processes: %w", err)
	}
	r.memory, r.pids = map[string]int64{}, map[string][]int{}
	for _, one := range processes {
		if filepath.Dir(one.Program) == filepath.Join(p.State, "bin") && !keepers[one.Name] {
			r.memory[one.Name] += one.Resident
			r.pids[one.Name] = append(r.pids[one.Name], one.PID)
		}
	}
	r.goroutines = p.told.latest("go.goroutine.count")
	return r, nil
}

// grown lists what is more in the end than it may be, and what was started anew.
func grown(first, last reading) []string {
	var found []string
	for _, name := range slices.Sorted(maps.Keys(first.memory)) {
		before, after := first.memory[name], last.memory[name]
		if after-before > max(int64(memoryMayGrow*float64(before)), memoryFloor) {
			found = append(found, fmt.Sprintf("%s grew from %s to %s", name, mib(before), mib(after)))
		}
		slices.Sort(first.pids[name])
		slices.Sort(last.pids[name])
		if !slices.Equal(first.pids[name], last.pids[name]) {
			found = append(found, fmt.Sprintf("%s was started anew: processes %v, then %v", name, first.pids[name], last.pids[name]))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(first.goroutines)) {
		before, after := first.goroutines[name], last.goroutines[name]
		if after-before > max(goroutinesMayGrow*before, goroutinesFloor) {
			found = append(found, fmt.Sprintf("%s had %.0f goroutines, then %.0f", name, before, after))
		}
	}
	return found
}

// tellGrowth prints the memory of each program after the first burst and after the last.
func (p *platform) tellGrowth(first, last reading) error {
	for _, name := range slices.Sorted(maps.Keys(first.memory)) {
		if _, err := fmt.Fprintf(p.out, "%20s  %8s then %8s  goroutines %.0f then %.0f\n", name, mib(first.memory[name]), mib(last.memory[name]),
			first.goroutines[name], last.goroutines[name]); err != nil {
			return fmt.Errorf("tell: %w", err)
		}
	}
	return nil
}
