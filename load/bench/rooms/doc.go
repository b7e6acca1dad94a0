// Package rooms measures parts of the platform each by itself, against something plainer in the same run: orders on stand-ins for Spanner and
// the payment provider, carts, the relay, the edge, and how long a program takes to answer. `make bench` runs it, with the environment of a
// profile whose components are up; docs/performance.md says what was seen and what limits it.
package rooms
