// Package cart holds what a shopper means to buy from one store.
//
// The rules:
//
//   - A signed-in shopper has at most one cart, and its id is the shopper's user id. Nobody else's cart can be told from one
//     that isn't there.
//   - A guest cart's id is random and a capability: whoever knows it may use the cart. A cart keeps whose it is, so that the id
//     of one kind never opens one of the other.
//   - A guest cart can be merged into a shopper's, once. The line of a product that is in both has the larger quantity; the guest's
//     other lines follow in their order while there is room; the store is the shopper's if their cart has lines, else the
//     guest's. Whatever was put into the guest cart is in the shopper's then, or was refused: from the moment a merge begins,
//     nobody can open the guest cart.
//   - A cart is for one store. Opening it for another store moves it there with its lines; what that store doesn't sell stays
//     in the cart, marked, and counts for nothing.
//   - At most MaxLines lines, of 1 to MaxQuantity each. What is put in must be known and sold by the store at that moment.
//   - A cart keeps no prices to be charged: each reading prices it afresh. The price at which an item was put in, and whether it was
//     available, are kept only to show what has changed since.
//   - Each change gives the cart a new etag. A change that names an etag happens only if the cart still has it, and an etag
//     never comes again, not even after the cart has expired and was opened anew.
//   - A cart that nobody reads or changes for its lifetime, UserLifetime or GuestLifetime, is gone.
package cart

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc"

	productpb "larder.dev/api/product/v1"
	"larder.dev/internal/fault"
	"larder.dev/internal/money"
	"larder.dev/internal/pricing"
	"larder.dev/internal/telemetry"
)

// Limits of a cart.
const (
	MaxLines    = 100
	MaxQuantity = 99
	// UserLifetime and GuestLifetime are how long an untouched cart is kept.
	UserLifetime  = 30 * 24 * time.Hour
	GuestLifetime = 7 * 24 * time.Hour
)

// Ref names a cart: its id and whose it is.
type Ref struct {
	// ID is a UUID in lower case: the shopper's, or the guest cart's own.
	ID    string
	Guest bool
}

// Of names a shopper's cart.
func Of(userID string) Ref { return Ref{ID: userID} }

// GuestRef names a guest cart.
func GuestRef(id string) Ref { return Ref{ID: id, Guest: true} }

// Lifetime is how long the cart is kept untouched.
func (r Ref) Lifetime() time.Duration {
	if r.Guest {
		return GuestLifetime
	}
	return UserLifetime
}

// Cart is a cart as it is stored.
type Cart struct {
	Ref
	StoreID string
	// Lines in the order in which their products were first put in.
	Lines      []Line
	Etag       string
	UpdateTime time.Time
	ExpireTime time.Time
}

// Line is a quantity of one product. Name, UnitPrice and Stock are those of the moment when it was put in.
type Line struct {
	ProductID string
	Name      string
	Quantity  int64
	UnitPrice money.Money
	// Substitutable tells that the shopper takes another product where this one is missing.
	Substitutable bool
	Stock         Stock
}

// Stock is what was known of a product's availability.
type Stock string

// Stocks. Of lines of earlier releases nothing is known.
const (
	StockUnknown Stock = ""
	InStock      Stock = "in"
	OutOfStock   Stock = "out"
)

func stockOf(available bool) Stock {
	if available {
		return InStock
	}
	return OutOfStock
}

func (c Cart) line(productID string) (Line, bool) {
	i := slices.IndexFunc(c.Lines, func(l Line) bool { return l.ProductID == productID })
	if i < 0 {
		return Line{}, false
	}
	return c.Lines[i], true
}

// Store keeps carts. Each method but Merge is atomic, and each but Clear and Forget touches the cart, which then lives for another
// lifetime. A cart of the other kind is not there. To Put and Delete an empty etag means any. Errors of all: UNAVAILABLE.
type Store interface {
	// Open makes a cart, or moves the one that is there to the store.
	Open(ctx context.Context, ref Ref, storeID string) (Cart, error)
	// Read errors: CART_NOT_FOUND.
	Read(ctx context.Context, ref Ref) (Cart, error)
	// Put sets a product's line in a cart that is for storeID. Errors: CART_NOT_FOUND, ETAG_MISMATCH, CART_FULL.
	Put(ctx context.Context, ref Ref, storeID string, line Line, etag string) (Cart, error)
	// Delete errors: CART_NOT_FOUND, ETAG_MISMATCH, ITEM_NOT_FOUND.
	Delete(ctx context.Context, ref Ref, productID, etag string) (Cart, error)
	// Clear takes all lines out if the cart, a shopper's or a guest's, has this very etag; else nothing happens.
	Clear(ctx context.Context, id, etag string) error
	// Forget deletes a shopper's cart; one that isn't there is no error.
	Forget(ctx context.Context, userID string) error
	// Merge takes a guest cart into a shopper's by the rule above and answers the shopper's cart. Cut short at any point it may
	// be asked again; done, it only answers. Errors: CART_NOT_FOUND if there is no such guest cart, or another shopper has it.
	Merge(ctx context.Context, guestID, userID string) (Cart, error)
}

// Offers tells what a store sells now and for how much: product's service.
type Offers interface {
	BatchGetOffers(ctx context.Context, in *productpb.BatchGetOffersRequest, opts ...grpc.CallOption) (*productpb.BatchGetOffersResponse, error)
}

// Service is the room. Its methods are safe for concurrent use.
type Service struct {
	store  Store
	offers Offers
}

// New makes the room's service.
func New(store Store, offers Offers) *Service { return &Service{store: store, offers: offers} }

// Open opens a cart for a store, or moves it there. Errors: STORE_NOT_FOUND, UNAVAILABLE.
func (s *Service) Open(ctx context.Context, ref Ref, storeID string) (Priced, error) {
	if _, err := s.sold(ctx, storeID, nil); err != nil {
		return Priced{}, err
	}
	cart, err := s.store.Open(ctx, ref, storeID)
	if err != nil {
		return Priced{}, fmt.Errorf("open the cart: %w", err)
	}
	return s.priced(ctx, cart)
}

// OpenGuest opens a new guest cart. Errors: as of Open.
func (s *Service) OpenGuest(ctx context.Context, storeID string) (Priced, error) {
	id, err := uuid.NewRandom() // of crypto/rand: the id must not be guessed
	if err != nil {
		return Priced{}, fmt.Errorf("make a cart's id: %w", err)
	}
	return s.Open(ctx, GuestRef(id.String()), storeID)
}

// Get reads and prices. Errors: CART_NOT_FOUND, UNAVAILABLE.
func (s *Service) Get(ctx context.Context, ref Ref) (Priced, error) {
	cart, err := s.store.Read(ctx, ref)
	if err != nil {
		return Priced{}, fmt.Errorf("read the cart: %w", err)
	}
	return s.priced(ctx, cart)
}

// Put sets the quantity of a product, 1 to MaxQuantity, and whether another may take its place; nil: as it was, at first no. Errors: CART_NOT_FOUND, ETAG_MISMATCH, CART_FULL, CART_TOO_LARGE,
// PRODUCT_NOT_FOUND, PRODUCT_NOT_SOLD, UNAVAILABLE.
func (s *Service) Put(ctx context.Context, ref Ref, productID string, quantity int64, substitutable *bool, etag string) (Priced, error) {
	cart, err := s.store.Read(ctx, ref)
	if err != nil {
		return Priced{}, fmt.Errorf("read the cart: %w", err)
	}
	// The store checks etag and lines again, atomically; here they only spare the question about a product too many.
	if etag != "" && etag != cart.Etag {
		return Priced{}, ErrEtag()
	}
	before, there := cart.line(productID)
	if !there && len(cart.Lines) >= MaxLines {
		return Priced{}, ErrFull()
	}
	line := Line{ProductID: productID, Quantity: quantity, Substitutable: before.Substitutable}
	if substitutable != nil {
		line.Substitutable = *substitutable
	}
	if !there {
		cart.Lines = append(cart.Lines, line)
	}
	known, err := s.sold(ctx, cart.StoreID, cart.Lines)
	if err != nil {
		return Priced{}, err
	}
	offer, ok := known.offers[productID]
	if !ok {
		return Priced{}, fault.ProductNotFound.New("there is no such product").WithMetadata("product_id", productID)
	}
	if !offer.GetSold() {
		return Priced{}, fault.ProductNotSold.New("the store doesn't sell the product").
			WithMetadata("product_id", productID).WithMetadata("store_id", cart.StoreID)
	}
	line.Name, line.UnitPrice, line.Stock = offer.GetName(), money.FromProto(offer.GetPrice()), stockOf(offer.GetAvailable())
	for i := range cart.Lines {
		if cart.Lines[i].ProductID == productID {
			cart.Lines[i] = line
		}
	}
	would, err := price(cart, known)
	if err != nil {
		return Priced{}, err
	}
	// Fewer of a product is always well: prices can rise until a cart is too large.
	if would.Totals == nil && quantity > before.Quantity {
		return Priced{}, fault.CartTooLarge.New("an order may cost at most %s", money.Of(pricing.MaxTotal, known.currency()))
	}
	cart, err = s.store.Put(ctx, ref, cart.StoreID, line, etag)
	if err != nil {
		return Priced{}, fmt.Errorf("put into the cart: %w", err)
	}
	if known.covers(cart) {
		return price(cart, known)
	}
	return s.priced(ctx, cart) // another request has put something in meanwhile
}

// Delete takes a product out. Errors: CART_NOT_FOUND, ITEM_NOT_FOUND, ETAG_MISMATCH, UNAVAILABLE.
func (s *Service) Delete(ctx context.Context, ref Ref, productID, etag string) (Priced, error) {
	cart, err := s.store.Delete(ctx, ref, productID, etag)
	if err != nil {
		return Priced{}, fmt.Errorf("delete from the cart: %w", err)
	}
	return s.priced(ctx, cart)
}

// Merge takes a guest cart into a shopper's, and answers that. Asked again it answers the shopper's cart as it is.
// Errors: CART_NOT_FOUND, UNAVAILABLE.
func (s *Service) Merge(ctx context.Context, guestID, userID string) (Priced, error) {
	cart, err := s.store.Merge(ctx, guestID, userID)
	telemetry.CartMerges.Add(ctx, 1, outcomeOf(err))
	if err != nil {
		return Priced{}, fmt.Errorf("merge carts: %w", err)
	}
	return s.priced(ctx, cart)
}

// outcomeOf is a merge's: what is refused is the caller's fault.
func outcomeOf(err error) string {
	if err != nil && fault.From(err).Reason().HTTP < 500 {
		return telemetry.Refused
	}
	return telemetry.OutcomeOf(err)
}

// Forget deletes the cart of a shopper who has deleted their account.
func (s *Service) Forget(ctx context.Context, userID string) error {
	if err := s.store.Forget(ctx, userID); err != nil {
		return fmt.Errorf("forget the cart: %w", err)
	}
	return nil
}

// Clear empties a cart that was bought. One that has changed since, or is gone, stays as it is, and that is no error: so it
// may be told twice and late. Errors: UNAVAILABLE.
func (s *Service) Clear(ctx context.Context, id, etag string) error {
	if err := s.store.Clear(ctx, id, etag); err != nil {
		return fmt.Errorf("clear the cart: %w", err)
	}
	return nil
}

func (s *Service) priced(ctx context.Context, cart Cart) (Priced, error) {
	known, err := s.sold(ctx, cart.StoreID, cart.Lines)
	if err != nil {
		return Priced{}, err
	}
	return price(cart, known)
}

// sold asks for a store and its offers of the lines' products.
func (s *Service) sold(ctx context.Context, storeID string, lines []Line) (catalogue, error) {
	ids := make([]string, 0, len(lines))
	for _, line := range lines {
		ids = append(ids, line.ProductID)
	}
	answer, err := s.offers.BatchGetOffers(ctx, &productpb.BatchGetOffersRequest{StoreId: storeID, ProductIds: ids})
	if fault.Is(err, fault.StoreNotFound) {
		return catalogue{}, fault.StoreNotFound.New("there is no such store").WithMetadata("store_id", storeID)
	}
	if err != nil {
		return catalogue{}, fmt.Errorf("get offers of %s: %w", storeID, err)
	}
	known := catalogue{store: answer.GetStore(), offers: make(map[string]*productpb.Offer, len(answer.GetOffers()))}
	for _, offer := range answer.GetOffers() {
		known.offers[offer.GetProductId()] = offer
	}
	return known, nil
}

// ErrNotFound is CART_NOT_FOUND; it is the same for a cart that isn't there and for one of another shopper.
func ErrNotFound() error { return fault.CartNotFound.New("there is no such cart") }

// ErrEtag is ETAG_MISMATCH.
func ErrEtag() error { return fault.EtagMismatch.New("the cart has changed since it was read") }

// ErrFull is CART_FULL.
func ErrFull() error { return fault.CartFull.New("a cart holds at most %d lines", MaxLines) }

// ErrNoItem is ITEM_NOT_FOUND.
func ErrNoItem(productID string) error {
	return fault.ItemNotFound.New("the product is not in the cart").WithMetadata("product_id", productID)
}

// ErrAway is UNAVAILABLE: carts can't be reached; nothing is known to have happened.
func ErrAway(cause error) error {
	return fault.Unavailable.New("carts are unavailable, try again").WithRetryAfter(time.Second).WithCause(cause)
}

// tooLarge tells whether the lines together cost more than an order may.
func tooLarge(err error) bool {
	return errors.Is(err, pricing.ErrTooLarge) || errors.Is(err, money.ErrOverflow)
}
