package main

import "testing"

// small is the memory of an explorer for tests.
const small = 600_000

// A part of the scenarios, explored to their ends; the command explores all, with lost replies.
func TestRules(t *testing.T) {
	e := newExplorer(small)
	for _, name := range []string{
		"failover", "restock", "three", "stray", "reap2", "actfo", "cap", "capreb", "capact", "capexp", "fold", "reset", "resetkill",
		"applied", "cartlines", "wd", "wdfo", "wdstray", "refund", "refundtwin", "refundover", "lock",
	} {
		t.Run(name, func(t *testing.T) {
			s, ok := named(name)
			if !ok {
				t.Fatal("there is no such scenario")
			}
			m := &model{scenario: s}
			r := e.explore(m, m.asked())
			t.Logf("%d states, depth %d", r.states, r.depth)
			if !r.complete && !r.broken() {
				t.Fatalf("stopped at %d states", r.states)
			}
			for i, number := range r.found {
				if number != 0 {
					t.Errorf("%v: %v", invariant(i), e.trace(m, number))
				}
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
