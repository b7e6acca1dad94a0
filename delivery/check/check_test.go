package main

import (
	"os"
	"testing"
)

// What is delivered keeps the rules, and each rule finds its fault.
func TestCheck(t *testing.T) {
	for _, missed := range missedFaults(os.DirFS("../..")) {
		t.Error(missed)
	}
}
