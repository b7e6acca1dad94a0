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
	//go:embed sql/category.sql
	categoryByID string
	//go:embed sql/categories.sql
	listCategories string
)

// Category implements product.Categories.
func (s *Store) Category(ctx context.Context, id string) (product.Category, error) {
	return readCategory(ctx, s.pool, id)
}

func readCategory(ctx context.Context, q querier, id string) (product.Category, error) {
	c, err := scanCategory(q.QueryRow(ctx, categoryByID, id))
	if errors.Is(err, pgx.ErrNoRows) {
		return product.Category{}, categoryNotFound(id)
	}
	return c, wrap(err, "read a category")
}

func scanCategory(row pgx.Row) (c product.Category, err error) {
	return c, row.Scan(&c.ID, &c.Name, &c.ParentID, &c.Position)
}

// Categories implements product.Categories.
func (s *Store) Categories(ctx context.Context) ([]product.Category, error) {
	tree, err := collect(ctx, s.pool, scanCategory, listCategories, maxCategories)
	return tree, wrap(err, "list categories")
}

// CreateCategory implements product.Categories.
func (s *Store) CreateCategory(ctx context.Context, c product.Category) error {
	return pgdb.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		if err := admit(ctx, tx, "categories", maxCategories); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `insert into products.categories (category_id, name, parent_id, position) values ($1, $2, nullif($3, ''), $4)`,
			c.ID, c.Name, c.ParentID, c.Position)
		return categoryRefused(err, c)
	})
}

// UpdateCategory implements product.Categories.
func (s *Store) UpdateCategory(ctx context.Context, id string, change func(*product.Category) error) (updated product.Category, err error) {
	err = s.categoryLocked(ctx, id, func(tx pgx.Tx, c product.Category) error {
		before := c
		if err := change(&c); err != nil {
			return err
		}
		updated = c
		if c == before {
			return nil
		}
		_, err := tx.Exec(ctx, `update products.categories set name = $2, parent_id = nullif($3, ''), position = $4 where category_id = $1`,
			id, c.Name, c.ParentID, c.Position)
		return categoryRefused(err, c)
	})
	return updated, err
}

// categoryRefused tells what PostgreSQL didn't accept.
func categoryRefused(err error, c product.Category) error {
	switch {
	case pgdb.Violates(err, "categories_pkey"):
		return taken("category", c.ID)
	case pgdb.Violates(err, "categories_parent_id_fkey"):
		return fault.CategoryNotFound.New("there is no category %q", c.ParentID).WithViolation("category.parent_id", "no such category")
	case pgdb.Violates(err, "categories_tree"):
		return fault.CategoryCycle.New("the category %q would be below itself", c.ID).WithViolation("category.parent_id", "is the category itself or below it")
	default:
		return wrap(err, "write a category")
	}
}

// DeleteCategory implements product.Categories.
func (s *Store) DeleteCategory(ctx context.Context, id string, check func(product.Category) error) error {
	return s.categoryLocked(ctx, id, func(tx pgx.Tx, c product.Category) error {
		if err := check(c); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `update products.products set category_id = null where category_id = $1 and delete_time is not null`, id)
		if err != nil {
			return wrap(err, "free deleted products of a category")
		}
		_, err = tx.Exec(ctx, `delete from products.categories where category_id = $1`, id)
		switch {
		case pgdb.Violates(err, "products_category_id_fkey"):
			return fault.InUse.New("there are products in the category %q", id)
		case pgdb.Violates(err, "categories_parent_id_fkey"):
			return fault.InUse.New("there are categories below the category %q", id)
		}
		return wrap(err, "remove a category")
	})
}

// categoryLocked is locked for a category: nobody else puts anything into it meanwhile.
func (s *Store) categoryLocked(ctx context.Context, id string, f func(pgx.Tx, product.Category) error) error {
	return locked(ctx, s, `select from products.categories where category_id = $1 for update`, readCategory, id, f)
}

func categoryNotFound(id string) error {
	return fault.CategoryNotFound.New("there is no category %q", id)
}
