package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"larder.dev/internal/spannerdb"
	"larder.dev/internal/stock"
	"larder.dev/internal/stock/spanner"
)

// stockBatch is how many products one transaction enters.
const stockBatch = 500

// enterStock is the step -stock: the ledger's first entries, of products that have none in their store. The virtual stock takes
// them over by its next rebuild.
func (s *seeder) enterStock(ctx context.Context) (string, error) {
	client, err := spannerdb.Open(ctx, s.config.Spanner)
	if err != nil {
		return "", err
	}
	defer client.Close()
	return s.enter(ctx, spanner.NewLedger(client))
}

func (s *seeder) enter(ctx context.Context, ledger *spanner.Ledger) (string, error) {
	entered, sold := 0, 0
	for _, store := range s.catalogue.Stores {
		var lines []stock.Line
		for _, p := range s.catalogue.Products {
			if s.catalogue.Sold(store.ID, p.ID) {
				lines = append(lines, stock.Line{ProductID: p.ID, Quantity: s.catalogue.Stock(store.ID, p.ID)})
			}
		}
		sold += len(lines)
		n, err := enterLines(ctx, ledger, store.ID, lines)
		if err != nil {
			return "", err
		}
		entered += n
	}
	return fmt.Sprintf("%d of %d products in %d stores entered, the others have stock already", entered, sold, len(s.catalogue.Stores)), nil
}

// enterLines enters the lines of products that the store's ledger doesn't know, in batches, and returns how many.
func enterLines(ctx context.Context, ledger *spanner.Ledger, store string, lines []stock.Line) (entered int, err error) {
	// The ledger takes entries under an epoch only.
	epoch, err := ledger.Epoch(ctx, store)
	if err == nil && epoch == 0 {
		_, err = ledger.Bump(ctx, store, "seed")
	}
	if err != nil {
		return 0, fmt.Errorf("store %s: %w", store, err)
	}
	slices.SortFunc(lines, func(a, b stock.Line) int { return strings.Compare(a.ProductID, b.ProductID) })
	for batch := range slices.Chunk(lines, stockBatch) {
		n, err := enterBatch(ctx, ledger, store, batch)
		if err != nil {
			return entered, fmt.Errorf("store %s: %w", store, err)
		}
		entered += n
	}
	return entered, nil
}

// enterBatch makes one adjustment of what isn't stocked. Its id is made of its content, so that two seeds at once enter it once.
// Looking for each product's entries takes long, so it is done only where the whole batch wasn't entered at once and there is
// something between its first product and its last.
func enterBatch(ctx context.Context, ledger *spanner.Ledger, store string, lines []stock.Line) (int, error) {
	whole, err := firstStock(store, lines)
	if err != nil {
		return 0, err
	}
	if epoch, err := ledger.Entered(ctx, whole); err != nil || epoch != 0 {
		return 0, err
	}
	first, last := lines[0].ProductID, lines[len(lines)-1].ProductID
	known, err := ledger.Products(ctx, store, first[:len(first)-1], 1)
	if err != nil {
		return 0, err
	}
	if len(known) == 0 || known[0] > last {
		_, err := ledger.Adjust(ctx, whole)
		return len(lines), err
	}

	var products []string
	for _, line := range lines {
		products = append(products, line.ProductID)
	}
	stocked, err := ledger.Stocked(ctx, store, products)
	if err != nil {
		return 0, err
	}
	lines = slices.DeleteFunc(slices.Clone(lines), func(line stock.Line) bool { return slices.Contains(stocked, line.ProductID) })
	if len(lines) == 0 {
		return 0, nil
	}
	rest, err := firstStock(store, lines)
	if err != nil {
		return 0, err
	}
	_, err = ledger.Adjust(ctx, rest)
	return len(lines), err
}

func firstStock(store string, lines []stock.Line) (stock.Adjustment, error) {
	content, err := json.Marshal(lines)
	if err != nil {
		return stock.Adjustment{}, fmt.Errorf("encode lines: %w", err)
	}
	sum := sha256.Sum256(content)
	return stock.Adjustment{
		ID: "seed-" + hex.EncodeToString(sum[:8]), StoreID: store, Lines: lines, Actor: "system", Reason: "first stock", Fingerprint: sum[:],
	}, nil
}
