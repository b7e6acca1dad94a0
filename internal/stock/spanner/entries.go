package spanner

import (
	"context"
	_ "embed"
	"fmt"
	"time"

	"cloud.google.com/go/spanner"

	"larder.dev/internal/stock"
)

//go:embed entries.sql
var entriesSQL string

//go:embed sales.sql
var salesSQL string

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

// Entries implements stock.Ledger.
func (l *Ledger) Entries(ctx context.Context, store, product string, than stock.Position, limit int) ([]stock.Entry, error) {
	statement := spanner.Statement{SQL: entriesSQL, Params: map[string]any{
		"store": store, "product": product, "time": than.Time, "entry": than.ID, "limit": int64(limit),
	}}
	var found []stock.Entry
	err := l.client.Single().Query(ctx, statement).Do(func(row *spanner.Row) error {
		entry, err := scanEntry(row)
		found = append(found, entry)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list the entries of %s in %s: %w", product, store, err)
	}
	return found, nil
}

// Sales implements stock.Ledger.
func (l *Ledger) Sales(ctx context.Context, store string, since time.Time, limit int) ([]stock.Line, error) {
	statement := spanner.Statement{SQL: salesSQL, Params: map[string]any{"store": store, "since": since, "limit": int64(limit)}}
	var sold []stock.Line
	err := l.client.Single().Query(ctx, statement).Do(func(row *spanner.Row) error {
		var line stock.Line
		err := row.Columns(&line.ProductID, &line.Quantity)
		sold = append(sold, line)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("sum the sales of %s: %w", store, err)
	}
	return sold, nil
}

var _ stock.History = (*Ledger)(nil)

// Moment implements stock.History.
func (l *Ledger) Moment(ctx context.Context, store string) (stock.Epoch, time.Time, error) {
	txn := l.client.Single()
	epoch, err := Epoch(ctx, txn, store)
	if err != nil {
		return 0, time.Time{}, err
	}
	at, err := txn.Timestamp()
	if err != nil {
		return 0, time.Time{}, fmt.Errorf("tell the time of a read: %w", err)
	}
	return epoch, at, nil
}

// Sum implements stock.History.
func (l *Ledger) Sum(ctx context.Context, store string, after time.Time) (stock.Sums, error) {
	txn := l.client.ReadOnlyTransaction()
	defer txn.Close()
	epoch, err := Epoch(ctx, txn, store)
	if err != nil {
		return stock.Sums{}, err
	}
	sums := stock.Sums{Epoch: epoch}
	if sums.Quantities, sums.Moved, err = sum(ctx, txn, store, after); err != nil {
		return stock.Sums{}, fmt.Errorf("sum the ledger of %s: %w", store, err)
	}
	if sums.At, err = txn.Timestamp(); err != nil {
		return stock.Sums{}, fmt.Errorf("tell the time of a read: %w", err)
	}
	return sums, nil
}

// Between implements stock.History.
func (l *Ledger) Between(ctx context.Context, store string, products []string, after, until time.Time) ([]stock.Entry, error) {
	ranges := make([]spanner.KeySet, len(products))
	for i, product := range products {
		ranges[i] = spanner.KeyRange{
			Start: spanner.Key{store, product, after}, End: spanner.Key{store, product, until}, Kind: spanner.OpenClosed,
		}
	}
	return readEntries(ctx, l.client.Single().WithTimestampBound(spanner.ReadTimestamp(until)), spanner.KeySets(ranges...))
}
