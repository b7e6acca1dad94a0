package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"larder.dev/load/usage"
)

// measured are the programs that work on an order. Edge, provider, invoker and metadata server stand in for others' here.
var measured = map[string]bool{"checkout": true, "payment": true, "cart": true, "product": true, "order": true, "relay": true, "functions": true}

// cpu is the time that processes have spent on a processor in a while, by program; each function counts as a program.
type cpu struct {
	of    map[string]spent
	lasts time.Duration
}

// spent is CPU time, of user and system.
type spent time.Duration

func (s spent) per(orders int) time.Duration {
	return (time.Duration(s) / time.Duration(orders)).Round(10 * time.Microsecond)
}

func (c cpu) total() (sum spent) {
	for _, own := range c.of {
		sum += own
	}
	return sum
}

// busy is the time an order takes over what the same processes spend without any: probes, polls, and what is done by a clock.
func (c cpu) busy(idle cpu, orders int) time.Duration {
	share := float64(idle.total()) * c.lasts.Seconds() / idle.lasts.Seconds()
	return max(0, (c.total() - spent(share))).per(orders)
}

// cpuOver measures while something is done. Errors also where a process has come or gone meanwhile, or none is there.
func cpuOver(ctx context.Context, state string, do func() error) (cpu, error) {
	before, err := spentBy(state)
	if err != nil {
		return cpu{}, err
	}
	began := time.Now()
	if err := do(); err != nil {
		return cpu{}, err
	}
	lasted := time.Since(began)
	after, err := spentBy(state)
	if err != nil {
		return cpu{}, err
	}
	c := cpu{of: map[string]spent{}, lasts: lasted}
	for process, n := range after {
		was, ok := before[process]
		if !ok {
			return cpu{}, fmt.Errorf("%s (%d) was started meanwhile", process.name, process.pid)
		}
		c.of[process.name] += n - was
	}
	if len(after) != len(before) || len(after) == 0 {
		return cpu{}, fmt.Errorf("%d processes before, %d after", len(before), len(after))
	}
	return c, ctx.Err()
}

type process struct {
	pid  int
	name string
}

// spentBy reads the CPU time of the measured programs' processes.
func spentBy(state string) (map[process]spent, error) {
	all, err := usage.Read(state, nil)
	if err != nil {
		return nil, err
	}
	found := map[process]spent{}
	for _, p := range all {
		if filepath.Dir(p.Program) == filepath.Join(state, "bin") && measured[filepath.Base(p.Program)] {
			found[process{p.PID, p.Name}] = spent(p.CPU)
		}
	}
	return found, nil
}

// cpuOf is what one process has spent so far.
func cpuOf(state string, pid int) (time.Duration, error) {
	all, err := usage.Read(state, map[int]string{pid: "one"})
	if err != nil {
		return 0, err
	}
	for _, p := range all {
		if p.PID == pid {
			return p.CPU, nil
		}
	}
	return 0, errors.New("its process has ended")
}
