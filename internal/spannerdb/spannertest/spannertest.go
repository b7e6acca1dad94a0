// Package spannertest gives each test a Spanner database of its own on the emulator.
package spannertest

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/spanner"
	"github.com/google/uuid"

	"larder.dev/internal/spannerdb"
)

// Open makes a database with the schema, and drops it after the test: the emulator has room for a hundred.
func Open(t *testing.T) *spanner.Client {
	t.Helper()
	if os.Getenv("SPANNER_EMULATOR_HOST") == "" {
		t.Fatal("SPANNER_EMULATOR_HOST is not set: run the tests by `make test`, which starts the Spanner emulator")
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	name := fmt.Sprintf("projects/larder-test/instances/larder/databases/t%s", strings.ReplaceAll(uuid.NewString(), "-", "")[:20])
	if err := spannerdb.CreateOnEmulator(ctx, name); err != nil {
		t.Fatal(err)
	}
	client, err := spannerdb.Open(context.Background(), name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		client.Close()
		if err := spannerdb.Drop(context.Background(), name); err != nil {
			t.Error(err)
		}
	})
	return client
}
