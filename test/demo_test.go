package test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

var passed = regexp.MustCompile(`(?m)^demo: [1-9][0-9]* steps passed in [0-9.]+ s$`)

// TestDemo walks through the first order, as make demo does. Nothing that the platform has logged of it, and of the tests before it, may
// be a secret or tell of a person.
func TestDemo(t *testing.T) {
	out, err := demo(t)
	if err != nil || !passed.MatchString(out) {
		t.Errorf("%v\n%s", err, out)
	}
	t.Run("logs", func(t *testing.T) { checkLogs(t, filepath.Join(setting(t, "LARDER_STATE"), "log")) })
}

// TestDemoWithoutPlatform wants a clear line and an exit that says so where nothing listens.
func TestDemoWithoutPlatform(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := closed.Addr().String()
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	out, err := demo(t, "EDGE_ADDR="+address)
	if exit := new(exec.ExitError); !errors.As(err, &exit) || exit.ExitCode() <= 0 {
		t.Errorf("exit: %v", err)
	}
	if lines := strings.Split(strings.TrimSpace(out), "\n"); len(lines) != 1 || !strings.HasPrefix(out, "demo: ") || !strings.Contains(out, address) {
		t.Errorf("not one clear line with the address:\n%s", out)
	}
	if passed.MatchString(out) {
		t.Errorf("it passed:\n%s", out)
	}
}

// demo runs the built program with changes to the environment, and returns everything that it printed.
func demo(t *testing.T, changes ...string) (string, error) {
	t.Helper()
	setting(t, "EDGE_ADDR")
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, filepath.Join(setting(t, "LARDER_STATE"), "bin", "demo"))
	command.Env = slices.Concat(os.Environ(), changes)
	var out bytes.Buffer
	command.Stdout, command.Stderr = &out, &out
	err := command.Run()
	return out.String(), err
}
