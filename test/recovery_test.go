//go:build recovery

package test

import (
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestRecovery kills each part of the running platform with -9 in turn, as make recovery does. Within 60 seconds all is ready
// again, without a hand laid on it, and the demo passes: after each part, but for the functions, which are one program, after all of
// them. It takes many minutes, so it has a build tag and a command of its own.
func TestRecovery(t *testing.T) {
	setting(t, "LARDER_PROFILE")
	parts, ready, table := status(t)
	if !ready || len(parts) == 0 {
		t.Fatalf("the platform is not ready before anything is killed:\n%s", table)
	}
	var functions, others []string
	for name := range parts {
		if slices.Contains(strings.Fields(strings.ToLower(setting(t, "LARDER_FUNCTIONS"))), name) {
			functions = append(functions, name)
		} else {
			others = append(others, name)
		}
	}
	slices.Sort(functions)
	slices.Sort(others)
	if len(functions) == 0 || len(others) == 0 {
		t.Fatalf("%d functions and %d other parts:\n%s", len(functions), len(others), table)
	}
	for i, name := range append(functions, others...) {
		t.Run(name, func(t *testing.T) {
			var pid int // of now: another part's end may have made this one start anew
			eventually(t, 60*time.Second, "all is ready", func() bool {
				now, ready, _ := status(t)
				pid = now[name]
				return ready && pid != 0
			})
			ours(t, pid)
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			killed := time.Now()
			eventually(t, 60*time.Second, "all is ready", func() bool {
				now, ready, _ := status(t)
				return ready && now[name] != 0 && now[name] != pid
			})
			green := time.Since(killed)
			if i < len(functions)-1 {
				t.Logf("%-18s ready after %4.1f s", name, green.Seconds())
				return
			}
			out, err := demo(t)
			if err != nil || !passed.MatchString(out) {
				t.Fatalf("ready after %.1f s, but the demo says %v\n%s", green.Seconds(), err, out)
			}
			t.Logf("%-18s ready after %4.1f s, %s", name, green.Seconds(), passed.FindString(out))
		})
	}
}

// status reads the table of make status: the process id of each part that is ours to end, and whether all of them are ready.
func status(t *testing.T) (parts map[string]int, ready bool, table string) {
	t.Helper()
	command := exec.CommandContext(t.Context(), "../local/bin/status.sh")
	command.Env = append(os.Environ(), "PROFILE="+setting(t, "LARDER_PROFILE"))
	out, err := command.Output()
	parts = map[string]int{}
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		if len(fields) < 4 || strings.Contains(line, "outside") {
			continue
		}
		if pid, err := strconv.Atoi(fields[1]); err == nil && pid > 1 {
			parts[fields[0]] = pid
		}
	}
	return parts, err == nil, string(out)
}

// ours wants a process of this profile's platform: nothing else is killed.
func ours(t *testing.T, pid int) {
	t.Helper()
	environment, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/environ")
	if err != nil {
		t.Fatal(err)
	}
	for entry := range strings.SplitSeq(string(environment), "\x00") {
		if entry == "LARDER_SUPERVISED="+setting(t, "LARDER_STATE") {
			return
		}
	}
	t.Fatalf("process %d is none of this platform's", pid)
}
