package spanner

import (
	"context"
	_ "embed"
	"fmt"
	"slices"
	"time"

	"cloud.google.com/go/spanner"

	"larder.dev/internal/stock"
)

//go:embed unfolded.sql
var unfoldedSQL string

const (
	// foldAfter lets some entries of a product that is much sold come together. Any cutoff that isn't later than the read is right.
	foldAfter = 10 * time.Second
	// foldBatch is how many balances one transaction writes.
	foldBatch = 100
)

// fold is a balance to be: what it was folded until when it was read, and what it becomes.
type fold struct {
	product           string
	from              time.Time
	quantity, entries int64
}

// Fold implements stock.Ledger. The sums are read without locks, as of one moment: entries are only inserted, and each that is committed
// later has a later timestamp, so those up to a cutoff before that moment are all there and stay as they are. A balance is written only
// if it is still folded until where the sum began; else another was quicker, and nothing is lost.
func (l *Ledger) Fold(ctx context.Context, store string, limit int) (stock.Folded, error) {
	return l.FoldUntil(ctx, store, limit, foldAfter)
}

// FoldUntil folds entries of a given age, which is not negative.
func (l *Ledger) FoldUntil(ctx context.Context, store string, limit int, age time.Duration) (stock.Folded, error) {
	folds, cutoff, err := l.unfolded(ctx, store, limit, age)
	if err != nil {
		return stock.Folded{}, err
	}
	folded := stock.Folded{More: len(folds) == limit}
	for batch := range slices.Chunk(folds, foldBatch) {
		products, entries, err := l.fold(ctx, store, batch, cutoff)
		if err != nil {
			return stock.Folded{}, fmt.Errorf("fold the ledger of %s: %w", store, err)
		}
		folded.Products += products
		folded.Entries += entries
	}
	return folded, nil
}

// unfolded sums what can be folded up to the cutoff.
func (l *Ledger) unfolded(ctx context.Context, store string, limit int, age time.Duration) (folds []fold, cutoff time.Time, err error) {
	txn := l.client.ReadOnlyTransaction()
	defer txn.Close()
	if _, err := Epoch(ctx, txn, store); err != nil { // the first read gives the transaction its timestamp
		return nil, time.Time{}, err
	}
	now, err := txn.Timestamp()
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("tell the time of a read: %w", err)
	}
	cutoff = now.Add(-age)
	statement := spanner.Statement{SQL: unfoldedSQL, Params: map[string]any{"store": store, "cutoff": cutoff, "limit": int64(limit)}}
	err = txn.Query(ctx, statement).Do(func(row *spanner.Row) error {
		var f fold
		err := row.Columns(&f.product, &f.from, &f.quantity, &f.entries)
		folds = append(folds, f)
		return err
	})
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("look for unfolded entries of %s: %w", store, err)
	}
	return folds, cutoff, nil
}

// fold writes balances that are still as they were read.
func (l *Ledger) fold(ctx context.Context, store string, batch []fold, cutoff time.Time) (products int, entries int64, err error) {
	keys := make([]spanner.Key, len(batch))
	for i, f := range batch {
		keys[i] = spanner.Key{store, f.product}
	}
	_, err = l.client.ReadWriteTransaction(ctx, func(ctx context.Context, txn *spanner.ReadWriteTransaction) error {
		products, entries = 0, 0
		until := map[string]time.Time{}
		err := txn.Read(ctx, "StockBalances", spanner.KeySetFromKeys(keys...), []string{"ProductId", "FoldedUntil"}).Do(func(row *spanner.Row) error {
			var product string
			var at time.Time
			err := row.Columns(&product, &at)
			until[product] = at
			return err
		})
		if err != nil {
			return err
		}
		var writes []*spanner.Mutation
		for _, f := range batch {
			if !until[f.product].Equal(f.from) {
				continue
			}
			products++
			entries += f.entries
			writes = append(writes, spanner.UpdateMap("StockBalances", map[string]any{
				"StoreId": store, "ProductId": f.product, "Quantity": f.quantity, "FoldedUntil": cutoff,
			}))
		}
		return txn.BufferWrite(writes)
	})
	return products, entries, err
}
