package postgres_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"larder.dev/internal/outbox"
	"larder.dev/internal/outbox/outboxtest"
	"larder.dev/internal/outbox/postgres"
)

// mutant is the store with another bound, an SQL expression, and nothing that heals its cursor.
type mutant struct {
	outbox.Store
	rig   *outboxtest.Rig
	bound string
}

func (m mutant) Look(ctx context.Context) (outbox.View, error) {
	view := outbox.View{Leases: make([]outbox.Lease, 1)}
	only := &view.Leases[0]
	err := m.rig.Pool.QueryRow(ctx, `select clock_timestamp(), `+m.bound+`, owner, xact, event_id from users.outbox_cursor`).Scan(
		&view.Time, &view.Bound, &only.Owner, &only.Cursor.Commit, &only.Cursor.EventID)
	return view, err
}

const (
	// The highest number in sight passes over those that are still under way: rule 1 without rule 2.
	highest = `(select coalesce(max(xact), 0) from users.outbox)`
	// The lowest transaction that is under way is taken for one that is over.
	oneTooFar = `pg_snapshot_xmin(pg_current_snapshot())::text::bigint`
)

// Transactions of uneven length, some rolled back, lose nothing to the relay; and relays that break a rule are caught by the same check.
// SEED repeats a run's choices.
func TestNothingIsPassedOver(t *testing.T) {
	for _, relay := range []struct {
		name   string
		broken bool
		batch  int
		bound  string
	}{
		{"the real relay", false, 500, ""},
		{"the real relay, cut often", false, 20, ""},
		{"to the highest number in sight", true, 500, highest},
		{"one too far", true, 500, oneTooFar},
	} {
		t.Run(relay.name, func(t *testing.T) {
			seed := seed(t)
			rig := open(t)
			inbox := rig.Subscribe(t)
			var store outbox.Store = postgres.NewStore(rig.Pool)
			if relay.broken {
				store = mutant{store, rig, relay.bound}
			}
			run(t, rig, store, relay.batch)

			var all, missing []string
			// What a broken relay passes over is a matter of luck, which is tried more than once.
			for round := 0; round == 0 || relay.broken && len(missing) == 0 && round < 8; round++ {
				all = append(all, writeUnevenly(t, rig, seed, round)...)
				// When the cursor is behind the last event, all before it were published or passed over.
				last := fmt.Sprint("last-", round)
				write(t, rig, rig.Event(last, "users/last"))
				all = append(all, last)
				passed(t, rig, last)
				arrival := limit // of what is published, but still on its way
				if relay.broken {
					arrival = 2 * time.Second
				}
				outboxtest.Poll(arrival, func() bool {
					missing = inbox.Missing(all)
					return len(missing) == 0
				})
			}
			duplicates, strange := inbox.Duplicates(all)
			switch {
			case len(strange) > 0:
				t.Errorf("%d events that were rolled back arrived, such as %s", len(strange), strange[0])
			case relay.broken && len(missing) == 0:
				t.Errorf("all %d events arrived from a relay that breaks a rule", len(all))
			case !relay.broken && len(missing) > 0:
				t.Errorf("of %d events %d are missing", len(all), len(missing))
			}
			t.Logf("of %d events %d are missing, %d came twice", len(all), len(missing), duplicates)
		})
	}
}

// writeUnevenly writes from several writers for a while.
func writeUnevenly(t *testing.T, rig *outboxtest.Rig, seed uint64, round int) []string {
	t.Helper()
	written := make([][]string, 8)
	end := time.Now().Add(2500 * time.Millisecond)
	var writing sync.WaitGroup
	for w := range written {
		writing.Go(func() {
			choice := rand.New(rand.NewPCG(seed, uint64(len(written)*round+w)))
			var err error
			written[w], err = rig.WriteUnevenly(t.Context(), choice, fmt.Sprintf("%d-%d", round, w), func(int) bool { return time.Now().After(end) })
			if err != nil {
				t.Errorf("write: %v", err)
			}
		})
	}
	writing.Wait()
	return slices.Concat(written...)
}

func seed(t *testing.T) uint64 {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if given := os.Getenv("SEED"); given != "" {
		var err error
		if seed, err = strconv.ParseUint(given, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("SEED=%d", seed)
	return seed
}
