package main

import (
	"context"
	"fmt"
	"time"

	"larder.dev/internal/product/postgres"
	"larder.dev/local/seed/catalogue"
)

// openingDay is when the seed's prices began. It never changes: loading the seed again must not begin them anew, over prices that
// somebody has set since.
var openingDay = time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)

// loadCatalogue is the step -catalogue.
func (s *seeder) loadCatalogue(ctx context.Context) (string, error) {
	snapshot := snapshotOf(s.catalogue)
	loaded, err := postgres.New(s.pool).Load(ctx, "seed", snapshot)
	if err != nil {
		return "", err
	}
	counts := fmt.Sprintf("%d products, %d categories, %d brands, %d stores",
		len(snapshot.Products), len(snapshot.Categories), len(snapshot.Brands), len(snapshot.Stores))
	if !loaded {
		return counts + ", there already", nil
	}
	return counts + " loaded", nil
}

func snapshotOf(c *catalogue.Catalogue) postgres.Snapshot {
	var snapshot postgres.Snapshot
	for _, x := range c.Brands {
		snapshot.Brands = append(snapshot.Brands, postgres.BrandRow{BrandID: x.ID, Name: x.Name})
	}
	for _, x := range c.Categories {
		snapshot.Categories = append(snapshot.Categories, postgres.CategoryRow{
			CategoryID: x.ID, Name: x.Name, ParentID: orNil(x.ParentID), Position: x.Position,
		})
	}
	for _, x := range c.Stores {
		snapshot.Stores = append(snapshot.Stores, postgres.StoreRow{
			StoreID: x.ID, Name: x.Name, AddressLine1: x.Address.Line1, City: x.Address.City, Postcode: x.Address.Postcode,
			Currency: x.Currency, DeliveryFee: x.DeliveryFee, FreeDeliveryFrom: &x.FreeDeliveryFrom, Postcodes: x.Postcodes,
		})
	}
	prices := pricesOf(c)
	for _, x := range c.Products {
		row := rowOf(c, x)
		row.Prices = prices[x.ID]
		for _, store := range c.Stores {
			if c.Sold(store.ID, x.ID) {
				row.StoreIDs = append(row.StoreIDs, store.ID)
			}
		}
		snapshot.Products = append(snapshot.Products, row)
	}
	return snapshot
}

// rowOf is a product without its prices, in no store.
func rowOf(c *catalogue.Catalogue, x catalogue.Product) postgres.ProductRow {
	row := postgres.ProductRow{
		ProductID: x.ID, Name: x.Name, BrandID: orNil(x.BrandID), CategoryID: x.CategoryID, Description: x.Description,
		Size: x.Size, GTIN: x.GTIN, Tags: x.Tags, ImageURI: c.ImageURI(x), Status: x.Status, Currency: "GBP",
		TaxRateBPS: x.TaxRateBPS, Cost: &x.Cost, Popularity: x.Popularity, MaxPerShopper: x.MaxPerShopper,
		StoreIDs: []string{},
	}
	if row.Tags == nil {
		row.Tags = []string{}
	}
	return row
}

// pricesOf returns the prices of each product: today's, the stores' own, and the planned ones.
func pricesOf(c *catalogue.Catalogue) map[string][]postgres.PriceRow {
	prices := map[string][]postgres.PriceRow{}
	add := func(product, store string, from time.Time, amount int64) {
		prices[product] = append(prices[product], postgres.PriceRow{StoreID: orNil(store), ValidFrom: from, MinorUnits: amount})
	}
	for _, x := range c.Products {
		add(x.ID, "", openingDay, x.Price)
	}
	for _, x := range c.Offers.StorePrices {
		add(x.ProductID, x.StoreID, openingDay, x.Price)
	}
	for _, x := range c.Offers.PlannedPrices {
		add(x.ProductID, x.StoreID, x.ValidFrom, x.Price)
	}
	return prices
}

func orNil(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}
