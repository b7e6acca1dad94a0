package world

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Trouble is something that a platform must bear while people buy. Unlike a storm, there is one kind of it at a time.
type Trouble string

// The kinds of trouble.
const (
	// Loss is 10 % of the packets, each way, between our programs and the stock's Redis, Spanner, the provider and Pub/Sub.
	Loss Trouble = "loss"
	// Delay is 200 ms, there and back, on the same roads.
	Delay Trouble = "delay"
	// Kills is SIGKILL for every process but the emulators of Spanner and Pub/Sub, one every 10 s.
	Kills Trouble = "kills"
	// Freezes is SIGSTOP for 15 s, and then SIGCONT, for what our programs depend on, one after the other.
	Freezes Trouble = "freezes"
)

// Troubles are all kinds, in the order in which chaos takes them.
var Troubles = []Trouble{Loss, Delay, Kills, Freezes}

const (
	lossShare  = 0.1
	delayFor   = 200 * time.Millisecond // there and back
	killPause  = 10 * time.Second
	freezeFor  = 15 * time.Second
	freezeRest = 10 * time.Second // between two freezes
)

// Trouble makes one kind of trouble for a time, or, for Kills and Freezes, until each process had its turn. It returns when all is well
// again. Loss needs a network namespace of its own and the right to change its filter: make chaos sees to both.
func (r *Round) Trouble(ctx context.Context, kind Trouble, long time.Duration) (tally Tally, err error) {
	tally = newTally()
	count := func(target string) {
		tally.Faults++
		tally.ByKind[string(kind)]++
		r.log.Info("trouble", "kind", kind, "target", target)
	}
	switch kind {
	case Loss:
		if err := r.lose(ctx, lossShare); err != nil {
			return tally, err
		}
		count("every road")
		wait(ctx, long)
		tally.Calls["packets lost"], err = loseNothing(context.WithoutCancel(ctx))
	case Delay:
		if err := r.delay(ctx, delayFor); err != nil {
			return tally, err
		}
		count("every road")
		wait(ctx, long)
		err = r.delay(context.WithoutCancel(ctx), 0)
	case Kills:
		for _, p := range r.mortal() {
			if err := p.signalAll(syscall.SIGKILL); err != nil {
				r.log.Warn("not killed", "process", p.name, "error", err)
				continue
			}
			count(p.name)
			if !wait(ctx, killPause) {
				break
			}
		}
	case Freezes:
		for _, p := range r.dependencies() {
			if err := p.signalAll(syscall.SIGSTOP); err != nil {
				return tally, err
			}
			count(p.name)
			wait(ctx, freezeFor)
			if err := p.signalAll(syscall.SIGCONT); err != nil {
				return tally, err
			}
			if !wait(ctx, freezeRest) {
				break
			}
		}
	default:
		return tally, fmt.Errorf("there is no trouble %q, but %v", kind, Troubles)
	}
	healing, cancel := context.WithTimeout(ctx, healLimit)
	defer cancel()
	return tally, errors.Join(err, r.heal(healing), ready(healing, r.world.living()...))
}

// living are the processes that last for all rounds, without those that have ended for good.
func (w *World) living() []*process {
	return slices.DeleteFunc(slices.Clone(w.processes), (*process).isEnding)
}

// mortal are the processes that are killed: all but the emulators of Spanner and Pub/Sub, which keep nothing over their death.
func (r *Round) mortal() []*process {
	return slices.DeleteFunc(append(r.world.living(), r.processes...), func(p *process) bool { return p.name == "spanner" || p.name == "pubsub" })
}

// dependencies are what our programs need, of each the process that they talk to now.
func (r *Round) dependencies() []*process {
	names := []string{"spanner", "pubsub", "redis-cart", "payments", "postgres", "metadata", r.redis[r.master.Load()].name}
	return slices.DeleteFunc(append(r.world.living(), r.processes...), func(p *process) bool { return !slices.Contains(names, p.name) })
}

// roads are the ports at which our programs find what they depend on.
func (r *Round) roads() []string {
	ports := []string{portOf(r.spanner.address)}
	for _, w := range r.ways {
		ports = append(ports, portOf(w.address()))
	}
	for _, v := range r.views {
		ports = append(ports, portOf(v.address()))
	}
	return ports
}

// errShared is the error of who would break the network of others as well.
var errShared = errors.New("this network has more than a loopback, so others use it: run make chaos, which makes a network namespace")

// lose drops a share of the packets that come to the roads' ports, and of those that come from them.
func (r *Round) lose(ctx context.Context, share float64) error {
	interfaces, err := net.Interfaces()
	if err != nil {
		return fmt.Errorf("look for the network's interfaces: %w", err)
	}
	if len(interfaces) != 1 {
		return errShared
	}
	for _, side := range []string{"--dports", "--sports"} {
		// multiport takes 15 ports at most: there are nine.
		_, err := filter(ctx, "-A", "INPUT", "-i", "lo", "-p", "tcp", "-m", "multiport", side, strings.Join(r.roads(), ","),
			"-m", "statistic", "--mode", "random", "--probability", strconv.FormatFloat(share, 'f', -1, 64), "-j", "DROP")
		if err != nil {
			return err
		}
	}
	return nil
}

// loseNothing lets all packets pass again, and returns how many were dropped; none is an error.
func loseNothing(ctx context.Context) (dropped int, err error) {
	rules, err := filter(ctx, "-L", "INPUT", "-v", "-x", "-n")
	for line := range strings.Lines(rules) {
		if fields := strings.Fields(line); len(fields) > 2 && fields[2] == "DROP" {
			n, malformed := strconv.Atoi(fields[0])
			dropped, err = dropped+n, errors.Join(err, malformed)
		}
	}
	if err == nil && dropped == 0 {
		err = errors.New("no packet was dropped")
	}
	_, flushed := filter(ctx, "-F", "INPUT")
	return dropped, errors.Join(err, flushed)
}

func filter(ctx context.Context, args ...string) (output string, err error) {
	ctx, cancel := context.WithTimeout(ctx, scriptLimit)
	defer cancel()
	text, err := exec.CommandContext(ctx, "iptables", args...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("iptables %v: %w\n%s", args, err, text)
	}
	return string(text), nil
}

// delay has everything on the roads be late, half of it each way; 0: not any more. The proxy of Spanner has a call wait for both at once.
func (r *Round) delay(ctx context.Context, by time.Duration) error {
	for _, p := range r.ways {
		p.lag.Store(int64(by / 2))
	}
	for _, v := range r.views {
		v.lag.Store(int64(by / 2))
	}
	r.spanner.set(spannerFaults{lag: by})
	return ctx.Err()
}

// signalAll sends a signal to a process and to those below it: PostgreSQL's have sessions of their own.
func (p *process) signalAll(s syscall.Signal) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running == nil {
		return fmt.Errorf("%s doesn't run", p.name)
	}
	for _, pid := range family(p.running.Process.Pid) {
		if err := syscall.Kill(pid, s); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("signal %s: %w", p.name, err)
		}
	}
	return nil
}

// family is a process and all that it has started, the eldest first.
func family(pid int) []int {
	all := []int{pid}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", pid))
	if err != nil {
		return all // it has ended
	}
	for _, word := range strings.Fields(string(text)) {
		if child, err := strconv.Atoi(word); err == nil {
			all = append(all, family(child)...)
		}
	}
	return all
}
