package postgres

import (
	"context"
	_ "embed"
	"errors"

	"github.com/jackc/pgx/v5"

	"larder.dev/internal/fault"
	"larder.dev/internal/pgdb"
	"larder.dev/internal/product"
)

var (
	//go:embed sql/store.sql
	storeByID string
	//go:embed sql/stores.sql
	listStores string
	//go:embed sql/create_store.sql
	createStore string
	//go:embed sql/update_store.sql
	updateStore string
	//go:embed sql/set_postcodes.sql
	setPostcodes string
	//go:embed sql/store_sells.sql
	storeSells string
)

// Shop implements product.Stores.
func (s *Store) Shop(ctx context.Context, id string) (product.Shop, error) {
	return readShop(ctx, s.pool, id)
}

func readShop(ctx context.Context, q querier, id string) (product.Shop, error) {
	shop, err := scanShop(q.QueryRow(ctx, storeByID, id))
	if errors.Is(err, pgx.ErrNoRows) {
		return product.Shop{}, storeNotFound(id)
	}
	return shop, wrap(err, "read a store")
}

func scanShop(row pgx.Row) (product.Shop, error) {
	var s product.Shop
	err := row.Scan(&s.ID, &s.Name, &s.Currency, &s.DeliveryFee, &s.FreeDeliveryFrom, &s.Postcodes, &s.AddressLine1, &s.City, &s.Postcode)
	return s, err
}

// Shops implements product.Stores.
func (s *Store) Shops(ctx context.Context, outward string) ([]product.Shop, error) {
	shops, err := collect(ctx, s.pool, scanShop, listStores, outward, maxStores)
	return shops, wrap(err, "list stores")
}

// CreateShop implements product.Stores.
func (s *Store) CreateShop(ctx context.Context, shop product.Shop) error {
	return pgdb.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		if err := admit(ctx, tx, "stores", maxStores); err != nil {
			return err
		}
		return writeShop(ctx, tx, createStore, shop)
	})
}

// UpdateShop implements product.Stores.
func (s *Store) UpdateShop(ctx context.Context, id string, change func(*product.Shop) error) (updated product.Shop, err error) {
	err = s.shopLocked(ctx, id, func(tx pgx.Tx, shop product.Shop) error {
		before := shop.Etag()
		if err := change(&shop); err != nil {
			return err
		}
		updated = shop
		if shop.Etag() == before {
			return nil
		}
		return writeShop(ctx, tx, updateStore, shop)
	})
	return updated, err
}

func writeShop(ctx context.Context, tx pgx.Tx, sql string, shop product.Shop) error {
	_, err := tx.Exec(ctx, sql, shop.ID, shop.Name, shop.Currency, shop.DeliveryFee, shop.FreeDeliveryFrom, shop.AddressLine1, shop.City, shop.Postcode)
	if pgdb.Violates(err, "stores_pkey") {
		return taken("store", shop.ID)
	}
	if err == nil {
		_, err = tx.Exec(ctx, setPostcodes, shop.ID, orEmpty(shop.Postcodes))
	}
	return wrap(err, "write a store")
}

// DeleteShop implements product.Stores.
func (s *Store) DeleteShop(ctx context.Context, id string, check func(product.Shop) error) error {
	return s.shopLocked(ctx, id, func(tx pgx.Tx, shop product.Shop) error {
		if err := check(shop); err != nil {
			return err
		}
		var sells bool
		if err := tx.QueryRow(ctx, storeSells, id).Scan(&sells); err != nil {
			return wrap(err, "look into a store's assortment")
		}
		if sells {
			return fault.InUse.New("the store %q sells products", id)
		}
		_, err := tx.Exec(ctx, `delete from products.stores where store_id = $1`, id)
		return wrap(err, "remove a store")
	})
}

// shopLocked is locked for a store: nobody else gives it a product, a price or a word on stock meanwhile.
func (s *Store) shopLocked(ctx context.Context, id string, f func(pgx.Tx, product.Shop) error) error {
	return locked(ctx, s, `select from products.stores where store_id = $1 for update`, readShop, id, f)
}

func storeNotFound(id string) error { return fault.StoreNotFound.New("there is no store %q", id) }
