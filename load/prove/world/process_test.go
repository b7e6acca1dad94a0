package world

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

const limit = 20 * time.Second

// script is a program of a shell's.
func script(t *testing.T, text string) program {
	t.Helper()
	return program{
		name: t.Name(), command: func() []string { return []string{"sh", "-c", text} }, dir: t.TempDir(),
		env: []string{"PATH=" + os.Getenv("PATH")}, log: filepath.Join(t.TempDir(), "log", "script.log"),
	}
}

func supervise(t *testing.T) *supervisor {
	t.Helper()
	s := newSupervisor(slog.New(slog.DiscardHandler))
	t.Cleanup(func() { s.close(nil) })
	return s
}

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	return ctx
}

// eventually polls a condition.
func eventually(t *testing.T, what string, met func() bool) {
	t.Helper()
	ctx := within(t)
	for !met() {
		if !wait(ctx, 5*time.Millisecond) {
			t.Fatalf("not within %s: %s", limit, what)
		}
	}
}

func TestKilledProcessIsStartedAgain(t *testing.T) {
	p := supervise(t).run(script(t, "exec sleep 600"))
	if err := p.waitUp(within(t)); err != nil {
		t.Fatal(err)
	}
	first := p.count()
	if err := p.signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "another start", func() bool { return p.count() > first && p.isUp() })
	p.end(false)
	if p.isUp() || p.signal(syscall.SIGCONT) == nil {
		t.Error("it still runs")
	}
}

func TestHeldProcessStaysDead(t *testing.T) {
	p := supervise(t).run(script(t, "exec sleep 600"))
	if err := p.waitUp(within(t)); err != nil {
		t.Fatal(err)
	}
	p.hold()
	if err := p.signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "its death", func() bool { return !p.isUp() })
	if n := p.count(); n != 1 {
		t.Errorf("started %d times", n)
	}
	p.letGo()
	eventually(t, "another start", func() bool { return p.count() == 2 && p.isUp() })
	p.end(true)
}

// A stopped process ends too, and so does one that doesn't listen to signals.
func TestEndsWhatSleeps(t *testing.T) {
	s := supervise(t)
	stopped, piped := script(t, "exec sleep 600"), script(t, "trap '' TERM; read -r _; echo ended")
	piped.piped = true
	all := []*process{s.run(stopped), s.run(piped)}
	for _, p := range all {
		if err := p.waitUp(within(t)); err != nil {
			t.Fatal(err)
		}
	}
	if err := all[0].signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	endAll(all, false)
	text, err := os.ReadFile(piped.log)
	if err != nil || strings.TrimSpace(string(text)) != "ended" {
		t.Errorf("what reads from a pipe said %q, %v", text, err)
	}
}

func TestReadyMeansThatItAnswers(t *testing.T) {
	p := script(t, "exec sleep 600")
	answer := make(chan struct{})
	p.ready = func(ctx context.Context) error {
		select {
		case <-answer:
			return nil
		default:
			return context.DeadlineExceeded
		}
	}
	running := supervise(t).run(p)
	eventually(t, "a start", func() bool { return running.count() == 1 })
	if running.isUp() {
		t.Error("up before it answers")
	}
	close(answer)
	if err := running.waitUp(within(t)); err != nil {
		t.Error(err)
	}
	running.end(true)
}
