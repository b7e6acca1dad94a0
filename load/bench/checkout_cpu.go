package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
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
	before, err := ticks(state)
	if err != nil {
		return cpu{}, err
	}
	began := time.Now()
	if err := do(); err != nil {
		return cpu{}, err
	}
	lasted := time.Since(began)
	after, err := ticks(state)
	if err != nil {
		return cpu{}, err
	}
	c := cpu{of: map[string]spent{}, lasts: lasted}
	for process, n := range after {
		was, ok := before[process]
		if !ok {
			return cpu{}, fmt.Errorf("%s (%d) was started meanwhile", process.name, process.pid)
		}
		c.of[process.name] += spent(n-was) * spent(time.Second/ticksPerSecond)
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

// ticksPerSecond is Linux's USER_HZ, which is 100 on every architecture that Go runs on (proc(5), sysconf(_SC_CLK_TCK)).
const ticksPerSecond = 100

// ticks reads the CPU time of the measured programs' processes.
func ticks(state string) (map[process]int64, error) {
	links, err := filepath.Glob("/proc/[0-9]*/exe")
	if err != nil {
		return nil, err
	}
	found := map[process]int64{}
	for _, link := range links {
		program, err := os.Readlink(link)
		if err != nil { // another's, or gone
			continue
		}
		program = strings.TrimSuffix(program, " (deleted)") // built anew since
		if filepath.Dir(program) != filepath.Join(state, "bin") || !measured[filepath.Base(program)] {
			continue
		}
		folder := filepath.Dir(link)
		pid, err := strconv.Atoi(filepath.Base(folder))
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", folder, err)
		}
		n, err := cpuTicks(filepath.Join(folder, "stat"))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		found[process{pid, nameOf(folder, filepath.Base(program))}] = n
	}
	return found, nil
}

// nameOf tells functions, which are one program, apart.
func nameOf(folder, program string) string {
	environment, err := os.ReadFile(filepath.Join(folder, "environ"))
	if err != nil {
		return program
	}
	for variable := range strings.SplitSeq(string(environment), "\x00") {
		if function, ok := strings.CutPrefix(variable, "FUNCTION_TARGET="); ok {
			return function
		}
	}
	return program
}

// cpuTicks reads utime and stime, fields 14 and 15 of /proc/<pid>/stat; the second field, the program's name, may hold spaces.
func cpuTicks(path string) (int64, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	_, after, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(after)
	if len(fields) < 13 {
		return 0, fmt.Errorf("read %s: %d fields", path, len(fields))
	}
	user, errUser := strconv.ParseInt(fields[11], 10, 64)
	system, errSystem := strconv.ParseInt(fields[12], 10, 64)
	return user + system, errors.Join(errUser, errSystem)
}
