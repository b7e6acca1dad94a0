package world

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// Pauses of the supervisor.
const (
	restartPause = 50 * time.Millisecond // after a death; doubled while a process dies young
	longestPause = 2 * time.Second
	young        = 3 * time.Second
	probePause   = 40 * time.Millisecond
	probeTimeout = 3 * time.Second
	endGrace     = 8 * time.Second // between SIGTERM and SIGKILL
)

// program says how to start a process.
type program struct {
	name    string
	address string          // where it listens, if others are to be led there
	command func() []string // asked at each start
	env     []string
	dir     string
	log     string // a file that output is appended to
	// ready is nil if the process is up as soon as it runs.
	ready func(ctx context.Context) error
	// piped ends when its standard input does, and is sent no signal.
	piped bool
}

// process is a program that is kept running: what dies is started again. All methods are safe for concurrent use.
type process struct {
	program
	sup  *supervisor
	done chan struct{} // closed when the process is over for good

	mu      sync.Mutex
	running *exec.Cmd
	stdin   interface{ Close() error }
	up      bool          // it answers
	starts  int           // how often it was started
	held    chan struct{} // not nil: it isn't started again until this is closed
	changed chan struct{} // closed and replaced at each change
	ending  bool
}

// supervisor starts processes, and ends them all.
type supervisor struct {
	log    *slog.Logger
	ctx    context.Context
	cancel context.CancelFunc
	forks  chan func() // run by one thread, which lives as long as the supervisor
	work   sync.WaitGroup
}

// newSupervisor makes a supervisor. All of its processes die with it: by close, or with this process.
func newSupervisor(log *slog.Logger) *supervisor {
	ctx, cancel := context.WithCancel(context.Background())
	s := &supervisor{log: log, ctx: ctx, cancel: cancel, forks: make(chan func())}
	s.work.Go(func() {
		// A child gets its parent's death signal when the thread that forked it ends: this one never does.
		runtime.LockOSThread()
		for fork := range s.forks {
			fork()
		}
	})
	return s
}

// run starts a program and keeps it running.
func (s *supervisor) run(p program) *process {
	out := &process{program: p, sup: s, done: make(chan struct{}), changed: make(chan struct{})}
	s.work.Go(out.keep)
	return out
}

// close waits for the end of what endAll has ended, and of the supervisor itself.
func (s *supervisor) close(all []*process) {
	endAll(all, false)
	s.cancel()
	close(s.forks)
	s.work.Wait()
}

// endAll ends processes, the last first begun, and waits for them. At once means by SIGKILL.
func endAll(all []*process, atOnce bool) {
	var ends sync.WaitGroup
	for i := len(all) - 1; i >= 0; i-- {
		ends.Go(func() { all[i].end(atOnce) })
	}
	ends.Wait()
}

// keep starts the process again and again.
func (p *process) keep() {
	defer close(p.done)
	pause := restartPause
	for {
		p.mu.Lock()
		held, ending := p.held, p.ending
		p.mu.Unlock()
		if ending {
			return
		}
		if held != nil {
			select {
			case <-held:
			case <-p.sup.ctx.Done():
				return
			}
			continue
		}
		began := time.Now()
		if err := p.once(); err != nil {
			p.sup.log.Warn("process not started", "process", p.name, "error", err)
		}
		if pause = min(2*pause, longestPause); time.Since(began) > young {
			pause = restartPause
		}
		if p.isEnding() {
			return
		}
		if !wait(p.sup.ctx, pause) {
			return
		}
	}
}

// once runs the process from its start to its end.
func (p *process) once() error {
	command := p.command()
	cmd := exec.CommandContext(context.Background(), command[0], command[1:]...) // close ends it
	cmd.Env, cmd.Dir = p.env, p.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	if err := os.MkdirAll(filepath.Dir(p.log), 0o755); err != nil {
		return fmt.Errorf("make the log's folder: %w", err)
	}
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("open the log: %w", err)
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	if p.piped {
		if p.stdin, err = cmd.StdinPipe(); err != nil {
			return fmt.Errorf("make a pipe: %w", err)
		}
	}
	p.mu.Lock()
	if p.ending {
		p.mu.Unlock()
		return nil
	}
	started := make(chan error)
	p.sup.forks <- func() { started <- cmd.Start() }
	if err := <-started; err != nil {
		p.mu.Unlock()
		return fmt.Errorf("start %s: %w", command[0], err)
	}
	p.running = cmd
	p.starts++
	p.change()
	p.mu.Unlock()

	probing, stop := context.WithCancel(p.sup.ctx)
	var probe sync.WaitGroup
	probe.Go(func() { p.probe(probing) })
	state := cmd.Wait()
	stop()
	probe.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.running, p.up = nil, false
	p.change()
	if !p.ending {
		p.sup.log.Debug("process ended", "process", p.name, "how", fmt.Sprint(state))
	}
	return nil
}

// probe waits until the process answers, once for each start.
func (p *process) probe(ctx context.Context) {
	for {
		probe, cancel := context.WithTimeout(ctx, probeTimeout)
		err := error(nil)
		if p.ready != nil {
			err = p.ready(probe)
		}
		cancel()
		if err == nil {
			p.mu.Lock()
			if p.running != nil {
				p.up = true
				p.change()
			}
			p.mu.Unlock()
			return
		}
		if !wait(ctx, probePause) {
			return
		}
	}
}

// change wakes who waits for one. mu is held.
func (p *process) change() {
	close(p.changed)
	p.changed = make(chan struct{})
}

// isUp tells whether the process runs and has answered since its last start. A stopped one is still up.
func (p *process) isUp() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.up
}

// count returns how often the process was started.
func (p *process) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.starts
}

// waitUp waits until the process answers.
func (p *process) waitUp(ctx context.Context) error {
	for {
		p.mu.Lock()
		up, changed := p.up, p.changed
		p.mu.Unlock()
		if up {
			return nil
		}
		select {
		case <-changed:
		case <-p.done:
			return fmt.Errorf("%s has ended", p.name)
		case <-ctx.Done():
			return fmt.Errorf("%s isn't ready, its log is %s: %w", p.name, p.log, context.Cause(ctx))
		}
	}
}

// signal sends a signal to the process, if it runs.
func (p *process) signal(s syscall.Signal) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running == nil {
		return fmt.Errorf("%s doesn't run", p.name)
	}
	if err := p.running.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("signal %s: %w", p.name, err)
	}
	return nil
}

func (p *process) isEnding() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ending
}

// hold keeps the process from being started again once it has died, until letGo.
func (p *process) hold() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.held == nil {
		p.held = make(chan struct{})
	}
}

func (p *process) letGo() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.held != nil {
		close(p.held)
		p.held = nil
	}
}

// end ends the process for good and waits for it.
func (p *process) end(atOnce bool) {
	p.mu.Lock()
	p.ending = true
	if p.running != nil {
		switch {
		case p.piped:
			_ = p.stdin.Close()
		case atOnce:
			_ = p.running.Process.Kill()
		default:
			_ = p.running.Process.Signal(syscall.SIGCONT)
			_ = p.running.Process.Signal(syscall.SIGTERM)
		}
	}
	p.mu.Unlock()
	p.letGo()
	late := time.AfterFunc(endGrace, func() { _ = p.signal(syscall.SIGKILL) })
	defer late.Stop()
	<-p.done
}

// wait returns false when ctx ends before the pause does.
func wait(ctx context.Context, pause time.Duration) bool {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
