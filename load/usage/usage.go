// Package usage reads from /proc what the processes of a platform on this machine use.
package usage

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Process is one at a moment.
type Process struct {
	PID int
	// Name is a function's, or else what the supervisor calls it; what a process has started has its name.
	Name string
	// Program is the file that runs, as a path.
	Program string
	// CPU is the time it has spent on processors, of user and system.
	CPU time.Duration
	// Resident is its memory, bytes. Shared pages count in each process that has them.
	Resident int64
}

// tick is the unit of times in /proc: Linux's USER_HZ is 100 on every architecture that Go runs on (proc(5), sysconf(_SC_CLK_TCK)).
const tick = 10 * time.Millisecond

// Read lists the processes of a platform: those that have inherited LARDER_SUPERVISED=state, and what they have started. roots are others,
// by their id, with the names that they and what they have started are to have. What ends while it is read is left out.
func Read(state string, roots map[int]string) ([]Process, error) {
	folders, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	found := make(map[int]seen, len(folders))
	for _, folder := range folders {
		pid, err := strconv.Atoi(filepath.Base(folder))
		if err != nil {
			return nil, fmt.Errorf("list processes: %w", err)
		}
		p, err := look(folder, state)
		if err != nil { // it is gone, or isn't ours to see
			continue
		}
		p.PID = pid
		if name, ok := roots[pid]; ok {
			p.Name = name
		}
		found[pid] = p
	}
	var all []Process
	for _, p := range found {
		// PostgreSQL's processes write their titles over their environment: they are known by who has started them.
		for up, steps := p, 0; p.Name == "" && steps < 20; steps++ {
			parent, ok := found[up.parent]
			if !ok {
				break
			}
			p.Name, up = parent.Name, parent
		}
		if p.Name != "" {
			all = append(all, p.Process)
		}
	}
	return all, nil
}

type seen struct {
	Process
	parent int
}

func look(folder, state string) (seen, error) {
	var p seen
	text, err := os.ReadFile(filepath.Join(folder, "stat"))
	if err != nil {
		return p, fmt.Errorf("read a process: %w", err)
	}
	if err := p.read(string(text)); err != nil {
		return p, fmt.Errorf("read %s: %w", folder, err)
	}
	environment, err := os.ReadFile(filepath.Join(folder, "environ"))
	if err != nil {
		return p, fmt.Errorf("read a process: %w", err)
	}
	p.Name = nameOf(string(environment), state)
	program, err := os.Readlink(filepath.Join(folder, "exe"))
	if err != nil { // a thread of the kernel's
		return p, fmt.Errorf("read a process: %w", err)
	}
	p.Program = strings.TrimSuffix(program, " (deleted)") // built anew since
	return p, nil
}

// nameOf is "" for a process that isn't the platform's.
func nameOf(environment, state string) string {
	of := map[string]string{}
	for variable := range strings.SplitSeq(environment, "\x00") {
		if name, value, _ := strings.Cut(variable, "="); name == "LARDER_SUPERVISED" || name == "PC_PROC_NAME" || name == "FUNCTION_TARGET" {
			of[name] = value
		}
	}
	switch {
	case of["LARDER_SUPERVISED"] != state:
		return ""
	case of["FUNCTION_TARGET"] != "":
		return of["FUNCTION_TARGET"]
	case of["PC_PROC_NAME"] != "":
		return of["PC_PROC_NAME"]
	default:
		return "supervisor"
	}
}

// read reads ppid, utime, stime and rss, fields 4, 14, 15 and 24 of /proc/<pid>/stat; the second, the program's name, may hold spaces.
func (s *seen) read(stat string) error {
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	if len(fields) < 22 {
		return fmt.Errorf("%d fields", len(fields))
	}
	parent, err1 := strconv.Atoi(fields[1])
	user, err2 := strconv.ParseInt(fields[11], 10, 64)
	system, err3 := strconv.ParseInt(fields[12], 10, 64)
	pages, err4 := strconv.ParseInt(fields[21], 10, 64)
	s.parent, s.CPU, s.Resident = parent, time.Duration(user+system)*tick, pages*int64(os.Getpagesize())
	return errors.Join(err1, err2, err3, err4)
}

// Machine is the time that all processors have spent on anything since the machine was started.
func Machine() (busy time.Duration, err error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, fmt.Errorf("read the machine's load: %w", err)
	}
	first, _, _ := strings.Cut(string(text), "\n")
	fields := strings.Fields(first)
	if len(fields) < 9 || fields[0] != "cpu" {
		return 0, fmt.Errorf("read the machine's load: %q", first)
	}
	for i, field := range fields[1:9] { // user nice system idle iowait irq softirq steal
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("read the machine's load: %w", err)
		}
		if i != 3 && i != 4 {
			busy += time.Duration(n) * tick
		}
	}
	return busy, nil
}
