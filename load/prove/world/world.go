// Package world is the platform as the prover attacks it: every component real, several processes of each service, a proxy wherever
// something may break, and a storm that breaks it.
//
// It knows the platform from outside: by programs, environment, ports, HTTP, Redis, Spanner's and Pub/Sub's protocols. What the programs
// do for it is in the package internal/chaos: built with the tag chaos, they read orders from files.
package world

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Limits of waiting.
const (
	startLimit  = 90 * time.Second // for everything of a world or a round to be ready
	scriptLimit = 15 * time.Second
)

// LogFile is the file in the state folder that its owner logs to.
const LogFile = "prove.log"

// Config says what a world is made of.
type Config struct {
	Seed uint64
	// Without is the fence that the programs are run without; empty: none.
	Without string
	Log     *slog.Logger
	// HoldFor is how long a checkout may take before it is looked after, and a shopper may take to confirm a payment; 5 s if 0.
	HoldFor time.Duration
	// Root is the repository. Dir is the folder for state, made if it is missing; what an earlier world left in it is deleted.
	Root, Dir string
}

// World is what lasts for all rounds: the programs, PostgreSQL with the catalogue, tokens, accounts.
type World struct {
	config    Config
	log       *slog.Logger
	lock      *os.File
	guard     net.Listener // keeps a second world, of another folder, from the ports
	sup       *supervisor
	processes []*process
	emulator  string // Spanner's program
	pubsub    []string

	mu   sync.Mutex
	hits map[string]int // of crash points, in all rounds
}

// New builds the programs, with what breaks them, and starts what lasts. One world at a time runs in a folder.
func New(ctx context.Context, config Config) (_ *World, err error) {
	config.Root, err = filepath.Abs(config.Root)
	if err == nil {
		config.Dir, err = filepath.Abs(config.Dir)
	}
	if err != nil {
		return nil, fmt.Errorf("find the folders: %w", err)
	}
	config.HoldFor = cmp.Or(config.HoldFor, shortHold)
	w := &World{config: config, log: config.Log, hits: map[string]int{}}
	if err := w.take(ctx); err != nil {
		return nil, err
	}
	w.sup = newSupervisor(w.log)
	defer func() {
		if err != nil {
			err = errors.Join(err, w.Close())
		}
	}()
	began := time.Now()
	if err := w.build(ctx); err != nil {
		return nil, err
	}
	w.log.Info("programs built", "took", time.Since(began).Round(time.Millisecond))
	if err := w.find(ctx); err != nil {
		return nil, err
	}
	began = time.Now()
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	if err := w.startLasting(ctx); err != nil {
		return nil, err
	}
	w.log.Info("world is up", "took", time.Since(began).Round(time.Millisecond))
	return w, nil
}

// Close ends everything.
func (w *World) Close() error {
	w.sup.close(w.processes)
	return errors.Join(w.guard.Close(), w.lock.Close())
}

// take makes the folder and the ports this world's own, and ends what a killed prover left running.
func (w *World) take(ctx context.Context) (err error) {
	if w.guard, err = new(net.ListenConfig).Listen(ctx, "tcp", at(0, 0)); err != nil {
		return fmt.Errorf("another prover runs on this machine: %w", err)
	}
	defer func() {
		if err != nil {
			_ = w.guard.Close()
		}
	}()
	if err := os.MkdirAll(w.config.Dir, 0o755); err != nil {
		return fmt.Errorf("make the state folder: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(w.config.Dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("lock the state folder: %w", err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = lock.Close()
		return fmt.Errorf("another prover runs in %s: %w", w.config.Dir, err)
	}
	w.lock = lock
	if err := w.script(ctx, "local/bin/survivors.sh", "end", w.config.Dir); err != nil {
		return errors.Join(err, lock.Close())
	}
	entries, err := os.ReadDir(w.config.Dir)
	if err != nil {
		return errors.Join(fmt.Errorf("read the state folder: %w", err), lock.Close())
	}
	// The owner's log is open by now, and is appended to.
	if err := os.Truncate(filepath.Join(w.config.Dir, LogFile), 0); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(fmt.Errorf("empty the log: %w", err), lock.Close())
	}
	for _, entry := range entries {
		if slices.Contains([]string{"lock", "bin", LogFile}, entry.Name()) {
			continue
		}
		if err := os.RemoveAll(filepath.Join(w.config.Dir, entry.Name())); err != nil {
			return errors.Join(fmt.Errorf("empty the state folder: %w", err), lock.Close())
		}
	}
	return nil
}

// build makes the programs.
func (w *World) build(ctx context.Context) error {
	if err := os.MkdirAll(filepath.Join(w.config.Dir, "bin"), 0o755); err != nil {
		return fmt.Errorf("make the programs' folder: %w", err)
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-tags", "chaos", "-o", filepath.Join(w.config.Dir, "bin")+"/",
		"./run/...", "./functions/...", "./local/...")
	cmd.Dir = w.config.Root
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build the programs: %w\n%s", err, output)
	}
	return nil
}

// find looks for the emulators, as the scripts of local/components do.
func (w *World) find(ctx context.Context) error {
	const ask = `. local/components/lib.sh
		sdk bin/cloud_spanner_emulator/emulator_main || fail "there is no Spanner emulator: run local/components/install.sh"
		folder=$(sdk platform/pubsub-emulator/lib) || fail "there is no Pub/Sub emulator: run local/components/install.sh"
		echo "$folder"/cloud-pubsub-emulator-*-all.jar
		java_for 17`
	output, err := w.command(ctx, "bash", "-c", ask).Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			return fmt.Errorf("look for the emulators: %w: %s", err, exit.Stderr)
		}
		return fmt.Errorf("look for the emulators: %w", err)
	}
	lines := strings.Split(strings.TrimSpace(string(output)), "\n")
	if len(lines) != 3 {
		return fmt.Errorf("look for the emulators: %d lines instead of 3: %q", len(lines), output)
	}
	w.emulator = lines[0]
	w.pubsub = []string{lines[2], "-Xmx1g", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
		"-Djava.util.logging.config.file=" + filepath.Join(w.config.Root, "local", "components", "pubsub.logging"), "-jar", lines[1]}
	return nil
}

// command is a program of the repository's, or another one, that ends by itself.
func (w *World) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Env = w.config.Root, outer()
	return cmd
}

// script runs a command to its end.
func (w *World) script(ctx context.Context, name string, args ...string) error {
	ctx, cancel := context.WithTimeout(ctx, scriptLimit)
	defer cancel()
	if output, err := w.command(ctx, name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", name, err, output)
	}
	return nil
}

// outer is what of this process's own environment the others get: nothing that could lead them elsewhere.
func outer() []string {
	var env []string
	for _, name := range []string{"PATH", "HOME", "USER", "LANG", "TMPDIR", "XDG_CACHE_HOME", "JAVA_HOME", "CLOUDSDK_ROOT"} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}
