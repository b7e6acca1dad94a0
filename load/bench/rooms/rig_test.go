//go:build bench

package rooms

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"larder.dev/load/bench/figure"
)

// address is where a component is.
func address(t *testing.T, variable string) string {
	t.Helper()
	at := os.Getenv(variable)
	if at == "" {
		t.Fatalf("%s is not set: run the benchmarks by `make bench`, which starts the components", variable)
	}
	return at
}

// setting is a number of the environment's.
func setting(t *testing.T, name string, otherwise int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// report prints a line of figures, tell a figure for the table. One whose bound was missed fails the test.
func report(format string, args ...any) { fmt.Printf("bench: "+format+"\n", args...) }

func tell(t *testing.T, f figure.Figure) {
	t.Helper()
	f.Print(os.Stdout)
	if f.Missed {
		t.Errorf("%s: %s, ratio %.2f; want %s", f.Name, f.Seen, f.Ratio, f.Bound)
	}
}

// cpu is the time that this process has spent on a processor.
func cpu(t *testing.T) time.Duration {
	t.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		t.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

func us(d time.Duration) string { return fmt.Sprintf("%.1f us", float64(d)/1e3) }
func ms(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d)/1e6) }
