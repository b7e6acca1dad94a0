package main

import (
	"testing"
	"time"
)

func TestSpendingSince(t *testing.T) {
	before := spending{by: map[string]time.Duration{"postgres": time.Second, "idle": time.Minute}, machine: time.Hour}
	after := spending{
		by:      map[string]time.Duration{"postgres": 2 * time.Second, "idle": time.Minute, "elasticsearch": 5 * time.Second},
		machine: time.Hour + 8*time.Second,
	}
	want := "CPU a document: elasticsearch 500 us, postgres 100 us; the whole machine 800 us, 2.00 cores"
	if got := after.since(before, 10_000, 4*time.Second); got != want {
		t.Errorf("it tells %q, want %q", got, want)
	}
}
