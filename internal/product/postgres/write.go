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
	//go:embed sql/check_new_product.sql
	checkNewProduct string
	//go:embed sql/unknown_store.sql
	unknownStore string
	//go:embed sql/create_product.sql
	createProduct string
	//go:embed sql/lock_product.sql
	lockProduct string
	//go:embed sql/update_product.sql
	updateProduct string
	//go:embed sql/set_availability.sql
	setAvailability string
	//go:embed sql/lock_popularity.sql
	lockPopularity string
	//go:embed sql/set_popularity.sql
	setPopularity string
)

// Create implements product.Catalogue.
func (s *Store) Create(ctx context.Context, p product.Product) (created product.Product, err error) {
	err = pgdb.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		var taken bool
		if err := tx.QueryRow(ctx, checkNewProduct, p.ID).Scan(&taken); err != nil {
			return wrap(err, "check a product's id")
		}
		if taken {
			return alreadyExists(p.ID)
		}
		if err := checkStores(ctx, tx, "product.store_ids", p.StoreIDs); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, createProduct, p.ID, p.Name, p.BrandID, p.CategoryID, p.Description, p.Size, p.GTIN, orEmpty(p.Tags),
			p.ImageURI, p.Status, p.Price.Currency, p.TaxRateBPS, minor(p.Cost), p.Price.Minor, orEmpty(p.StoreIDs), p.MaxPerShopper, p.FamilyID,
			orEmpty(p.MoreImageURIs), p.PieceGrams)
		if err != nil {
			return refused(err, p)
		}
		created, err = readProduct(ctx, tx, p.ID)
		return err
	})
	return created, err
}

// Update implements product.Catalogue.
func (s *Store) Update(ctx context.Context, id string, change func(*product.Product) error) (updated product.Product, err error) {
	err = s.locked(ctx, id, func(tx pgx.Tx, p product.Product) error {
		before := p
		if err := change(&p); err != nil {
			return err
		}
		var price *int64 // nil: it stays, whatever begins in the meantime
		if p.Price != before.Price {
			price = &p.Price.Minor
		}
		if err := checkStores(ctx, tx, "product.store_ids", p.StoreIDs); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, updateProduct, id, p.Name, p.BrandID, p.CategoryID, p.Description, p.Size, p.GTIN, orEmpty(p.Tags),
			p.ImageURI, p.Status, p.Price.Currency, p.TaxRateBPS, minor(p.Cost), price, orEmpty(p.StoreIDs), p.MaxPerShopper, p.FamilyID,
			orEmpty(p.MoreImageURIs), p.PieceGrams)
		if err != nil {
			return refused(err, p)
		}
		updated, err = readProduct(ctx, tx, id)
		return err
	})
	return updated, err
}

// Delete implements product.Catalogue.
func (s *Store) Delete(ctx context.Context, id string, check func(product.Product) error) error {
	return s.locked(ctx, id, func(tx pgx.Tx, p product.Product) error {
		if err := check(p); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `update products.products set delete_time = clock_timestamp() where product_id = $1`, id)
		return wrap(err, "mark a product deleted")
	})
}

// locked runs f with a product that nobody else changes until the transaction ends. It is read after it is locked: what was
// committed meanwhile is seen.
func (s *Store) locked(ctx context.Context, id string, f func(pgx.Tx, product.Product) error) error {
	return pgdb.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, lockProduct, id); err != nil {
			return wrap(err, "lock a product")
		}
		p, err := readProduct(ctx, tx, id)
		if err != nil {
			return err
		}
		return f(tx, p)
	})
}

// SetAvailability implements product.Catalogue.
func (s *Store) SetAvailability(ctx context.Context, storeID string, epoch int64, changes []product.Availability) (news int, err error) {
	ids, available, sequences := make([]string, len(changes)), make([]bool, len(changes)), make([]int64, len(changes))
	for i, c := range changes {
		ids[i], available[i], sequences[i] = c.ProductID, c.Available, c.Sequence
	}
	err = pgdb.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		if err := checkStores(ctx, tx, "store_id", []string{storeID}); err != nil {
			return err
		}
		result, err := tx.Exec(ctx, setAvailability, storeID, epoch, ids, available, sequences)
		news = int(result.RowsAffected())
		if pgdb.Violates(err, "availability_store_id_fkey") { // it was removed since we looked
			return storeNotFound(storeID)
		}
		return wrap(err, "set availability")
	})
	return news, err
}

// SetPopularity implements product.Catalogue.
func (s *Store) SetPopularity(ctx context.Context, popularity map[string]int) (changed int, err error) {
	var ids []string
	var values []int
	for id, value := range popularity {
		ids, values = append(ids, id), append(values, value)
	}
	err = pgdb.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, lockPopularity, ids, values); err != nil {
			return wrap(err, "lock products")
		}
		result, err := tx.Exec(ctx, setPopularity, ids, values)
		changed = int(result.RowsAffected())
		return wrap(err, "set popularity")
	})
	return changed, err
}

// checkStores answers STORE_NOT_FOUND for the first id that is no store's, with the request's field that has it.
func checkStores(ctx context.Context, tx pgx.Tx, field string, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	var unknown string
	err := tx.QueryRow(ctx, unknownStore, ids).Scan(&unknown)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return nil
	case err != nil:
		return wrap(err, "find stores")
	default:
		return fault.StoreNotFound.New("there is no store %q", unknown).WithViolation(field, "no such store")
	}
}

// refused tells which reference or id PostgreSQL didn't accept.
func refused(err error, p product.Product) error {
	switch {
	case pgdb.Violates(err, "products_pkey"):
		return alreadyExists(p.ID)
	case pgdb.Violates(err, "products_category_id_fkey"):
		return fault.CategoryNotFound.New("there is no category %q", p.CategoryID).WithViolation("product.category_id", "no such category")
	case pgdb.Violates(err, "products_brand_id_fkey"):
		return fault.BrandNotFound.New("there is no brand %q", p.BrandID).WithViolation("product.brand_id", "no such brand")
	case pgdb.Violates(err, "store_products_store_id_fkey"): // it was removed since we looked
		return fault.StoreNotFound.New("a store is gone").WithViolation("product.store_ids", "no such store")
	default:
		return wrap(err, "write a product")
	}
}

func alreadyExists(id string) error {
	return fault.AlreadyExists.New("the product id %q is taken", id).WithViolation("product.product_id", "is or was another product's")
}

// orEmpty keeps a nil slice from becoming SQL's null.
func orEmpty(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}
