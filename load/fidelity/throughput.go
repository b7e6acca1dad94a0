package main

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"syscall"
	"time"
)

// What throughput is measured with.
const (
	bulk      = 30_000 // products
	bulkBatch = 1_000  // products of a transaction
	bulkLimit = 3 * time.Minute
)

// throughput measures how many changes a second the road carries, Debezium to Elasticsearch, and how many documents the copy of a new
// generation. Debezium stands still while the changes are committed, so that what PostgreSQL does for them isn't measured.
func (w *world) throughput(ctx context.Context) error {
	if err := w.carry(ctx, "created", `insert into products.products (product_id, name, category_id, size, status, description)
		select '`+prefix+`bulk-' || n, 'Bulk ' || n, '`+openCategory+`', '500 g', 'active', repeat('A fine product, picked by hand. ', 5)
		from generate_series($1::int, $2::int) n`, "bulk "); err != nil {
		return err
	}
	if err := w.carry(ctx, "changed", `update products.products set name = 'Changed ' || n
		from generate_series($1::int, $2::int) n where product_id = '`+prefix+`bulk-' || n`, "changed "); err != nil {
		return err
	}
	before, err := w.spent()
	if err != nil {
		return err
	}
	began := time.Now()
	out, err := w.platform.script(ctx, bulkLimit, "local/bin/reindex.sh")
	if err != nil {
		return fmt.Errorf("%w: %s", err, last(out))
	}
	lasted := time.Since(began)
	after, err := w.spent()
	if err != nil {
		return err
	}
	var copied struct {
		Documents int
		Seconds   float64
	}
	told := regexp.MustCompile(`copied: (.*)`).FindStringSubmatch(out)
	if len(told) != 2 || json.Unmarshal([]byte(told[1]), &copied) != nil || copied.Documents < bulk {
		return fmt.Errorf("the copy tells %s", out)
	}
	fmt.Printf("fidelity: copied to a new generation: %d documents in %.1f s, %.0f/s\n", copied.Documents, copied.Seconds, float64(copied.Documents)/copied.Seconds)
	fmt.Printf("fidelity: the whole reindex, with its audit: %.1f s, %s\n", lasted.Seconds(), after.since(before, copied.Documents, lasted))
	return nil
}

// carry commits changes of all bulk products in batches, and then measures until the index has them: their names, in lower case, begin with a word.
func (w *world) carry(ctx context.Context, what, sql, word string) error {
	ctx, cancel := context.WithTimeout(ctx, bulkLimit)
	defer cancel()
	if err := w.platform.signal(ctx, "debezium", syscall.SIGSTOP); err != nil {
		return err
	}
	began := time.Now()
	for first := 1; first <= bulk; first += bulkBatch {
		if _, err := w.shelf.pool.Exec(ctx, sql, first, first+bulkBatch-1); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
	}
	committed := time.Since(began)
	before, err := w.spent()
	if err != nil {
		return err
	}
	if err := w.platform.signal(ctx, "debezium", syscall.SIGCONT); err != nil {
		return err
	}
	began = time.Now()
	query := map[string]any{"query": map[string]any{"bool": map[string]any{"filter": []any{
		map[string]any{"prefix": map[string]any{"product_id": prefix + "bulk-"}}, map[string]any{"prefix": map[string]any{"name.exact": word}},
	}}}}
	for {
		var answer struct{ Count int }
		if err := w.index.ask(ctx, "POST", "/products/_count", query, &answer); err != nil {
			return err
		}
		if answer.Count == bulk {
			break
		}
		if !wait(ctx, time.Second) { // not more often: what asks takes from what is measured
			return fmt.Errorf("of %d products that were %s the index has %d after %s", bulk, what, answer.Count, time.Since(began))
		}
	}
	took := time.Since(began)
	after, err := w.spent()
	if err != nil {
		return err
	}
	fmt.Printf("fidelity: %s: %d products committed in %.1f s; carried to the index in %.1f s, %.0f/s\n",
		what, bulk, committed.Seconds(), took.Seconds(), bulk/took.Seconds())
	fmt.Printf("fidelity: %s: %s\n", what, after.since(before, bulk, took))
	return nil
}
