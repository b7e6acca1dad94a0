// Package spanner keeps the stock ledger and the epochs in Spanner, and exports the reads and mutations that checkout's
// transactions compose.
package spanner

import (
	"context"
	_ "embed"
	"fmt"
	"slices"
	"time"

	"cloud.google.com/go/spanner"
	"google.golang.org/grpc/codes"

	"larder.dev/internal/spannerdb"
	"larder.dev/internal/stock"
)

//go:embed sum.sql
var sumSQL string

//go:embed products.sql
var productsSQL string

// Epoch reads a store's epoch, zero where there is none. In a read-write transaction this locks the row: every transaction that
// writes the ledger reads it so, and a bump waits for them or makes them retry. Under repeatable-read isolation it would not.
func Epoch(ctx context.Context, txn spannerdb.Reader, store string) (stock.Epoch, error) {
	row, err := txn.ReadRow(ctx, "Epochs", spanner.Key{store}, []string{"Epoch"})
	if spanner.ErrCode(err) == codes.NotFound {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read the epoch of %s: %w", store, err)
	}
	var epoch time.Time
	if err := row.Columns(&epoch); err != nil {
		return 0, fmt.Errorf("read the epoch of %s: %w", store, err)
	}
	return stock.EpochAt(epoch), nil
}

// Sale takes an order's lines from the ledger, under the epoch that the transaction has read. A limit's first sale gives it its empty
// balance, by which sums find its entries; any other sale writes the same again, since limits are never folded.
func Sale(store, order string, epoch stock.Epoch, lines []stock.Line, actor string) []*spanner.Mutation {
	taken := make([]stock.Line, len(lines))
	for i, line := range lines {
		taken[i] = stock.Line{ProductID: line.ProductID, Quantity: -line.Quantity}
	}
	mutations := entries(store, "sale:"+order, epoch, taken, stock.KindSale, order, actor, "")
	for _, line := range lines {
		if line.Limit != 0 {
			mutations = append(mutations, spanner.InsertOrUpdateMap("StockBalances", emptyBalance(store, line.ProductID)))
		}
	}
	return mutations
}

// Cancellation gives a cancelled order's lines back to the ledger.
func Cancellation(store, order string, epoch stock.Epoch, lines []stock.Line, actor, reason string) []*spanner.Mutation {
	return entries(store, CancellationID(order), epoch, lines, stock.KindCancellation, order, actor, reason)
}

// CancellationID is the id of the entries that give a cancelled order's lines back.
func CancellationID(order string) string { return "cancellation:" + order }

func entries(store, id string, epoch stock.Epoch, lines []stock.Line, kind, reference, actor, reason string) []*spanner.Mutation {
	mutations := make([]*spanner.Mutation, 0, len(lines))
	for _, line := range lines {
		mutations = append(mutations, spanner.InsertMap("StockLedger", map[string]any{
			"StoreId": store, "ProductId": line.ProductID, "CommitTime": spanner.CommitTimestamp, "EntryId": id,
			"Quantity": line.Quantity, "Epoch": epoch.Time(), "Kind": kind, "Reference": reference, "Actor": actor, "Reason": reason,
		}))
	}
	return mutations
}

// Ledger implements stock.Ledger.
type Ledger struct{ client *spanner.Client }

var _ stock.Ledger = (*Ledger)(nil)

// NewLedger makes one.
func NewLedger(client *spanner.Client) *Ledger { return &Ledger{client: client} }

// Epoch implements stock.Ledger.
func (l *Ledger) Epoch(ctx context.Context, store string) (stock.Epoch, error) {
	return Epoch(ctx, l.client.Single(), store)
}

// Bump implements stock.Ledger: the new epoch is the transaction's own commit timestamp.
func (l *Ledger) Bump(ctx context.Context, store, actor string) (stock.Epoch, error) {
	committed, err := l.client.Apply(ctx, []*spanner.Mutation{
		spanner.InsertOrUpdate("Epochs", []string{"StoreId", "Epoch"}, []any{store, spanner.CommitTimestamp}),
		spanner.Insert("StockRebuilds", []string{"StoreId", "Epoch", "Actor"}, []any{store, spanner.CommitTimestamp, actor}),
	})
	if err != nil {
		return 0, fmt.Errorf("write the epoch: %w", err)
	}
	return stock.EpochAt(committed), nil
}

// Rebuilds implements stock.Ledger.
func (l *Ledger) Rebuilds(ctx context.Context, store string, limit int) (rebuilds []stock.Rebuilt, err error) {
	rows := l.client.Single().ReadWithOptions(ctx, "StockRebuilds", spanner.Key{store}.AsPrefix(), []string{"Epoch", "Actor"},
		&spanner.ReadOptions{Limit: limit})
	err = rows.Do(func(row *spanner.Row) error {
		var at time.Time
		var rebuilt stock.Rebuilt
		err := row.Columns(&at, &rebuilt.Actor)
		rebuilt.Epoch = stock.EpochAt(at)
		rebuilds = append(rebuilds, rebuilt)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the rebuilds of %s: %w", store, err)
	}
	return rebuilds, nil
}

// SumAt implements stock.Ledger.
func (l *Ledger) SumAt(ctx context.Context, store string, epoch stock.Epoch) (map[string]int64, error) {
	at := epoch.Time()
	quantities, _, err := sum(ctx, l.client.Single().WithTimestampBound(spanner.ReadTimestamp(at)), store, at)
	if err != nil {
		return nil, fmt.Errorf("sum the ledger at %s: %w", at.Format(time.RFC3339Nano), err)
	}
	return quantities, nil
}

// sum also lists the products that have entries later than a time. Limits that were over then are left out.
func sum(ctx context.Context, txn *spanner.ReadOnlyTransaction, store string, after time.Time) (map[string]int64, []string, error) {
	overFrom, overTo := stock.LimitsOver(after)
	statement := spanner.Statement{SQL: sumSQL, Params: map[string]any{
		"store": store, "after": after, "over_from": overFrom, "over_to": overTo,
	}}
	quantities := map[string]int64{}
	var moved []string
	err := txn.Query(ctx, statement).Do(func(row *spanner.Row) error {
		var product string
		var quantity, later int64
		err := row.Columns(&product, &quantity, &later)
		quantities[product] = quantity
		if later > 0 {
			moved = append(moved, product)
		}
		return err
	})
	return quantities, moved, err
}

// Stocked implements stock.Ledger.
func (l *Ledger) Stocked(ctx context.Context, store string, products []string) ([]string, error) {
	known, err := stocked(ctx, l.client.Single(), store, products)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(products), func(product string) bool { return !known[product] }), nil
}

// stocked tells which products have a balance. In a read-write transaction it locks the rows, or their absence.
func stocked(ctx context.Context, txn rangeReader, store string, products []string) (map[string]bool, error) {
	keys := make([]spanner.Key, len(products))
	for i, product := range products {
		keys[i] = spanner.Key{store, product}
	}
	known := make(map[string]bool, len(products))
	err := txn.Read(ctx, "StockBalances", spanner.KeySetFromKeys(keys...), []string{"ProductId"}).Do(func(row *spanner.Row) error {
		var product string
		err := row.Columns(&product)
		known[product] = true
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("look for balances in %s: %w", store, err)
	}
	return known, nil
}

// rangeReader is a transaction, read-only or read-write.
type rangeReader interface {
	Read(ctx context.Context, table string, keys spanner.KeySet, columns []string) *spanner.RowIterator
}

// beforeAll is before any entry.
var beforeAll = time.Unix(0, 0).UTC()

// balances gives products their empty balances where they have none. Whoever enters a product's first entry does so: a sale finds
// virtual stock only of what was entered before.
func balances(ctx context.Context, txn *spanner.ReadWriteTransaction, store string, lines []stock.Line) ([]*spanner.Mutation, error) {
	products := make([]string, len(lines))
	for i, line := range lines {
		products[i] = line.ProductID
	}
	known, err := stocked(ctx, txn, store, products)
	if err != nil {
		return nil, err
	}
	var mutations []*spanner.Mutation
	for _, product := range products {
		if !known[product] {
			mutations = append(mutations, spanner.InsertMap("StockBalances", emptyBalance(store, product)))
		}
	}
	return mutations, nil
}

func emptyBalance(store, product string) map[string]any {
	return map[string]any{"StoreId": store, "ProductId": product, "Quantity": int64(0), "FoldedUntil": beforeAll}
}

// Products implements stock.Ledger.
func (l *Ledger) Products(ctx context.Context, store, after string, limit int) ([]string, error) {
	statement := spanner.Statement{SQL: productsSQL, Params: map[string]any{"store": store, "after": after, "limit": int64(limit)}}
	var products []string
	err := l.client.Single().Query(ctx, statement).Do(func(row *spanner.Row) error {
		var product string
		if err := row.Columns(&product); err != nil {
			return err
		}
		products = append(products, product)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list the products of %s: %w", store, err)
	}
	return products, nil
}

// Stores implements stock.Ledger.
func (l *Ledger) Stores(ctx context.Context) ([]string, error) {
	var stores []string
	err := l.client.Single().Read(ctx, "Epochs", spanner.AllKeys(), []string{"StoreId"}).Do(func(row *spanner.Row) error {
		var store string
		if err := row.Columns(&store); err != nil {
			return err
		}
		stores = append(stores, store)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list stores: %w", err)
	}
	return stores, nil
}
