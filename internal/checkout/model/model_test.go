package main

import (
	"slices"
	"testing"
)

// small is the memory of an explorer for tests.
const small = 600_000

// quick are scenarios that fit into it.
var quick = []string{
	"failover", "restock", "three", "stray", "reap2", "actfo", "cap", "capreb", "capact", "capexp", "fold", "reset", "resetkill",
	"applied", "cartlines", "wd", "wdfo", "wdstray", "wdone", "refund", "refundtwin", "refundover", "lock",
}

// A part of the scenarios, explored to their ends; the command explores all, with lost replies.
func TestRules(t *testing.T) {
	e := newExplorer(small)
	for _, name := range quick {
		t.Run(name, func(t *testing.T) { holds(t, e, variant{}, name) })
	}
}

// holds explores a scenario to its end: nothing breaks.
func holds(t *testing.T, e *explorer, v variant, name string) {
	t.Helper()
	s, ok := named(name)
	if !ok {
		t.Fatalf("there is no scenario %s", name)
	}
	m := &model{variant: v, scenario: s}
	r := e.explore(m, m.asked())
	t.Logf("%s: %d states, depth %d", name, r.states, r.depth)
	if !r.complete && !r.broken() {
		t.Fatalf("%s: stopped at %d states", name, r.states)
	}
	for i, number := range r.found {
		if number != 0 {
			t.Errorf("%s: %v: %v", name, invariant(i), e.trace(m, number))
		}
	}
}

// What could be done otherwise, in the quick ones of the scenarios that it is explored in.
func TestAlternatives(t *testing.T) {
	e := newExplorer(small)
	for _, a := range alternatives() {
		t.Run(a.name, func(t *testing.T) {
			var v variant
			a.set(&v)
			explored := 0
			for _, name := range a.scenarios {
				if slices.Contains(quick, name) {
					holds(t, e, v, name)
					explored++
				}
			}
			if explored == 0 {
				t.Error("none of its scenarios is quick")
			}
		})
	}
}

// Each rule is needed: left out, the named invariant breaks, and no shorter trace breaks it.
func TestMutations(t *testing.T) {
	e := newExplorer(small)
	for _, mutation := range mutations() {
		t.Run(mutation.name+"/"+mutation.breaks.String(), func(t *testing.T) {
			m, r := e.mutate(mutation)
			if r.length[mutation.breaks] != mutation.steps {
				t.Fatalf("%v after %d steps, want %d", mutation.breaks, r.length[mutation.breaks], mutation.steps)
			}
			if lines := e.trace(m, r.found[mutation.breaks]); len(lines) != mutation.steps {
				t.Errorf("the trace has %d steps, want %d: %v", len(lines), mutation.steps, lines)
			}
		})
	}
}

// An order may hold its stock twice for a moment, and another shopper be told meanwhile that nothing is left: without any fault, but not
// under the courtesy lock.
func TestCourtesyLock(t *testing.T) {
	e := newExplorer(small)
	for _, look := range lockLooks() {
		m := &model{scenario: look.scenario}
		r := e.explore(m, of(heldTwice))
		if found := r.length[heldTwice] > 0; found != look.found || (!found && !r.complete) {
			t.Errorf("%s: %v after %d states", look.name, found, r.states)
		}
	}
}
