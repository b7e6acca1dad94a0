package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"

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
		var products []string
		for _, p := range s.catalogue.Products {
			if s.catalogue.Sold(store.ID, p.ID) {
				products = append(products, p.ID)
			}
		}
		sold += len(products)
		// The ledger takes entries under an epoch only.
		epoch, err := ledger.Epoch(ctx, store.ID)
		if err == nil && epoch == 0 {
			_, err = ledger.Bump(ctx, store.ID)
		}
		if err != nil {
			return "", err
		}
		for batch := range slices.Chunk(products, stockBatch) {
			n, err := s.enterBatch(ctx, ledger, store.ID, batch)
			if err != nil {
				return "", fmt.Errorf("store %s: %w", store.ID, err)
			}
			entered += n
		}
	}
	return fmt.Sprintf("%d of %d products in %d stores entered, the others have stock already", entered, sold, len(s.catalogue.Stores)), nil
}

// enterBatch makes one adjustment of what isn't stocked. Its id is made of its content, so that two seeds at once enter it once.
func (s *seeder) enterBatch(ctx context.Context, ledger *spanner.Ledger, store string, products []string) (int, error) {
	stocked, err := ledger.Stocked(ctx, store, products)
	if err != nil {
		return 0, err
	}
	var lines []stock.Line
	for _, product := range products {
		if !slices.Contains(stocked, product) {
			lines = append(lines, stock.Line{ProductID: product, Quantity: s.catalogue.Stock(store, product)})
		}
	}
	if len(lines) == 0 {
		return 0, nil
	}
	content, err := json.Marshal(lines)
	if err != nil {
		return 0, err
	}
	sum := sha256.Sum256(content)
	_, err = ledger.Adjust(ctx, stock.Adjustment{
		ID: "seed-" + hex.EncodeToString(sum[:8]), StoreID: store, Lines: lines, Actor: "system", Reason: "first stock", Fingerprint: sum[:],
	})
	return len(lines), err
}
