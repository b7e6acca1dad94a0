package outboxtest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"larder.dev/internal/outbox"
	outboxpg "larder.dev/internal/outbox/postgres"
	"larder.dev/internal/pgdb"
	"larder.dev/internal/pgdb/pgtest"
)

// InPostgres gives the rig a PostgreSQL database with a schema that has an outbox.
func (r *Rig) InPostgres(t *testing.T, schema pgdb.Schema) *Rig {
	t.Helper()
	r.URL = pgtest.URL(t, schema)
	mark := "?"
	if strings.Contains(r.URL, "?") {
		mark = "&"
	}
	pool, err := pgdb.Open(t.Context(), r.URL+mark+"pool_max_conns=16")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	r.Pool = pool
	return r
}

// WritePostgres writes events in one transaction, which takes a while between the first one and the others, and then commits or is
// rolled back.
func (r *Rig) WritePostgres(ctx context.Context, while time.Duration, commit bool, events ...outbox.Event) error {
	tx, err := r.Pool.Begin(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }() // nothing after a commit
	for i, e := range events {
		if err := outboxpg.Insert(ctx, tx, e); err != nil {
			return err
		}
		if i > 0 || while == 0 {
			continue
		}
		if _, err := tx.Exec(ctx, `select pg_sleep($1)`, while.Seconds()); err != nil {
			return err
		}
	}
	if !commit {
		return nil
	}
	return tx.Commit(ctx)
}

// WriteUnevenly writes events by WritePostgres until it is enough, in transactions of 1 to 6, most of them short, some that take up to a
// third of a second, and one of eight rolled back. It returns the ids of those that were committed.
func (r *Rig) WriteUnevenly(ctx context.Context, choice *rand.Rand, prefix string, enough func(written int) bool) (written []string, err error) {
	for i := 0; !enough(len(written)); i++ {
		var events []outbox.Event
		var ids []string
		for j := range 1 + choice.IntN(6) {
			e := r.Event(fmt.Sprintf("%s-%x-%d-%d", prefix, choice.Uint32(), i, j), fmt.Sprintf("users/%d", choice.IntN(1000)))
			events, ids = append(events, e), append(ids, e.ID)
		}
		while := time.Duration(choice.IntN(8)) * time.Millisecond
		if choice.IntN(12) == 0 {
			while = time.Duration(choice.IntN(330)) * time.Millisecond
		}
		commit := choice.IntN(8) > 0
		if err := r.WritePostgres(ctx, while, commit, events...); err != nil {
			return written, err
		}
		if commit {
			written = append(written, ids...)
		}
	}
	return written, nil
}
