package main

import (
	"regexp"
	"time"
)

var idempotencyKey = regexp.MustCompile(`^[A-Za-z0-9_-]{8,100}$`)

// at reads a time; zero if it is none.
func at(text string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return time.Time{}
	}
	return t
}
