//go:build chaos

package chaos

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

var (
	dir     = os.Getenv("CHAOS_DIR")
	without = Fence(os.Getenv("CHAOS_WITHOUT"))
)

// points lists them all.
var points = []Point{
	CheckoutReserved, CheckoutIntended, CheckoutInitiated, CheckoutConfirmed, CheckoutCommitted, CheckoutSettled, CheckoutTombstoned,
	CheckoutReleased, CheckoutVoided, CheckoutCancelled, CheckoutPacked, CheckoutReaping, CheckoutReconciling, StockBumped, StockSummed, StockLoaded,
	StockHeld, StockEntered, StockApplied, PaymentCreated, PaymentAuthorised, PaymentCancelled, PaymentVoided, PaymentCaptured,
	PaymentBooked, PaymentRefunded, PaymentNoted, OrderMoved, OrderCancelled, RelayRead, RelayPublished, RelayMoved, FunctionReceived,
	FunctionDone, FunctionPublished,
}

func init() {
	if dir == "" {
		return
	}
	var names strings.Builder
	for _, point := range points {
		names.WriteString(string(point) + "\n")
	}
	if err := os.WriteFile(filepath.Join(dir, "points"), []byte(names.String()), 0o600); err != nil {
		panic(err) // a run that can't be broken proves nothing
	}
}

// At kills or stops the process if the prover asks for it.
func At(point Point) {
	if dir == "" {
		return
	}
	name := filepath.Join(dir, string(point))
	order, err := os.ReadFile(name)
	if err != nil || os.Remove(name) != nil {
		return
	}
	slog.Warn("chaos", "point", string(point), "order", string(order))
	signal := syscall.SIGKILL
	if strings.TrimSpace(string(order)) == "stop" {
		signal = syscall.SIGSTOP
	}
	_ = syscall.Kill(syscall.Getpid(), signal)
}

// Without tells whether a fence is built out.
func Without(fence Fence) bool { return without == fence }

// Now is the process's clock, as wrong as the prover wants it.
func Now() time.Time {
	if dir == "" {
		return time.Now()
	}
	text, err := os.ReadFile(filepath.Join(dir, "clock"))
	if err != nil {
		return time.Now()
	}
	wrong, err := time.ParseDuration(strings.TrimSpace(string(text)))
	if err != nil {
		return time.Now()
	}
	return time.Now().Add(wrong)
}
