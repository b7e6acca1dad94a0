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

//go:embed sql/brands.sql
var listBrands string

// Brand implements product.Brands.
func (s *Store) Brand(ctx context.Context, id string) (product.Brand, error) {
	return readBrand(ctx, s.pool, id)
}

func readBrand(ctx context.Context, q querier, id string) (product.Brand, error) {
	b, err := scanBrand(q.QueryRow(ctx, `select brand_id, name from products.brands where brand_id = $1`, id))
	if errors.Is(err, pgx.ErrNoRows) {
		return product.Brand{}, fault.BrandNotFound.New("there is no brand %q", id)
	}
	return b, wrap(err, "read a brand")
}

func scanBrand(row pgx.Row) (b product.Brand, err error) {
	return b, row.Scan(&b.ID, &b.Name)
}

// Brands implements product.Brands.
func (s *Store) Brands(ctx context.Context, after string, limit int) ([]product.Brand, error) {
	brands, err := collect(ctx, s.pool, scanBrand, listBrands, after, limit)
	return brands, wrap(err, "list brands")
}

// CreateBrand implements product.Brands.
func (s *Store) CreateBrand(ctx context.Context, b product.Brand) error {
	return pgdb.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `insert into products.brands (brand_id, name) values ($1, $2)`, b.ID, b.Name)
		if pgdb.Violates(err, "brands_pkey") {
			return taken("brand", b.ID)
		}
		return wrap(err, "add a brand")
	})
}

// UpdateBrand implements product.Brands.
func (s *Store) UpdateBrand(ctx context.Context, id string, change func(*product.Brand) error) (updated product.Brand, err error) {
	err = s.brandLocked(ctx, id, func(tx pgx.Tx, b product.Brand) error {
		before := b
		if err := change(&b); err != nil {
			return err
		}
		updated = b
		if b == before {
			return nil
		}
		_, err := tx.Exec(ctx, `update products.brands set name = $2 where brand_id = $1`, id, b.Name)
		return wrap(err, "write a brand")
	})
	return updated, err
}

// DeleteBrand implements product.Brands.
func (s *Store) DeleteBrand(ctx context.Context, id string, check func(product.Brand) error) error {
	return s.brandLocked(ctx, id, func(tx pgx.Tx, b product.Brand) error {
		if err := check(b); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `update products.products set brand_id = null where brand_id = $1 and delete_time is not null`, id)
		if err != nil {
			return wrap(err, "free deleted products of a brand")
		}
		_, err = tx.Exec(ctx, `delete from products.brands where brand_id = $1`, id)
		if pgdb.Violates(err, "products_brand_id_fkey") {
			return fault.InUse.New("there are products of the brand %q", id)
		}
		return wrap(err, "remove a brand")
	})
}

// brandLocked is locked for a brand: nobody else gives it to a product meanwhile.
func (s *Store) brandLocked(ctx context.Context, id string, f func(pgx.Tx, product.Brand) error) error {
	return locked(ctx, s, `select from products.brands where brand_id = $1 for update`, readBrand, id, f)
}

// locked runs f with a row that nobody else changes, nor refers to anew, until the transaction ends. lock is the statement that locks it by
// its id; it is read after it is locked.
func locked[T any](
	ctx context.Context, s *Store, lock string, read func(ctx context.Context, q querier, id string) (T, error), id string, f func(pgx.Tx, T) error,
) error {
	return pgdb.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, lock, id); err != nil {
			return wrap(err, "lock a row")
		}
		row, err := read(ctx, tx, id)
		if err != nil {
			return err
		}
		return f(tx, row)
	})
}

// taken tells that there is a thing of this kind and id already.
func taken(kind, id string) error {
	return fault.AlreadyExists.New("the %s id %q is taken", kind, id).WithViolation(kind+"."+kind+"_id", "is another "+kind+"'s")
}
