package product

import "time"

// Hasten makes audits look again without long pauses, until the returned function is called.
func Hasten() (restore func()) {
	usual := looks
	looks = []time.Duration{time.Millisecond, time.Millisecond, time.Millisecond}
	return func() { looks = usual }
}
