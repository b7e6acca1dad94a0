// Package product is the catalogue: products, categories, brands, stores, prices and where each product is sold.
//
// Rules of the room:
//
//   - A product's id is chosen at its creation and never taken again, also after the product is deleted.
//   - A price is the everyday one or a store's own, and holds for a period. In force is the store's own before the everyday
//     one, and then the one that began last. Changing a product's price begins a new everyday price now.
//   - A price can be planned, from a time on that isn't past. When it begins or ends, offers follow at once, and the search index
//     as soon as somebody calls Activate. It can be taken back before it begins, and stays once it has.
//   - A store sells a product that is active, in the store's assortment, and has a price.
//   - A product may have a limit for each shopper and day. It is told to everybody, and kept by checkout.
//   - Products that share a family are one thing in several sizes.
//   - A brand, a category and a store stay as long as a product that isn't deleted refers to them, and a category as long as others
//     are below it. No category is below itself.
//   - Drafts are seen by merchandisers and services only. What a product costs the grocer is seen by nobody.
//   - Stock is not the catalogue's: availability is hearsay, ordered by (epoch, sequence), and an older word never wins.
//   - Popularity is counted, not decided: it is part of the document for search, and of nothing that people read or change.
//   - Every change is recorded with who made it, for merchandisers and operators to look up, and brings the product's document for
//     the search index up to date, in the transaction of the change (see postgres/migrations).
package product

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"larder.dev/internal/fault"
	"larder.dev/internal/identity"
	"larder.dev/internal/money"
)

// Currency is that of every price: stores trade in one.
const Currency = "GBP"

// MaxAmount is the greatest price and cost, minor units.
const MaxAmount = 99_999_999

// Status of a product.
type Status string

// Statuses: not shown yet, shown, no longer sold.
const (
	Draft   Status = "draft"
	Active  Status = "active"
	Retired Status = "retired"
)

// Product is one thing to sell. Ids are slugs; empty BrandID: none.
type Product struct {
	ID          string
	Name        string
	BrandID     string
	Brand       string // the brand's name; only read
	CategoryID  string
	Description string
	Size        string // as printed on the pack: "2 l"
	GTIN        string
	Tags        []string
	ImageURI    string
	// MoreImageURIs are images behind the one of ImageURI, in order.
	MoreImageURIs []string
	Status        Status
	Price         money.Money // everyday, tax included; zero: it has none
	TaxRateBPS    int32       // of the tax in the price
	StoreIDs      []string    // the stores whose assortment has it, in order
	// MaxPerShopper is how many units one shopper may buy in a store and a day, 0 to 99; 0: no limit. Checkout keeps it.
	MaxPerShopper int32
	// PieceGrams makes a product one that is sold by weight: what a piece typically weighs, to 100,000, which the price is for; 0: sold by the piece.
	PieceGrams int32
	FamilyID   string    // what it shares with its other sizes; empty: it has none
	Variants   []Variant // the other active products of its family, the cheapest first; only of Service.Product
	CreateTime time.Time
	UpdateTime time.Time
	Version    int64 // of the row, from 1

	// Cost is only written: nil leaves it as it is, and it is nil in everything that is read.
	Cost *money.Money
}

// Variant is another size of a product.
type Variant struct {
	ID, Name, Size string
	Price          money.Money // as of Product
}

// Etag changes with everything about a product that can be changed by UpdateProduct. Prices and assortment have no part in
// Version, as they can begin or change on their own.
func (p Product) Etag() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%d %d %q", p.Version, p.Price.Minor, p.StoreIDs))
	return `"` + hex.EncodeToString(sum[:8]) + `"`
}

// Offer is a product as one store sells it now.
type Offer struct {
	ProductID  string
	Name       string
	Size       string
	ImageURI   string
	Price      money.Money
	TaxRateBPS int32
	Sold       bool
	Available  bool
	// MaxPerShopper and PieceGrams are as of Product.
	MaxPerShopper, PieceGrams int32
}

// Availability is one word of the stock on one product.
type Availability struct {
	ProductID string
	Available bool
	Sequence  int64
}

// Filter chooses products of a list. Empty fields choose all, but for Status.
type Filter struct {
	CategoryID string // and the categories below it
	BrandID    string
	Tag        string
	StoreID    string // in its assortment
	Status     Status // empty: Active
}

// Order of a list of products. Those that are equal in it are ordered by their ids.
type Order string

// Orders: by id, by name, the latest change first.
const (
	ByID   Order = "product_id"
	ByName Order = "name"
	Latest Order = "update_time desc"
)

// Place is where a product stands in an order: what its order goes by and the id are set.
type Place struct {
	Order      Order
	ID         string
	Name       string
	UpdateTime time.Time
}

// Catalogue keeps the room's data. Its errors are coded: PRODUCT_NOT_FOUND, STORE_NOT_FOUND, CATEGORY_NOT_FOUND,
// BRAND_NOT_FOUND, ALREADY_EXISTS, IN_USE, CATALOGUE_FULL, CATEGORY_CYCLE, and UNAVAILABLE while the database is away.
type Catalogue interface {
	Brands
	Categories
	Stores
	Trail
	Reports

	// Product finds one that isn't deleted.
	Product(ctx context.Context, id string) (Product, error)
	// Variants returns the active products of a family but for one, the cheapest first, at most 50.
	Variants(ctx context.Context, familyID, but string) ([]Variant, error)
	// List returns the products that come after a place in its order, at most limit.
	List(ctx context.Context, f Filter, after Place, limit int) ([]Product, error)
	// Offers leaves out products that are unknown or deleted.
	Offers(ctx context.Context, storeID string, productIDs []string) (Shop, []Offer, error)
	// Create adds a product. No StoreIDs: all stores sell it.
	Create(ctx context.Context, p Product) (Product, error)
	// Update locks the product, lets change change it, and writes it unless change fails. change may run more than once.
	Update(ctx context.Context, id string, change func(*Product) error) (Product, error)
	// Delete locks the product and marks it deleted unless check fails.
	Delete(ctx context.Context, id string, check func(Product) error) error
	// SetAvailability returns how many of the words were later than what was known.
	SetAvailability(ctx context.Context, storeID string, epoch int64, changes []Availability) (int, error)
	// Plan adds a price unless it is there. PRICE_NOT_PLANNABLE: another one is; INVALID_ARGUMENT: it would begin longer ago than late.
	Plan(ctx context.Context, id string, p PlannedPrice, late time.Duration) error
	// Withdraw removes a price that begins later than now. PRICE_NOT_FOUND: there is none; PRICE_BEGUN: it has begun.
	Withdraw(ctx context.Context, id, storeID string, start time.Time) error
	// Prices returns those that are in force now or will be, at most 1,000, everyday ones first, then by store and time.
	Prices(ctx context.Context, id string) ([]PlannedPrice, error)
	// Activate brings the documents up to date of products whose prices have begun or ended, at most limit, and returns of how many, and
	// whether there may be more. Safe for several at once.
	Activate(ctx context.Context, limit int) (products int, more bool, err error)
	// SetPopularity returns how many products were changed; unknown ones are left out.
	SetPopularity(ctx context.Context, popularity map[string]int) (int, error)
}

// Service is the room's rules over its data.
type Service struct{ catalogue Catalogue }

// NewService makes one.
func NewService(c Catalogue) *Service { return &Service{catalogue: c} }

// Product returns a product that the caller may see, with its other sizes. Errors: PRODUCT_NOT_FOUND.
func (s *Service) Product(ctx context.Context, id string) (Product, error) {
	p, err := s.catalogue.Product(ctx, id)
	if err != nil {
		return Product{}, err
	}
	if p.Status == Draft && !seesDrafts(ctx) {
		return Product{}, NotFound(id)
	}
	if p.FamilyID != "" {
		p.Variants, err = s.catalogue.Variants(ctx, p.FamilyID, id)
	}
	return p, err
}

// Page is one page of a list; an empty Next: the last.
type Page struct {
	Products []Product
	Next     string
}

// List pages through products in an order, ByID unless it says another. A page begins behind the last product of the one before, so it is
// the same whatever is added or removed before it. Size: 1 to 100, 0 means 50. Errors: CATEGORY_NOT_FOUND, INVALID_PAGE_TOKEN;
// PERMISSION_DENIED for drafts, which merchandisers and services see.
func (s *Service) List(ctx context.Context, f Filter, order Order, size int, token string) (Page, error) {
	if size == 0 {
		size = 50
	}
	if f.Status == "" {
		f.Status = Active
	}
	if f.Status == Draft && !seesDrafts(ctx) {
		return Page{}, fault.PermissionDenied.New("your role doesn't allow to list drafts")
	}
	query := f.CategoryID
	if f != (Filter{CategoryID: f.CategoryID, Status: Active}) {
		query = fmt.Sprintf("%q", f)
	}
	if order == "" {
		order = ByID
	}
	after, err := placeOf(token, query, order)
	if err != nil {
		return Page{}, err
	}
	found, err := s.catalogue.List(ctx, f, after, size+1)
	if err != nil {
		return Page{}, err
	}
	if len(found) <= size {
		return Page{Products: found}, nil
	}
	found = found[:size]
	return Page{Products: found, Next: found[size-1].token(query, order)}, nil
}

func seesDrafts(ctx context.Context) bool {
	caller := identity.FromContext(ctx)
	return caller.Service != "" || caller.HasRole(identity.RoleMerchandiser)
}

// Offers returns the store and its offers in the order of the ids. Errors: STORE_NOT_FOUND.
func (s *Service) Offers(ctx context.Context, storeID string, productIDs []string) (Shop, []Offer, error) {
	known := slices.DeleteFunc(slices.Clone(productIDs), func(id string) bool { return !slug.MatchString(id) })
	shop, found, err := s.catalogue.Offers(ctx, storeID, known)
	if err != nil {
		return Shop{}, nil, err
	}
	byID := make(map[string]Offer, len(found))
	for _, o := range found {
		byID[o.ProductID] = o
	}
	offers := make([]Offer, 0, len(found))
	for _, id := range productIDs {
		if o, ok := byID[id]; ok {
			offers = append(offers, o)
		}
	}
	return shop, offers, nil
}

// Create adds a product, a draft unless it says otherwise. Errors: INVALID_ARGUMENT, ALREADY_EXISTS, CATEGORY_NOT_FOUND,
// BRAND_NOT_FOUND, STORE_NOT_FOUND.
func (s *Service) Create(ctx context.Context, p Product) (Product, error) {
	if p.Status == "" {
		p.Status = Draft
	}
	if err := check(p); err != nil {
		return Product{}, err
	}
	return s.catalogue.Create(ctx, p)
}

// Update changes a product, if its etag is the given one or none is given. change lays the new values over the product and may
// refuse them. Errors: as Create; PRODUCT_NOT_FOUND, ETAG_MISMATCH.
func (s *Service) Update(ctx context.Context, id, etag string, change func(*Product) error) (Product, error) {
	return s.catalogue.Update(ctx, id, func(p *Product) error {
		if err := unchanged("product", id, p.Etag(), etag); err != nil {
			return err
		}
		if err := change(p); err != nil {
			return err
		}
		return check(*p)
	})
}

// Delete marks a product deleted. Errors: PRODUCT_NOT_FOUND, ETAG_MISMATCH.
func (s *Service) Delete(ctx context.Context, id, etag string) error {
	return s.catalogue.Delete(ctx, id, func(p Product) error { return unchanged("product", id, p.Etag(), etag) })
}

// SetAvailability takes over what the stock of a store tells under an epoch, and returns how much of it was news. Errors:
// STORE_NOT_FOUND.
func (s *Service) SetAvailability(ctx context.Context, storeID string, epoch int64, changes []Availability) (int, error) {
	known := slices.DeleteFunc(slices.Clone(changes), func(c Availability) bool { return !slug.MatchString(c.ProductID) })
	return s.catalogue.SetAvailability(ctx, storeID, epoch, known)
}

// SetPopularity sets how popular products are, 0 to 1000, and returns how many weren't so before.
func (s *Service) SetPopularity(ctx context.Context, popularity map[string]int) (int, error) {
	return s.catalogue.SetPopularity(ctx, popularity)
}

// NotFound is PRODUCT_NOT_FOUND.
func NotFound(id string) error { return fault.ProductNotFound.New("there is no product %q", id) }

// unchanged is ETAG_MISMATCH, unless the etag of a kind of thing is the given one or none is given.
func unchanged(kind, id, etag, given string) error {
	if given != "" && given != etag {
		return fault.EtagMismatch.New("the %s %q has changed since it was read", kind, id)
	}
	return nil
}

// contentEtag is the etag of what has no version: the same texts and numbers, the same etag.
func contentEtag(content ...any) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%#v", content))
	return `"` + hex.EncodeToString(sum[:8]) + `"`
}

// check holds a product against the rules that its proto can't state.
func check(p Product) error {
	refusal, faults := fault.InvalidArgument.New("the request has invalid fields"), 0
	violated := func(field, description string) {
		refusal.WithViolation("product."+field, description)
		faults++
	}
	if strings.TrimSpace(p.Name) == "" {
		violated("name", "must have visible characters")
	}
	if p.Status == "" {
		violated("status", "must be DRAFT, ACTIVE or RETIRED")
	}
	if p.Price.Currency != Currency {
		violated("price.currency", "must be "+Currency+", the stores' currency")
	}
	if p.Price.Minor < 1 || p.Price.Minor > MaxAmount {
		violated("price.minor_units", fmt.Sprintf("must be 1 to %d", MaxAmount))
	}
	if p.Cost != nil && p.Cost.Currency != Currency {
		violated("cost.currency", "must be "+Currency+", the stores' currency")
	}
	if p.Cost != nil && (p.Cost.Minor < 0 || p.Cost.Minor > MaxAmount) {
		violated("cost.minor_units", fmt.Sprintf("must be 0 to %d", MaxAmount))
	}
	if !imageURI.MatchString(p.ImageURI) {
		violated("image_uri", "must be a path on this host, or an http or https URI")
	}
	for i, uri := range p.MoreImageURIs {
		if !imageURI.MatchString(uri) {
			violated(fmt.Sprintf("more_image_uris[%d]", i), "must be a path on this host, or an http or https URI")
		}
	}
	if faults > 0 {
		return refusal
	}
	return nil
}

// slug is the form of every id; what hasn't it is no product's.
var slug = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{1,62}$`)

// imageURI keeps out schemes that a browser would run, and whitespace.
var imageURI = regexp.MustCompile(`^((https?:/)?/\S*)?$`)
