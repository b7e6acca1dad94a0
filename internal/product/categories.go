package product

import "context"

// Category is a node of the tree; ParentID is empty at the top. Position orders those below one parent, and then the id does.
type Category struct {
	ID, Name, ParentID string
	Position           int32
}

// Etag changes with everything about a category itself, not with those above and below it.
func (c Category) Etag() string { return contentEtag(c.ID, c.Name, c.ParentID, c.Position) }

// Categories keeps the tree.
type Categories interface {
	Category(ctx context.Context, id string) (Category, error)
	// Categories returns the tree in display order, parents first.
	Categories(ctx context.Context) ([]Category, error)
	// CreateCategory adds one below a category that there is. CATEGORY_CYCLE: that is itself.
	CreateCategory(ctx context.Context, c Category) error
	// UpdateCategory is as UpdateBrand. CATEGORY_CYCLE: it would be below itself.
	UpdateCategory(ctx context.Context, id string, change func(*Category) error) (Category, error)
	// DeleteCategory is as DeleteBrand. IN_USE: it has products, or categories below it.
	DeleteCategory(ctx context.Context, id string, check func(Category) error) error
}

// Category returns one. Errors: CATEGORY_NOT_FOUND.
func (s *Service) Category(ctx context.Context, id string) (Category, error) {
	return s.catalogue.Category(ctx, id)
}

// Categories returns the tree in display order, parents first.
func (s *Service) Categories(ctx context.Context) ([]Category, error) {
	return s.catalogue.Categories(ctx)
}

// CreateCategory adds one. Errors: INVALID_ARGUMENT, ALREADY_EXISTS, CATEGORY_NOT_FOUND for its parent, CATEGORY_CYCLE, CATALOGUE_FULL.
func (s *Service) CreateCategory(ctx context.Context, c Category) (Category, error) {
	if err := visible("category.name", c.Name); err != nil {
		return Category{}, err
	}
	return c, s.catalogue.CreateCategory(ctx, c)
}

// UpdateCategory changes a category, if its etag is the given one or none is given. Errors: as CreateCategory; ETAG_MISMATCH.
func (s *Service) UpdateCategory(ctx context.Context, id, etag string, change func(*Category) error) (Category, error) {
	return s.catalogue.UpdateCategory(ctx, id, func(c *Category) error {
		if err := unchanged("category", id, c.Etag(), etag); err != nil {
			return err
		}
		if err := change(c); err != nil {
			return err
		}
		return visible("category.name", c.Name)
	})
}

// DeleteCategory removes a category that has neither products nor categories below it. Errors: CATEGORY_NOT_FOUND, ETAG_MISMATCH,
// IN_USE.
func (s *Service) DeleteCategory(ctx context.Context, id, etag string) error {
	return s.catalogue.DeleteCategory(ctx, id, func(c Category) error { return unchanged("category", id, c.Etag(), etag) })
}
