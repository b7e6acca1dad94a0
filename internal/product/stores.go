package product

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"larder.dev/internal/fault"
)

// Shop is a store. Amounts are minor units of Currency.
type Shop struct {
	ID               string
	Name             string
	Currency         string
	DeliveryFee      int64
	FreeDeliveryFrom *int64   // nil: no order is delivered free
	Postcodes        []string // outward codes that it delivers to, in order
	AddressLine1     string
	City             string
	Postcode         string // where it stands
}

// Etag changes with everything about a store that UpdateStore can change.
func (s Shop) Etag() string {
	free := int64(-1)
	if s.FreeDeliveryFrom != nil {
		free = *s.FreeDeliveryFrom
	}
	return contentEtag(s.ID, s.Name, s.Currency, s.DeliveryFee, free, strings.Join(s.Postcodes, " "), s.AddressLine1, s.City, s.Postcode)
}

// Stores keeps stores.
type Stores interface {
	Shop(ctx context.Context, id string) (Shop, error)
	// Shops returns the stores that deliver to an outward code, all for an empty one.
	Shops(ctx context.Context, outward string) ([]Shop, error)
	CreateShop(ctx context.Context, shop Shop) error
	// UpdateShop is as UpdateBrand.
	UpdateShop(ctx context.Context, id string, change func(*Shop) error) (Shop, error)
	// DeleteShop is as DeleteBrand, and takes the store's own prices along. IN_USE: it sells a product.
	DeleteShop(ctx context.Context, id string, check func(Shop) error) error
}

// Shop returns one. Errors: STORE_NOT_FOUND.
func (s *Service) Shop(ctx context.Context, id string) (Shop, error) {
	return s.catalogue.Shop(ctx, id)
}

// Shops returns the stores that deliver to a postcode, whole or its outward code; all for an empty one. Errors: INVALID_ARGUMENT.
func (s *Service) Shops(ctx context.Context, postcode string) ([]Shop, error) {
	if postcode == "" {
		return s.catalogue.Shops(ctx, "")
	}
	code, err := outward(postcode)
	if err != nil {
		return nil, err
	}
	return s.catalogue.Shops(ctx, code)
}

// CreateShop adds a store, which sells nothing yet. Errors: INVALID_ARGUMENT, ALREADY_EXISTS.
func (s *Service) CreateShop(ctx context.Context, shop Shop) (Shop, error) {
	slices.Sort(shop.Postcodes)
	if err := shop.check(); err != nil {
		return Shop{}, err
	}
	return shop, s.catalogue.CreateShop(ctx, shop)
}

// UpdateShop changes a store, if its etag is the given one or none is given. Errors: as CreateShop; STORE_NOT_FOUND, ETAG_MISMATCH.
func (s *Service) UpdateShop(ctx context.Context, id, etag string, change func(*Shop) error) (Shop, error) {
	return s.catalogue.UpdateShop(ctx, id, func(shop *Shop) error {
		if err := unchanged("store", id, shop.Etag(), etag); err != nil {
			return err
		}
		if err := change(shop); err != nil {
			return err
		}
		slices.Sort(shop.Postcodes)
		return shop.check()
	})
}

// DeleteShop removes a store that sells nothing. Errors: STORE_NOT_FOUND, ETAG_MISMATCH, IN_USE.
func (s *Service) DeleteShop(ctx context.Context, id, etag string) error {
	return s.catalogue.DeleteShop(ctx, id, func(shop Shop) error { return unchanged("store", id, shop.Etag(), etag) })
}

// check holds a store against the rules that its proto can't state.
func (s Shop) check() error {
	amount := fmt.Sprintf("must be 0 to %d", MaxAmount)
	switch {
	case s.Currency != Currency:
		return fault.Invalid("store.currency", "must be %s, the stores' currency", Currency)
	case s.DeliveryFee < 0 || s.DeliveryFee > MaxAmount:
		return fault.Invalid("store.delivery_fee.minor_units", "%s", amount)
	case s.FreeDeliveryFrom != nil && (*s.FreeDeliveryFrom < 0 || *s.FreeDeliveryFrom > MaxAmount):
		return fault.Invalid("store.free_delivery_from.minor_units", "%s", amount)
	default:
		return visible("store.name", s.Name)
	}
}

// Postcodes of the United Kingdom without their space (BS 7666, as far as an outward code needs it).
var (
	wholePostcode = regexp.MustCompile(`^([A-Z]{1,2}[0-9][0-9A-Z]?)[0-9][A-Z]{2}$`)
	outwardCode   = regexp.MustCompile(`^[A-Z]{1,2}[0-9][0-9A-Z]?$`)
)

// outward finds the outward code in a postcode, whole ("sw9 9xe") or outward ("SW9").
func outward(postcode string) (string, error) {
	plain := strings.ToUpper(strings.ReplaceAll(postcode, " ", ""))
	if whole := wholePostcode.FindStringSubmatch(plain); whole != nil {
		return whole[1], nil
	}
	if outwardCode.MatchString(plain) {
		return plain, nil
	}
	return "", fault.Invalid("postcode", "must be a postcode of the United Kingdom or its outward code")
}
