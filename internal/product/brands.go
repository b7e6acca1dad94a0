package product

import (
	"context"
	"strings"

	"larder.dev/internal/fault"
)

// Brand of products.
type Brand struct{ ID, Name string }

// Etag changes with everything about a brand.
func (b Brand) Etag() string { return contentEtag(b.ID, b.Name) }

// Brands keeps brands.
type Brands interface {
	Brand(ctx context.Context, id string) (Brand, error)
	// Brands returns those after an id, by id, at most limit.
	Brands(ctx context.Context, after string, limit int) ([]Brand, error)
	CreateBrand(ctx context.Context, b Brand) error
	// UpdateBrand locks the brand, lets change change it, and writes it unless change fails. change may run more than once.
	UpdateBrand(ctx context.Context, id string, change func(*Brand) error) (Brand, error)
	// DeleteBrand locks the brand and removes it unless check fails. IN_USE: a product is of it.
	DeleteBrand(ctx context.Context, id string, check func(Brand) error) error
}

// Brand returns one. Errors: BRAND_NOT_FOUND.
func (s *Service) Brand(ctx context.Context, id string) (Brand, error) {
	return s.catalogue.Brand(ctx, id)
}

// Brands pages through all, by id, and returns the token of the next page, empty at the end. Size: 1 to 100, 0 means 50. Errors:
// INVALID_PAGE_TOKEN.
func (s *Service) Brands(ctx context.Context, size int, token string) (brands []Brand, next string, err error) {
	if size == 0 {
		size = 50
	}
	const query = "all brands"
	after, err := afterToken(token, query)
	if err != nil {
		return nil, "", err
	}
	brands, err = s.catalogue.Brands(ctx, after, size+1)
	if err != nil || len(brands) <= size {
		return brands, "", err
	}
	brands = brands[:size]
	return brands, tokenAfter(brands[size-1].ID, query), nil
}

// CreateBrand adds one. Errors: INVALID_ARGUMENT, ALREADY_EXISTS.
func (s *Service) CreateBrand(ctx context.Context, b Brand) (Brand, error) {
	if err := visible("brand.name", b.Name); err != nil {
		return Brand{}, err
	}
	return b, s.catalogue.CreateBrand(ctx, b)
}

// UpdateBrand changes a brand, if its etag is the given one or none is given. Errors: as CreateBrand; BRAND_NOT_FOUND, ETAG_MISMATCH.
func (s *Service) UpdateBrand(ctx context.Context, id, etag string, change func(*Brand) error) (Brand, error) {
	return s.catalogue.UpdateBrand(ctx, id, func(b *Brand) error {
		if err := unchanged("brand", id, b.Etag(), etag); err != nil {
			return err
		}
		if err := change(b); err != nil {
			return err
		}
		return visible("brand.name", b.Name)
	})
}

// DeleteBrand removes a brand that no product is of. Errors: BRAND_NOT_FOUND, ETAG_MISMATCH, IN_USE.
func (s *Service) DeleteBrand(ctx context.Context, id, etag string) error {
	return s.catalogue.DeleteBrand(ctx, id, func(b Brand) error { return unchanged("brand", id, b.Etag(), etag) })
}

// visible refuses a name that nobody could see.
func visible(field, name string) error {
	if strings.TrimSpace(name) == "" {
		return fault.Invalid(field, "must have visible characters")
	}
	return nil
}
