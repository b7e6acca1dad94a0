// Package postgres keeps the catalogue in the schema products of PostgreSQL. Tables, and the triggers that keep the search
// index's documents, are in migrations/; every longer statement is a file in sql/.
package postgres

import (
	"context"
	_ "embed"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"larder.dev/internal/money"
	"larder.dev/internal/pgdb"
	"larder.dev/internal/product"
)

var (
	//go:embed sql/product.sql
	productByID string
	//go:embed sql/variants.sql
	variantsOf string
	//go:embed sql/list_products.sql
	listProducts string
	//go:embed sql/offers.sql
	offersOf string
)

// Store implements product.Catalogue.
type Store struct{ pool *pgxpool.Pool }

var _ product.Catalogue = (*Store)(nil)

// New makes one over a pool whose database has the Schema.
func New(pool *pgxpool.Pool) *Store { return &Store{pool: pool} }

// Ready tells whether the database answers and has the room's tables.
func (s *Store) Ready(ctx context.Context) error {
	_, err := s.pool.Exec(ctx, `select from products.products limit 0`)
	return wrap(err, "look at the catalogue")
}

// querier is a pool or a transaction.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// Product implements product.Catalogue.
func (s *Store) Product(ctx context.Context, id string) (product.Product, error) {
	return readProduct(ctx, s.pool, id)
}

func readProduct(ctx context.Context, q querier, id string) (product.Product, error) {
	p, err := scanProduct(q.QueryRow(ctx, productByID, id))
	if errors.Is(err, pgx.ErrNoRows) {
		return product.Product{}, product.NotFound(id)
	}
	return p, wrap(err, "read a product")
}

func scanProduct(row pgx.Row) (product.Product, error) {
	var p product.Product
	err := row.Scan(&p.ID, &p.Name, &p.BrandID, &p.Brand, &p.CategoryID, &p.Description, &p.Size, &p.GTIN, &p.Tags, &p.ImageURI,
		&p.Status, &p.Price.Currency, &p.Price.Minor, &p.TaxRateBPS, &p.StoreIDs, &p.CreateTime, &p.UpdateTime, &p.Version, &p.MaxPerShopper,
		&p.FamilyID, &p.MoreImageURIs, &p.PieceGrams)
	return p, err
}

// Variants implements product.Catalogue.
func (s *Store) Variants(ctx context.Context, familyID, but string) ([]product.Variant, error) {
	variants, err := collect(ctx, s.pool, func(row pgx.Row) (v product.Variant, err error) {
		return v, row.Scan(&v.ID, &v.Name, &v.Size, &v.Price.Currency, &v.Price.Minor)
	}, variantsOf, familyID, but)
	return variants, wrap(err, "list a product's variants")
}

// orders are what list_products.sql leaves open. Row comparisons, so that an index is entered where the last page ended.
var orders = map[product.Order]string{
	product.ByID:   ` and product_id > $7 order by product_id limit $2`,
	product.ByName: ` and (name, product_id) > ($8, $7) order by name, product_id limit $2`,
	product.Latest: ` and (update_time, product_id) < ($8, $7) order by update_time desc, product_id desc limit $2`,
}

// List implements product.Catalogue.
func (s *Store) List(ctx context.Context, f product.Filter, after product.Place, limit int) ([]product.Product, error) {
	args := []any{f.CategoryID, limit, f.Status, f.BrandID, f.Tag, f.StoreID, after.ID}
	switch after.Order {
	case product.ByName:
		args = append(args, after.Name)
	case product.Latest:
		args = append(args, after.UpdateTime)
	}
	found, err := collect(ctx, s.pool, scanProduct, listProducts+orders[after.Order], args...)
	if err != nil || len(found) > 0 || f.CategoryID == "" {
		return found, wrap(err, "list products")
	}
	var known bool
	err = s.pool.QueryRow(ctx, `select exists (select from products.categories where category_id = $1)`, f.CategoryID).Scan(&known)
	if err == nil && !known {
		return nil, categoryNotFound(f.CategoryID)
	}
	return nil, wrap(err, "find a category")
}

// Offers implements product.Catalogue: one round trip, all offers by one query.
func (s *Store) Offers(ctx context.Context, storeID string, productIDs []string) (shop product.Shop, offers []product.Offer, err error) {
	batch := &pgx.Batch{}
	batch.Queue(storeByID, storeID)
	batch.Queue(offersOf, storeID, productIDs)
	results := s.pool.SendBatch(ctx, batch)
	defer func() {
		if closing := results.Close(); err == nil {
			err = wrap(closing, "read offers")
		}
	}()
	shop, err = scanShop(results.QueryRow())
	if errors.Is(err, pgx.ErrNoRows) {
		return shop, nil, storeNotFound(storeID)
	}
	if err != nil {
		return shop, nil, wrap(err, "read a store")
	}
	rows, err := results.Query()
	if err == nil {
		offers, err = pgx.CollectRows(rows, each(scanOffer))
	}
	return shop, offers, wrap(err, "read offers")
}

func scanOffer(row pgx.Row) (product.Offer, error) {
	var o product.Offer
	err := row.Scan(&o.ProductID, &o.Name, &o.Size, &o.ImageURI, &o.Price.Currency, &o.Price.Minor, &o.TaxRateBPS, &o.Sold, &o.Available,
		&o.MaxPerShopper, &o.PieceGrams)
	return o, err
}

func collect[T any](ctx context.Context, q querier, scan func(pgx.Row) (T, error), sql string, args ...any) ([]T, error) {
	rows, err := q.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, each(scan))
}

func each[T any](scan func(pgx.Row) (T, error)) pgx.RowToFunc[T] {
	return func(row pgx.CollectableRow) (T, error) { return scan(row) }
}

// wrap says what was being done; a server that is away becomes UNAVAILABLE.
func wrap(err error, doing string) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", doing, pgdb.Error(err))
}

func minor(amount *money.Money) *int64 {
	if amount == nil {
		return nil
	}
	return &amount.Minor
}
