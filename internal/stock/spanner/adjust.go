package spanner

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"cloud.google.com/go/spanner"
	"google.golang.org/grpc/codes"

	"larder.dev/internal/fault"
	"larder.dev/internal/spannerdb"
	"larder.dev/internal/stock"
)

// Entered implements stock.Ledger.
func (l *Ledger) Entered(ctx context.Context, a stock.Adjustment) (stock.Epoch, error) {
	return entered(ctx, l.client.Single(), a)
}

// Adjust implements stock.Ledger.
func (l *Ledger) Adjust(ctx context.Context, a stock.Adjustment) (stock.Epoch, error) {
	epoch, _, err := l.Withdraw(ctx, a, 0)
	return epoch, err
}

// Withdraw implements stock.Ledger; under zero any epoch is right.
func (l *Ledger) Withdraw(ctx context.Context, a stock.Adjustment, under stock.Epoch) (was, current stock.Epoch, err error) {
	_, err = l.client.ReadWriteTransaction(ctx, func(ctx context.Context, txn *spanner.ReadWriteTransaction) (err error) {
		if was, err = entered(ctx, txn, a); err != nil || was != 0 {
			return err
		}
		current, err = Epoch(ctx, txn, a.StoreID)
		if err != nil || current == 0 || (under != 0 && under != current) {
			return err
		}
		mutations, err := balances(ctx, txn, a.StoreID, a.Lines)
		if err != nil {
			return err
		}
		was = current
		mutations = append(mutations, entries(a.StoreID, a.ID, current, a.Lines, stock.KindAdjustment, a.ID, a.Actor, a.Reason)...)
		return txn.BufferWrite(append(mutations, adjustment(a.StoreID, a.ID, a.Fingerprint, current, a.Lines)))
	})
	if err != nil {
		return 0, 0, err
	}
	return was, current, nil
}

// adjustment records an entry, with what it changes, so that whoever finds it held can apply it.
func adjustment(store, id string, fingerprint []byte, epoch stock.Epoch, lines []stock.Line) *spanner.Mutation {
	changes := make(map[string]int64, len(lines))
	for _, line := range lines {
		changes[line.ProductID] = line.Quantity
	}
	return spanner.InsertMap("StockAdjustments", map[string]any{
		"StoreId": store, "AdjustmentId": id, "Fingerprint": fingerprint, "Epoch": epoch.Time(),
		"Changes": spanner.NullJSON{Value: changes, Valid: true}, "CreateTime": spanner.CommitTimestamp,
	})
}

// Exchange enters what a packed order was given otherwise than it was sold, under the epoch that the transaction has read, and records the entry, so
// that whoever finds it held can apply it. A substitute was held, so it has its balance; lines have each product once.
func Exchange(store, id, order string, epoch stock.Epoch, lines []stock.Line, actor, reason string) []*spanner.Mutation {
	return append(entries(store, id, epoch, lines, stock.KindPicking, order, actor, reason), adjustment(store, id, make([]byte, 32), epoch, lines))
}

// Exchanged returns the epoch that such an entry was entered under, zero if it wasn't.
func Exchanged(ctx context.Context, txn rangeReader, store, id string) (stock.Epoch, error) {
	found, err := withdrawn(ctx, txn, store, []string{id})
	return found[id].Epoch, err
}

// entered returns the epoch of an adjustment that is there, else zero.
func entered(ctx context.Context, txn spannerdb.Reader, a stock.Adjustment) (stock.Epoch, error) {
	row, err := txn.ReadRow(ctx, "StockAdjustments", spanner.Key{a.StoreID, a.ID}, []string{"Fingerprint", "Epoch"})
	if spanner.ErrCode(err) == codes.NotFound {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	var fingerprint []byte
	var epoch time.Time
	if err := row.Columns(&fingerprint, &epoch); err != nil {
		return 0, err
	}
	if !bytes.Equal(fingerprint, a.Fingerprint) {
		return 0, fault.IdempotencyKeyReused.New("the Idempotency-Key was used for another adjustment")
	}
	return stock.EpochAt(epoch), nil
}

// Withdrawn implements stock.Ledger.
func (l *Ledger) Withdrawn(ctx context.Context, store string, entries []string) (map[string]stock.Withdrawal, error) {
	return withdrawn(ctx, l.client.Single(), store, entries)
}

// WithdrawnAt implements stock.History.
func (l *Ledger) WithdrawnAt(ctx context.Context, store string, at time.Time, entries []string) (map[string]stock.Withdrawal, error) {
	return withdrawn(ctx, l.client.Single().WithTimestampBound(spanner.ReadTimestamp(at)), store, entries)
}

func withdrawn(ctx context.Context, txn rangeReader, store string, entries []string) (map[string]stock.Withdrawal, error) {
	keys := make([]spanner.Key, len(entries))
	for i, entry := range entries {
		keys[i] = spanner.Key{store, entry}
	}
	found := make(map[string]stock.Withdrawal, len(entries))
	rows := txn.Read(ctx, "StockAdjustments", spanner.KeySetFromKeys(keys...), []string{"AdjustmentId", "Epoch", "Changes"})
	err := rows.Do(func(row *spanner.Row) error {
		var id string
		var epoch time.Time
		var changes spanner.NullJSON
		if err := row.Columns(&id, &epoch, &changes); err != nil {
			return err
		}
		withdrawal := stock.Withdrawal{Epoch: stock.EpochAt(epoch)}
		quantities := map[string]int64{}
		if changes.Valid { // rows of a release that held nothing have none
			if err := json.Unmarshal([]byte(changes.String()), &quantities); err != nil {
				return fmt.Errorf("read the changes of %s: %w", id, err)
			}
		}
		for product, quantity := range quantities {
			withdrawal.Lines = append(withdrawal.Lines, stock.Line{ProductID: product, Quantity: quantity})
		}
		found[id] = withdrawal
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("look for entries in %s: %w", store, err)
	}
	return found, nil
}
