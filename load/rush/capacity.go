package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// closeEnough is how near to each other a rate that was kept and one that wasn't are to be, as a part of the rate.
const closeEnough = 0.1

// between steps the platform gets time to finish what the last one has set off.
const breather = 5 * time.Second

// highest looks for the highest rate that is kept: it doubles, or halves, until one was kept and one wasn't, then tries the middle. 0: not even
// one a second.
func highest(ctx context.Context, first int, kept func(ctx context.Context, rate int) (bool, error)) (int, error) {
	low, high := 0, 0 // kept, not kept; 0: not known
	for rate := first; ; {
		ok, err := kept(ctx, rate)
		if err != nil {
			return low, err
		}
		if ok {
			low = rate
		} else {
			high = rate
		}
		switch {
		case high == 0:
			rate *= 2
		case float64(high-low) <= max(1, closeEnough*float64(high)):
			return low, nil
		default:
			rate = (low + high) / 2
		}
	}
}

// found is what later runs read of a capacity.
type found struct {
	Rate int `json:"rate"`
}

// capacity looks for the highest rate that keeps the limits, accounts for all that was bought meanwhile, and tells what was in the way of more.
func (p *platform) capacity(ctx context.Context) error {
	var all []*outcome
	var best, worst *outcome // the highest that was kept, the lowest that wasn't
	if err := p.awaken(ctx); err != nil {
		return err
	}
	rate, err := highest(ctx, p.rate, func(ctx context.Context, rate int) (bool, error) {
		if len(all) > 0 && !pause(ctx, breather) {
			return false, context.Cause(ctx)
		}
		o, err := p.burst(ctx, burst{rate: rate, warm: p.warm, lasts: p.duration, mix: p.mix})
		if err != nil {
			return false, err
		}
		all = append(all, o)
		broken := limits(o.scores)
		if len(broken) == 0 {
			best = o
			p.say("%d a second: kept; %.2f cores busy", rate, o.busy)
			return true, nil
		}
		if worst == nil || o.rate < worst.rate {
			worst = o
		}
		p.say("%d a second: not kept: %s; %.2f cores busy", rate, strings.Join(broken, "; "), o.busy)
		return false, nil
	})
	if err != nil {
		return err
	}
	for _, o := range []*outcome{best, worst} {
		if o == nil {
			continue
		}
		p.say("at %d a second:", o.rate)
		if err := p.tell(o); err != nil {
			return err
		}
	}
	result, err := p.tellAccount(ctx)
	if err != nil {
		return err
	}
	report := filepath.Join(p.dir, "report.html")
	if err := writeReport(report, p.what, all, &result); err != nil {
		return err
	}
	text, err := json.Marshal(found{rate})
	if err != nil {
		return fmt.Errorf("encode the capacity: %w", err)
	}
	if err := os.WriteFile(filepath.Join(p.dir, "capacity.json"), text, 0o644); err != nil {
		return fmt.Errorf("keep the capacity: %w", err)
	}
	p.say("report %s", report)
	p.say("capacity=%d a second, %s", rate, bottleneck(worst))
	return p.verdict(nil, result)
}

// full is how much of the machine is busy where there is no more to be had.
const full = 0.9

// bottleneck tells what was in the way at a rate that wasn't kept.
func bottleneck(o *outcome) string {
	if o == nil {
		return "and no bottleneck was met"
	}
	most := "nobody was seen to use the machine"
	if len(o.shares) > 0 {
		most = fmt.Sprintf("%s used most of it, %.2f", o.shares[0].name, o.shares[0].cores)
	}
	what := fmt.Sprintf("the machine has %d cores, of which %.2f were busy: it was full", runtime.NumCPU(), o.busy)
	if o.busy < full*float64(runtime.NumCPU()) {
		what = fmt.Sprintf("of %d cores %.2f were busy: not the machine, but waiting", runtime.NumCPU(), o.busy)
	}
	return fmt.Sprintf("at %d %s; %s; %s", o.rate, strings.Join(limits(o.scores), "; "), what, most)
}
