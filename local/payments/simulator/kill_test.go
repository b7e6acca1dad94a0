package simulator_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stripe/stripe-go/v83"

	"larder.dev/local/payments/simulator"
)

// journalVariable makes the test program a simulator with that journal, so that a test can kill it.
const journalVariable = "SIMULATOR_TEST_JOURNAL"

func TestMain(m *testing.M) {
	if path := os.Getenv(journalVariable); path != "" {
		s, err := simulator.New(simulator.Config{Journal: path})
		if err != nil {
			panic(err)
		}
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			panic(err)
		}
		fmt.Println("address http://" + listener.Addr().String())
		panic(http.Serve(listener, s.Handler()))
	}
	os.Exit(m.Run())
}

// launch starts a simulator as a process of its own.
func launch(t *testing.T, journal string) (*exec.Cmd, *provider) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), journalVariable+"="+journal)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if url, ok := strings.CutPrefix(lines.Text(), "address "); ok {
			return cmd, &provider{Client: client(url, simulator.DefaultKey), url: url}
		}
	}
	t.Fatal("the simulator did not start")
	return nil, nil
}

// Killed under load, three times over: every payment that a caller was told of is there after the restart, and asking again
// under the same key makes no second one.
func TestKilledUnderLoad(t *testing.T) {
	journal := filepath.Join(t.TempDir(), "journal.jsonl")
	var mu sync.Mutex
	told := map[string]string{} // intent by idempotency key
	for round := range 3 {
		cmd, p := launch(t, journal)
		var load sync.WaitGroup
		for worker := range 8 {
			load.Go(func() {
				for i := 0; ; i++ {
					key := fmt.Sprintf("%d-%d-%d", round, worker, i)
					in, err := p.tryCreate(100, key)
					var refused *stripe.Error
					if errors.As(err, &refused) {
						t.Errorf("refused: %v", err)
					}
					if err != nil {
						return // killed
					}
					mu.Lock()
					told[key] = in.ID
					mu.Unlock()
				}
			})
		}
		eventually(t, "100 payments in this round", func() bool {
			mu.Lock()
			defer mu.Unlock()
			return len(told) >= (round+1)*100
		})
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // it was killed
		load.Wait()
	}
	_, p := launch(t, journal)
	for key, id := range told {
		in, err := p.tryCreate(100, key)
		if err != nil || in.ID != id {
			t.Fatalf("key %s was told %s, and now %v %v", key, id, in.ID, err)
		}
	}
	listed := map[string]bool{}
	params := &stripe.PaymentIntentListParams{}
	params.Limit = stripe.Int64(100)
	for in, err := range p.V1PaymentIntents.List(context.Background(), params) {
		if err != nil {
			t.Fatal(err)
		}
		listed[in.ID] = true
	}
	for key, id := range told {
		if !listed[id] {
			t.Errorf("key %s: %s is not listed", key, id)
		}
	}
}
