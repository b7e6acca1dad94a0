package spanner

import (
	"context"
	_ "embed"
	"fmt"
	"time"

	"cloud.google.com/go/spanner"

	"larder.dev/internal/stock"
)

//go:embed unfolded.sql
var unfoldedSQL string

// foldAfter lets some entries of a product that is much sold come together. Any cutoff that isn't later than the read is right.
const foldAfter = 10 * time.Second

// Fold implements stock.Ledger.
func (l *Ledger) Fold(ctx context.Context, store string, limit int) (stock.Folded, error) {
	return l.FoldUntil(ctx, store, limit, foldAfter)
}

// FoldUntil folds entries of a given age, which is not negative. The sums are read as of one moment. Entries are only inserted, and each
// that is committed later has a later timestamp: so those up to a cutoff before that moment are all there and stay as they are,
// and a balance with its cutoff is right whoever writes it when. Folds need no locks; the last of several at once may fold less.
// The balances of limits that are over go; what was counted stays in the ledger.
func (l *Ledger) FoldUntil(ctx context.Context, store string, limit int, age time.Duration) (stock.Folded, error) {
	txn := l.client.ReadOnlyTransaction()
	defer txn.Close()
	if _, err := Epoch(ctx, txn, store); err != nil { // the first read gives the transaction its timestamp
		return stock.Folded{}, err
	}
	now, err := txn.Timestamp()
	if err != nil {
		return stock.Folded{}, fmt.Errorf("tell the time of a read: %w", err)
	}
	cutoff := now.Add(-age)
	var folded stock.Folded
	overFrom, overTo := stock.LimitsOver(now)
	writes := []*spanner.Mutation{spanner.Delete("StockBalances", spanner.KeyRange{
		Start: spanner.Key{store, overFrom}, End: spanner.Key{store, overTo}, Kind: spanner.ClosedOpen,
	})}
	statement := spanner.Statement{SQL: unfoldedSQL, Params: map[string]any{"store": store, "cutoff": cutoff, "limit": int64(limit)}}
	err = txn.Query(ctx, statement).Do(func(row *spanner.Row) error {
		var product string
		var quantity, entries int64
		err := row.Columns(&product, &quantity, &entries)
		folded.Products++
		folded.Entries += entries
		writes = append(writes, spanner.UpdateMap("StockBalances", map[string]any{
			"StoreId": store, "ProductId": product, "Quantity": quantity, "FoldedUntil": cutoff,
		}))
		return err
	})
	if err != nil {
		return stock.Folded{}, fmt.Errorf("look for unfolded entries of %s: %w", store, err)
	}
	folded.More = folded.Products == limit
	if _, err := l.client.Apply(ctx, writes); err != nil {
		return stock.Folded{}, fmt.Errorf("fold the ledger of %s: %w", store, err)
	}
	return folded, nil
}
