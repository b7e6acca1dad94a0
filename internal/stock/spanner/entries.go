package spanner

import (
	"context"
	"fmt"
	"time"

	"cloud.google.com/go/spanner"

	"larder.dev/internal/stock"
)

// entryColumns are what scanEntry reads.
var entryColumns = []string{"EntryId", "ProductId", "Quantity", "Epoch", "Kind", "Reference", "Actor", "Reason", "CommitTime"}

func scanEntry(row *spanner.Row) (stock.Entry, error) {
	var entry stock.Entry
	var epoch time.Time
	err := row.Columns(&entry.ID, &entry.ProductID, &entry.Quantity, &epoch, &entry.Kind, &entry.Reference, &entry.Actor, &entry.Reason, &entry.Time)
	entry.Epoch = stock.EpochAt(epoch)
	return entry, err
}

// readEntries returns the entries of some keys, in the keys' order.
func readEntries(ctx context.Context, txn rangeReader, keys spanner.KeySet) ([]stock.Entry, error) {
	var found []stock.Entry
	err := txn.Read(ctx, "StockLedger", keys, entryColumns).Do(func(row *spanner.Row) error {
		entry, err := scanEntry(row)
		found = append(found, entry)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the ledger: %w", err)
	}
	return found, nil
}
