// Command model checks the checkout protocol (docs/protocol.md): it explores every interleaving of its steps, with faults between them, and
// holds each state that can be reached against the invariants. README.md tells what is modelled.
//
//	go run ./internal/checkout/model                     everything
//	go run ./internal/checkout/model -s cap,refund -t    these scenarios by the rules, with a trace of what breaks
//	go run ./internal/checkout/model -m tombstone -t     the mutations whose names contain this, with their traces
//	go run ./internal/checkout/model -part courtesy      one of the parts of everything
//
// It needs 2 GB of memory. Exit status 1: an invariant is broken, a mutation isn't caught, or a search came to no end.
package main

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"time"
)

func main() {
	only := flag.String("s", "", "these `scenarios` by the rules, with commas between them")
	mutated := flag.String("m", "", "the mutations whose names contain this `text`")
	part := flag.String("part", "", "rules, mutations, alternatives or courtesy; empty for all")
	traces := flag.Bool("t", false, "print the trace of what breaks")
	limit := flag.Uint("max", 24_000_000, "stop a search at so many `states`")
	flag.Parse()
	const memory = 2000 << 20
	debug.SetMemoryLimit(memory)
	c := &command{explorer: newExplorer(uint32(*limit)), traces: *traces}
	switch {
	case *only != "":
		c.rules(strings.Split(*only, ","))
	case *mutated != "":
		c.mutations(*mutated)
	default:
		c.parts(*part)
	}
	if len(c.failed) > 0 {
		fmt.Printf("model: FAILED: %s\n", strings.Join(c.failed, "; "))
		os.Exit(1)
	}
	fmt.Println("model: ok")
}

// command prints what it finds, line by line.
type command struct {
	explorer *explorer
	traces   bool
	failed   []string
}

func (c *command) fail(what string) { c.failed = append(c.failed, what) }

func (c *command) parts(only string) {
	all := []struct {
		name string
		do   func()
	}{
		{"courtesy", c.courtesy},
		{"mutations", func() { c.mutations("") }},
		{"alternatives", c.alternatives},
		{"rules", func() { c.rules(nil) }},
	}
	known := false
	for _, part := range all {
		if only == "" || only == part.name {
			part.do()
			known = true
		}
	}
	if !known {
		c.fail("there is no part " + only)
	}
}

// rules explores scenarios by the rules; none is all. Those that aren't big have a lost reply of Redis or Spanner anywhere.
func (c *command) rules(names []string) {
	fmt.Printf("\n%-12s %10s %6s %8s\n", "scenario", "states", "depth", "time")
	for _, name := range names {
		if _, ok := named(name); !ok {
			c.fail("there is no scenario " + name)
		}
	}
	for _, s := range scenarios() {
		if len(names) > 0 && !slices.Contains(names, s.name) {
			continue
		}
		if !s.big {
			s.lostReplies = 1
		}
		m := &model{scenario: s}
		r := c.explorer.explore(m, m.asked())
		verdict := "holds"
		switch {
		case r.broken():
			verdict = c.breaks(m, r)
			c.fail(s.name + " breaks " + verdict)
		case !r.complete && s.big:
			verdict = fmt.Sprintf("holds to a depth of %d, stopped there", r.depth-1)
		case !r.complete:
			verdict = "stopped"
			c.fail(s.name + " came to no end")
		}
		fmt.Printf("%-12s %10d %6d %8s  %s\n", s.name, r.states, r.depth, r.took.Round(time.Second/10), verdict)
	}
}

// breaks names the invariants that are broken, and prints the traces.
func (c *command) breaks(m *model, r result) string {
	var names []string
	for i, number := range r.found {
		if number == 0 {
			continue
		}
		names = append(names, fmt.Sprintf("%v in %d steps", invariant(i), r.length[i]))
		if c.traces {
			fmt.Printf("  %v:\n", invariant(i))
			for n, line := range c.explorer.trace(m, number) {
				fmt.Printf("  %3d %s\n", n+1, line)
			}
		}
	}
	return strings.Join(names, ", ")
}

// mutations looks whether those are caught whose names contain a text.
func (c *command) mutations(text string) {
	fmt.Printf("\n%-8s %-58s %-10s %s\n", "rule", "mutation", "scenario", "caught as")
	known := false
	for _, mutation := range mutations() {
		if !strings.Contains(mutation.name, text) {
			continue
		}
		known = true
		m, r := c.explorer.mutate(mutation)
		verdict := cmp.Or(c.breaks(m, r), "NOT CAUGHT")
		if r.length[mutation.breaks] != mutation.steps {
			c.fail(fmt.Sprintf("%s: %s, wanted %v in %d steps", mutation.name, verdict, mutation.breaks, mutation.steps))
		}
		fmt.Printf("%-8s %-58s %-10s %s\n", mutation.rule, mutation.name, mutation.scenario, verdict)
	}
	if !known {
		c.fail("there is no mutation " + text)
	}
}

// mutate looks for the invariant that a mutation breaks.
func (e *explorer) mutate(mutation mutation) (*model, result) {
	s, _ := named(mutation.scenario) // none: there is nothing to break
	m := &model{scenario: s}
	mutation.set(&m.variant)
	return m, e.explore(m, of(mutation.breaks))
}

// alternatives looks whether they break nothing.
func (c *command) alternatives() {
	fmt.Printf("\n%-8s %-64s %-10s %10s\n", "rule", "alternative", "scenario", "states")
	for _, a := range alternatives() {
		for _, name := range a.scenarios {
			s, _ := named(name)
			m := &model{scenario: s}
			a.set(&m.variant)
			r := c.explorer.explore(m, m.asked())
			verdict := "holds"
			if r.broken() || !r.complete {
				verdict = cmp.Or(c.breaks(m, r), "stopped")
				c.fail(a.name + ": " + verdict)
			}
			fmt.Printf("%-8s %-64s %-10s %10d  %s\n", a.rule, a.name, name, r.states, verdict)
		}
	}
}

// courtesy shows what the lock is for: without it, and with one that was lost, an order may hold stock a second time.
func (c *command) courtesy() {
	fmt.Println()
	for _, look := range lockLooks() {
		m := &model{scenario: look.scenario}
		r := c.explorer.explore(m, of(heldTwice))
		if (r.length[heldTwice] > 0) != look.found {
			c.fail("courtesy lock: " + look.name)
		}
		fmt.Printf("%-40s %s\n", look.name, cmp.Or(c.breaks(m, r), "never"))
	}
}

// lockLook is a world in which an order may hold stock twice, or may not.
type lockLook struct {
	name     string
	scenario scenario
	found    bool
}

func lockLooks() []lockLook {
	without, _ := named("nolock")
	with, _ := named("lock")
	lost := with
	lost.locksLost = 1
	return []lockLook{
		{"held twice, without the courtesy lock", without, true},
		{"held twice, with it", with, false},
		{"held twice, with one that was lost", lost, true},
	}
}
