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
	// copyLimit is for a copy of any size: as many a second are least.
	copyLimit, leastCopied = 3 * time.Minute, 200
)

// throughput measures how many changes a second the road carries, Debezium to Elasticsearch, and how many documents the copy of a new
// generation. Debezium stands still while the changes are committed, so that what PostgreSQL does for them isn't measured.
func (w *world) throughput(ctx context.Context) error {
	if err := w.carry(ctx, "created", newProducts, "bulk ", 1, bulk); err != nil {
		return err
	}
	if err := w.carry(ctx, "changed", `update products.products set name = 'Changed ' || n
		from generate_series($1::int, $2::int) n where product_id = '`+prefix+`bulk-' || n`, "changed ", 1, bulk); err != nil {
		return err
	}
	return w.copied(ctx, bulk)
}

// reindexed measures the copy of a catalogue of at least so many products. Their way into the index is gone in parts: the slot keeps only so much
// for a Debezium that stands still (slotKeeps).
func (w *world) reindexed(ctx context.Context, products int) error {
	for first := 1; first <= products; first += bulk {
		if err := w.carry(ctx, "created", newProducts, "bulk ", first, min(first+bulk-1, products)); err != nil {
			return err
		}
	}
	return w.copied(ctx, products)
}

const newProducts = `insert into products.products (product_id, name, category_id, size, status, description)
	select '` + prefix + `bulk-' || n, 'Bulk ' || n, '` + openCategory + `', '500 g', 'active', repeat('A fine product, picked by hand. ', 5)
	from generate_series($1::int, $2::int) n`

// copied measures the copy of at least so many products to a new generation. Its line that begins with "point: " is for the chart (make bench-growth).
func (w *world) copied(ctx context.Context, products int) error {
	before, err := w.spent()
	if err != nil {
		return err
	}
	began := time.Now()
	out, err := w.platform.script(ctx, copyLimit+time.Duration(products)*time.Second/leastCopied, "local/bin/reindex.sh")
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
	if len(told) != 2 || json.Unmarshal([]byte(told[1]), &copied) != nil || copied.Documents < products {
		return fmt.Errorf("the copy tells %s", out)
	}
	fmt.Printf("fidelity: copied to a new generation: %d documents in %.1f s, %.0f/s\n", copied.Documents, copied.Seconds, float64(copied.Documents)/copied.Seconds)
	fmt.Printf("point: {\"chart\":\"a document copied to a new generation, by products\",\"size\":%d,\"cost\":%.1f,\"unit\":\"us\"}\n",
		copied.Documents, 1e6*copied.Seconds/float64(copied.Documents))
	fmt.Printf("fidelity: the whole reindex, with its audit: %.1f s, %s\n", lasted.Seconds(), after.since(before, copied.Documents, lasted))
	return nil
}

// carry commits changes of these bulk products in batches, and then measures until the index has them, and all those before: their names, in lower
// case, begin with a word.
func (w *world) carry(ctx context.Context, what, sql, word string, first, until int) error {
	ctx, cancel := context.WithTimeout(ctx, bulkLimit)
	defer cancel()
	if err := w.platform.signal(ctx, "debezium", syscall.SIGSTOP); err != nil {
		return err
	}
	began := time.Now()
	for from := first; from <= until; from += bulkBatch {
		if _, err := w.shelf.pool.Exec(ctx, sql, from, min(from+bulkBatch-1, until)); err != nil {
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
		if answer.Count == until {
			break
		}
		if !wait(ctx, time.Second) { // not more often: what asks takes from what is measured
			return fmt.Errorf("of %d products that were %s the index has %d after %s", until, what, answer.Count, time.Since(began))
		}
	}
	took, products := time.Since(began), until-first+1
	after, err := w.spent()
	if err != nil {
		return err
	}
	fmt.Printf("fidelity: %s: %d products committed in %.1f s; carried to the index in %.1f s, %.0f/s\n",
		what, products, committed.Seconds(), took.Seconds(), float64(products)/took.Seconds())
	fmt.Printf("fidelity: %s: %s\n", what, after.since(before, products, took))
	return nil
}
