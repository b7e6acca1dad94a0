package postgres

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"larder.dev/internal/pgdb"
)

var (
	//go:embed sql/load_brands.sql
	loadBrands string
	//go:embed sql/load_categories.sql
	loadCategories string
	//go:embed sql/load_stores.sql
	loadStores string
	//go:embed sql/load_products.sql
	loadProducts string
	//go:embed sql/record_load.sql
	recordLoad string
)

// Snapshot is a whole catalogue to load. Amounts are minor units.
type Snapshot struct {
	Brands     []BrandRow
	Categories []CategoryRow // parents before their children
	Stores     []StoreRow
	Products   []ProductRow
}

// BrandRow is a brand.
type BrandRow struct {
	BrandID string `json:"brand_id"`
	Name    string `json:"name"`
}

// CategoryRow is a node of the tree; nil ParentID: at the top.
type CategoryRow struct {
	CategoryID string  `json:"category_id"`
	Name       string  `json:"name"`
	ParentID   *string `json:"parent_id"`
	Position   int32   `json:"position"`
}

// StoreRow is a store; nil FreeDeliveryFrom: no order is delivered free.
type StoreRow struct {
	StoreID          string   `json:"store_id"`
	Name             string   `json:"name"`
	AddressLine1     string   `json:"address_line1"`
	City             string   `json:"city"`
	Postcode         string   `json:"postcode"`
	Currency         string   `json:"currency"`
	DeliveryFee      int64    `json:"delivery_fee"`
	FreeDeliveryFrom *int64   `json:"free_delivery_from"`
	Postcodes        []string `json:"postcodes"`
}

// ProductRow is a product with its prices and its assortment.
type ProductRow struct {
	ProductID   string   `json:"product_id"`
	Name        string   `json:"name"`
	BrandID     *string  `json:"brand_id"`
	CategoryID  string   `json:"category_id"`
	Description string   `json:"description"`
	Size        string   `json:"size"`
	GTIN        string   `json:"gtin"`
	Tags        []string `json:"tags"`
	ImageURI    string   `json:"image_uri"`
	Status      string   `json:"status"`
	Currency    string   `json:"currency"`
	TaxRateBPS  int64    `json:"tax_rate_bps"`
	Cost        *int64   `json:"cost"`
	Popularity  int64    `json:"popularity"`
	// MaxPerShopper is how many units one shopper may buy in a day; 0: no limit.
	MaxPerShopper int64      `json:"max_per_shopper"`
	Prices        []PriceRow `json:"prices"`
	StoreIDs      []string   `json:"store_ids"`
}

// PriceRow is a price; nil StoreID: everyday.
type PriceRow struct {
	StoreID    *string   `json:"store_id"`
	ValidFrom  time.Time `json:"valid_from"`
	MinorUnits int64     `json:"minor_units"`
}

// loadBatch is how many products one statement takes.
const loadBatch = 500

// Load brings a snapshot in, all or nothing, and returns whether there was anything to do: a snapshot that was loaded under this
// name last changes nothing. What differs is overwritten; what the snapshot doesn't have stays, and a deleted product stays
// deleted. A later everyday price than the snapshot's stays in force.
func (s *Store) Load(ctx context.Context, name string, snapshot Snapshot) (loaded bool, err error) {
	content, err := json.Marshal(snapshot)
	if err != nil {
		return false, fmt.Errorf("encode the snapshot: %w", err)
	}
	sum := sha256.Sum256(content)
	err = pgdb.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		// Concurrent loads wait here; the lock is the row's once there is one.
		if _, err := tx.Exec(ctx, `select pg_advisory_xact_lock(hashtext('products.loads'))`); err != nil {
			return fmt.Errorf("wait for other loads: %w", err)
		}
		err := tx.QueryRow(ctx, recordLoad, name, hex.EncodeToString(sum[:])).Scan(nil)
		loaded = err == nil
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			return nil
		case err != nil:
			return fmt.Errorf("record the load: %w", err)
		}
		return s.load(ctx, tx, snapshot)
	})
	return loaded, wrap(err, "load a catalogue")
}

func (s *Store) load(ctx context.Context, tx pgx.Tx, snapshot Snapshot) error {
	for _, step := range []struct {
		sql  string
		rows any
	}{{loadBrands, snapshot.Brands}, {loadCategories, snapshot.Categories}, {loadStores, snapshot.Stores}} {
		if err := loadRows(ctx, tx, step.sql, step.rows); err != nil {
			return err
		}
	}
	for batch := range slices.Chunk(snapshot.Products, loadBatch) {
		if err := loadRows(ctx, tx, loadProducts, batch); err != nil {
			return err
		}
	}
	return nil
}

func loadRows(ctx context.Context, tx pgx.Tx, sql string, rows any) error {
	text, err := json.Marshal(rows)
	if err != nil {
		return fmt.Errorf("encode rows: %w", err)
	}
	_, err = tx.Exec(ctx, sql, string(text))
	return err
}
