package usage

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// A process that has inherited the state folder is found by the supervisor's name, and so is one that it has started without any
// environment; ours is found as a root, and nobody else's at all.
func TestRead(t *testing.T) {
	state := t.TempDir()
	cmd := exec.Command("sh", "-c", "env -i sleep 60 & while :; do :; done")
	cmd.Env = []string{"LARDER_SUPERVISED=" + state, "PC_PROC_NAME=worker"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // both end together
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait()
	}()
	var first time.Duration
	for deadline := time.Now().Add(10 * time.Second); ; {
		all, err := Read(state, map[int]string{os.Getpid(): "test"})
		if err != nil {
			t.Fatal(err)
		}
		names, programs := map[string]int{}, map[string]bool{}
		var spent time.Duration
		for _, p := range all {
			names[p.Name]++
			programs[filepath.Base(p.Program)] = true
			if p.PID == cmd.Process.Pid {
				spent = p.CPU
				if p.Resident <= 0 {
					t.Errorf("%+v has no memory", p)
				}
			}
		}
		if first == 0 {
			first = spent
		}
		if names["worker"] == 2 && names["test"] == 1 && len(names) == 2 && programs["sleep"] && spent > first {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("found %v of %v, which spent %s: %+v", names, programs, spent, all)
		}
	}
}

func TestNameOf(t *testing.T) {
	for environment, want := range map[string]string{
		"LARDER_SUPERVISED=/s\x00PC_PROC_NAME=applystock\x00FUNCTION_TARGET=ApplyStock\x00": "ApplyStock",
		"LARDER_SUPERVISED=/s\x00PC_PROC_NAME=checkout\x00":                                 "checkout",
		"LARDER_SUPERVISED=/s\x00":                              "supervisor",
		"LARDER_SUPERVISED=/other\x00PC_PROC_NAME=checkout\x00": "",
		"PC_PROC_NAME=checkout\x00":                             "",
	} {
		if got := nameOf(environment, "/s"); got != want {
			t.Errorf("%q: %q, want %q", environment, got, want)
		}
	}
}

func TestMachine(t *testing.T) {
	before, err := Machine()
	if err != nil || before <= 0 {
		t.Fatalf("busy for %s, %v", before, err)
	}
}
