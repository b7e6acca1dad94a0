package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const profile = "fidelity"

// platform is what stands between the catalogue and the index, in a profile of its own that every run begins empty.
type platform struct {
	root, state string
	env         map[string]string
	extra       []string
	gate        *gate
}

// bringUp starts it, for so many products. The emulator of Pub/Sub keeps what it has ever passed on, some 3 kB a product.
func bringUp(ctx context.Context, root string, gate *gate, products int) (*platform, error) {
	p := &platform{root: root, gate: gate, extra: []string{"PROFILE=" + profile, "ONLY=index", "PIPELINES_ELASTICSEARCH_URL=" + gate.address, "SLOT_KEEPS=" + slotKeeps,
		fmt.Sprintf("PUBSUB_HEAP=%dm", 512+products/200)}}
	if err := p.readEnvironment(ctx); err != nil {
		return nil, err
	}
	p.state = p.env["LARDER_STATE"]
	if err := gate.to(p.env["ELASTICSEARCH_URL"]); err != nil {
		return nil, err
	}
	if out, err := p.script(ctx, 2*time.Minute, "local/bin/reset.sh"); err != nil {
		return nil, fmt.Errorf("%w: %s", err, out)
	}
	if out, err := p.script(ctx, 10*time.Minute, "local/bin/up.sh"); err != nil {
		return nil, fmt.Errorf("%w: %s", err, out)
	}
	return p, nil
}

// readEnvironment reads what local/env.sh prints for the profile.
func (p *platform) readEnvironment(ctx context.Context) error {
	out, err := p.script(ctx, 10*time.Second, "local/env.sh", profile)
	if err != nil {
		return err
	}
	p.env = map[string]string{}
	for line := range strings.Lines(out) {
		name, value, ok := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "export "), "=")
		if ok {
			p.env[name] = strings.ReplaceAll(strings.Trim(value, "'"), `'\''`, "'")
		}
	}
	return nil
}

func (p *platform) down(ctx context.Context) error {
	out, err := p.script(ctx, time.Minute, "local/bin/down.sh")
	if err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

// script runs one of the repository's scripts for the profile.
func (p *platform) script(ctx context.Context, limit time.Duration, name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	command := exec.CommandContext(ctx, filepath.Join(p.root, name), args...)
	command.Dir = p.root
	command.Env = append(os.Environ(), p.extra...)
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGTERM) }
	command.WaitDelay = 10 * time.Second
	out, err := command.CombinedOutput()
	if err != nil {
		return string(out), fmt.Errorf("%s %s: %w", name, strings.Join(args, " "), err)
	}
	return string(out), nil
}

// kill ends a process of the platform by SIGKILL; its supervisor starts it again.
func (p *platform) kill(ctx context.Context, name string) error {
	return p.signal(ctx, name, syscall.SIGKILL)
}

func (p *platform) signal(ctx context.Context, name string, signal syscall.Signal) error {
	out, err := p.script(ctx, 10*time.Second, "local/bin/survivors.sh", "list", p.state, name)
	if err != nil {
		return err
	}
	for word := range strings.FieldsSeq(out) {
		pid, err := strconv.Atoi(word)
		if err != nil || pid < 2 {
			return fmt.Errorf("process %q of %s", word, name)
		}
		_ = syscall.Kill(pid, signal) // it may have ended by itself
	}
	return nil
}
