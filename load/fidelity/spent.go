package main

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"larder.dev/load/usage"
)

// spending is what each process has spent on the machine's processors until a moment.
type spending struct {
	by      map[string]time.Duration
	machine time.Duration
}

// spent reads it. What this program has started and waited for, as a reindex, is "started and ended".
func (w *world) spent() (spending, error) {
	s := spending{by: map[string]time.Duration{}}
	processes, err := usage.Read(w.platform.state, map[int]string{os.Getpid(): "fidelity"})
	if err != nil {
		return s, err
	}
	for _, p := range processes {
		s.by[p.Name] += p.CPU
	}
	var ended syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_CHILDREN, &ended); err != nil {
		return s, fmt.Errorf("read what children have spent: %w", err)
	}
	s.by["started and ended"] = time.Duration(ended.Utime.Nano() + ended.Stime.Nano())
	s.machine, err = usage.Machine()
	return s, err
}

// since tells what was spent for each of n documents, most first, and how much of the machine all of it was.
func (s spending) since(before spending, n int, lasted time.Duration) string {
	each := func(d time.Duration) time.Duration { return d / time.Duration(n) }
	var parts []string
	for _, name := range slices.SortedFunc(maps.Keys(s.by), func(a, b string) int {
		return cmp.Or(cmp.Compare(s.by[b]-before.by[b], s.by[a]-before.by[a]), cmp.Compare(a, b))
	}) {
		if took := s.by[name] - before.by[name]; each(took) >= time.Microsecond {
			parts = append(parts, fmt.Sprintf("%s %d us", name, each(took).Microseconds()))
		}
	}
	machine := s.machine - before.machine
	return fmt.Sprintf("CPU a document: %s; the whole machine %d us, %.2f cores", strings.Join(parts, ", "), each(machine).Microseconds(), machine.Seconds()/lasted.Seconds())
}
