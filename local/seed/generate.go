package main

import (
	"context"
	"fmt"
	"os"

	"larder.dev/internal/product/postgres"
	"larder.dev/internal/progress"
	"larder.dev/internal/spannerdb"
	"larder.dev/internal/stock"
	"larder.dev/internal/stock/spanner"
	"larder.dev/local/seed/catalogue"
	"larder.dev/local/seed/generator"
)

// generateBatch is how many generated products one transaction loads, each batch under a name of its own. So a run that was
// broken off is taken up by running it again: what is loaded already is only compared.
const generateBatch = 2000

// generate is the step -generate: n products of a seed into the catalogue, and the stock of the first of them into the ledger. The catalogue has
// to be loaded before.
func (s *seeder) generate(ctx context.Context, seed uint64, n, stocked int) (string, error) {
	client, err := spannerdb.Open(ctx, s.config.Spanner)
	if err != nil {
		return "", err
	}
	defer client.Close()
	return s.generateInto(ctx, spanner.NewLedger(client), seed, n, stocked)
}

func (s *seeder) generateInto(ctx context.Context, ledger *spanner.Ledger, seed uint64, n, stocked int) (string, error) {
	g, err := generator.New(s.catalogue)
	if err != nil {
		return "", err
	}
	bar := progress.Start(os.Stdout, "generate", int64(n))
	defer bar.End()
	done, loaded, entered := 0, 0, 0
	flush := func(batch []catalogue.Product) error {
		news, stock, err := s.addBatch(ctx, ledger, generator.Before(seed, done), batch, min(max(0, stocked-done), len(batch)))
		if err != nil {
			return err
		}
		if news {
			loaded += len(batch)
		}
		done, entered = done+len(batch), entered+stock
		bar.Set(int64(done))
		return nil
	}
	batch := make([]catalogue.Product, 0, min(n, generateBatch))
	for p := range g.Products(seed, n) {
		if batch = append(batch, p); len(batch) == cap(batch) {
			if err := flush(batch); err != nil {
				return "", err
			}
			batch = batch[:0]
		}
	}
	if len(batch) > 0 {
		if err := flush(batch); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("%d products of seed %d, %d loaded now; stock of %d entered, on sale after each store's next rebuild", done, seed, loaded, entered), nil
}

// addBatch loads products under the name of their batch, and enters the stock of the first so many. It returns whether the catalogue didn't
// have them, and how many products in stores had no stock.
func (s *seeder) addBatch(ctx context.Context, ledger *spanner.Ledger, name string, products []catalogue.Product, stocked int) (loaded bool, entered int, err error) {
	// What is absent stays as it is, so a snapshot of products alone adds to the catalogue.
	snapshot := postgres.Snapshot{Brands: []postgres.BrandRow{}, Categories: []postgres.CategoryRow{}, Stores: []postgres.StoreRow{}}
	lines := map[string][]stock.Line{}
	for i, p := range products {
		row := rowOf(s.catalogue, p)
		row.Prices = []postgres.PriceRow{{ValidFrom: openingDay, MinorUnits: p.Price}}
		for _, store := range s.catalogue.Stores {
			terms := s.catalogue.Terms(store.ID, p)
			if !terms.Sold {
				continue
			}
			row.StoreIDs = append(row.StoreIDs, store.ID)
			if terms.Price != p.Price {
				row.Prices = append(row.Prices, postgres.PriceRow{StoreID: orNil(store.ID), ValidFrom: openingDay, MinorUnits: terms.Price})
			}
			if i < stocked {
				lines[store.ID] = append(lines[store.ID], stock.Line{ProductID: p.ID, Quantity: terms.Stock})
			}
		}
		snapshot.Products = append(snapshot.Products, row)
	}
	if loaded, err = postgres.New(s.pool).Load(ctx, name, snapshot); err != nil {
		return false, 0, err
	}
	for store, of := range lines {
		n, err := enterLines(ctx, ledger, store, of)
		if err != nil {
			return loaded, entered, err
		}
		entered += n
	}
	return loaded, entered, nil
}
