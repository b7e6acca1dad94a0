package main

import (
	"context"
	"os"
	"slices"
	"sync"
	"time"

	"larder.dev/load/usage"
)

// sampleEvery is how often processes are looked at, which costs some milliseconds.
const sampleEvery = 2 * time.Second

// sample is what everybody had used by a moment.
type sample struct {
	at      time.Time
	machine time.Duration
	cpu     map[string]time.Duration // by process; of one name's processes that still run
	memory  map[string]int64
}

// sampler looks at the platform's processes, this one, and the generator's.
type sampler struct {
	state string
	mu    sync.Mutex
	roots map[int]string
	all   []sample
}

func newSampler(state string) *sampler {
	return &sampler{state: state, roots: map[int]string{os.Getpid(): "driver"}}
}

// also counts a process, and what it starts, under a name.
func (s *sampler) also(pid int, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.roots[pid] = name
}

// run looks until ctx ends. A look that fails leaves a gap.
func (s *sampler) run(ctx context.Context) {
	for ticker := time.NewTicker(sampleEvery); ; {
		s.look()
		select {
		case <-ticker.C:
		case <-ctx.Done():
			ticker.Stop()
			return
		}
	}
}

func (s *sampler) look() {
	s.mu.Lock()
	defer s.mu.Unlock()
	processes, err := usage.Read(s.state, s.roots)
	machine, errMachine := usage.Machine()
	if err != nil || errMachine != nil {
		return
	}
	now := sample{at: time.Now(), machine: machine, cpu: map[string]time.Duration{}, memory: map[string]int64{}}
	for _, p := range processes {
		now.cpu[p.Name] += p.CPU
		now.memory[p.Name] += p.Resident
	}
	s.all = append(s.all, now)
}

// between are the samples of a time.
func (s *sampler) between(from, to time.Time) []sample {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []sample
	for _, one := range s.all {
		if !one.at.Before(from) && !one.at.After(to) {
			found = append(found, one)
		}
	}
	return found
}

// shares are what was used from the first to the last of some samples, most first, and by the whole machine.
func shares(samples []sample) (all []share, busy float64) {
	if len(samples) < 2 {
		return nil, 0
	}
	first, last := samples[0], samples[len(samples)-1]
	lasts := last.at.Sub(first.at)
	for name, cpu := range last.cpu {
		used := max(0, cpu-first.cpu[name]) // less, where one of them has ended
		all = append(all, share{name: name, cores: used.Seconds() / lasts.Seconds(), resident: last.memory[name]})
	}
	slices.SortFunc(all, byCores)
	return all, (last.machine - first.machine).Seconds() / lasts.Seconds()
}
