package cart_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc"

	productpb "larder.dev/api/product/v1"
	"larder.dev/internal/cart"
	cartredis "larder.dev/internal/cart/redis"
	"larder.dev/internal/fault"
	"larder.dev/internal/money"
)

// shelf is a product service of two stores: soho sells all, camden no tea. Delivery costs 399 below 4000.
type shelf struct {
	mu     sync.Mutex
	offers map[string]*productpb.Offer
	away   error
}

func newShelf() *shelf {
	s := &shelf{offers: map[string]*productpb.Offer{}}
	s.set("milk", 125, 0)
	s.set("tea", 350, 0)
	s.set("wine", 1200, 2000)
	s.set("caviar", 9_000_00, 2000)
	s.offers["milk"].MaxPerShopper = 2
	s.set("ghost", 100, 0)
	s.offers["ghost"].Sold = false
	return s
}

func (s *shelf) set(product string, price int64, tax int32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.offers[product] = &productpb.Offer{
		ProductId: product, Name: "The " + product, Size: "1 piece", ImageUri: "/images/" + product + ".svg",
		Price: money.Of(price, "GBP").Proto(), TaxRateBps: tax, Sold: true, Available: product != "wine",
	}
}

func (s *shelf) stock(product string, available bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.offers[product].Available = available
}

func (s *shelf) remove(product string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.offers, product)
}

func (s *shelf) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.away = err
}

func (s *shelf) BatchGetOffers(_ context.Context, in *productpb.BatchGetOffersRequest, _ ...grpc.CallOption) (*productpb.BatchGetOffersResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.away != nil {
		return nil, s.away
	}
	if in.StoreId != "soho" && in.StoreId != "camden" {
		return nil, fault.ToStatus(fault.StoreNotFound.New("there is no such store"))
	}
	answer := &productpb.BatchGetOffersResponse{Store: &productpb.Store{
		StoreId: in.StoreId, Name: in.StoreId, Currency: "GBP",
		DeliveryFee: money.Of(399, "GBP").Proto(), FreeDeliveryFrom: money.Of(4000, "GBP").Proto(),
	}}
	for _, id := range in.ProductIds {
		if offer, ok := s.offers[id]; ok {
			sold := offer.Sold && (in.StoreId == "soho" || id != "tea")
			answer.Offers = append(answer.Offers, &productpb.Offer{
				ProductId: offer.ProductId, Name: offer.Name, Size: offer.Size, ImageUri: offer.ImageUri,
				Price: offer.Price, TaxRateBps: offer.TaxRateBps, Sold: sold, Available: offer.Available, MaxPerShopper: offer.MaxPerShopper,
			})
		}
	}
	return answer, nil
}

func store(t *testing.T) *cartredis.Store {
	t.Helper()
	address := os.Getenv("CART_REDIS_ADDR")
	if address == "" {
		t.Fatal("CART_REDIS_ADDR is not set: run the tests by `make test`, which starts Redis")
	}
	client, err := cartredis.Open(address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return cartredis.New(client, time.Now)
}

// room opens a service and a cart for soho.
func room(t *testing.T) (*cart.Service, *shelf, cart.Ref) {
	t.Helper()
	offers, id := newShelf(), cart.Of(uuid.NewString())
	service := cart.New(store(t), offers)
	if _, err := service.Open(t.Context(), id, "soho"); err != nil {
		t.Fatal(err)
	}
	return service, offers, id
}

func put(t *testing.T, s *cart.Service, id cart.Ref, product string, quantity int64) cart.Priced {
	t.Helper()
	c, err := s.Put(t.Context(), id, product, quantity, nil, "")
	if err != nil {
		t.Fatalf("put %d %s: %v", quantity, product, err)
	}
	return c
}

func refused(t *testing.T, what string, err error, want fault.Reason) {
	t.Helper()
	if !fault.Is(err, want) {
		t.Errorf("%s: got %v, want %s", what, err, want.Name)
	}
}

func TestTotalsAddUp(t *testing.T) {
	service, _, id := room(t)
	put(t, service, id, "milk", 3)
	put(t, service, id, "tea", 2)
	c := put(t, service, id, "wine", 1)
	totals := c.Totals
	if totals.Lines.Minor != 3*125+2*350+1200 || totals.DeliveryFee.Minor != 399 || totals.Total.Minor != 2674 {
		t.Errorf("totals are %+v", totals)
	}
	// Wine and fee are taxed at 20 %: 1599 / 6 = 266.5.
	if totals.Tax.Minor != 267 || len(totals.Taxes) != 2 {
		t.Errorf("taxes are %+v", totals.Taxes)
	}
	for i, want := range []struct {
		product   string
		total     int64
		available bool
	}{{"milk", 375, true}, {"tea", 700, true}, {"wine", 1200, false}} {
		item := c.Items[i]
		if item.ProductID != want.product || item.LineTotal.Minor != want.total || !item.Sold || item.Available != want.available || item.PreviousUnitPrice != nil {
			t.Errorf("item %d is %+v, want %+v", i, item, want)
		}
	}
	if c = put(t, service, id, "wine", 3); c.Totals.DeliveryFee.Minor != 0 || c.Totals.Total.Minor != 3*125+2*350+3600 {
		t.Errorf("from 40.00 delivery is free, but totals are %+v", c.Totals)
	}
	for _, product := range []string{"milk", "tea", "wine"} {
		var err error
		if c, err = service.Delete(t.Context(), id, product, ""); err != nil {
			t.Fatal(err)
		}
	}
	if c.Totals.Total.Minor != 0 || len(c.Items) != 0 {
		t.Errorf("an empty cart costs %s", c.Totals.Total)
	}
}

func TestReadingRefreshes(t *testing.T) {
	service, offers, id := room(t)
	put(t, service, id, "milk", 2)
	put(t, service, id, "tea", 1)
	before := put(t, service, id, "wine", 1)

	if i := slices.IndexFunc(before.Items, func(i cart.Item) bool { return len(i.Changes) > 0 }); i >= 0 {
		t.Errorf("just put in, %s has changed: %v", before.Items[i].ProductID, before.Items[i].Changes)
	}
	offers.set("milk", 130, 0)
	offers.remove("wine")
	c, err := service.Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if c.Etag != before.Etag {
		t.Error("reading changed the etag")
	}
	milk, wine := c.Items[0], c.Items[2]
	if milk.UnitPrice.Minor != 130 || milk.LineTotal.Minor != 260 || milk.PreviousUnitPrice == nil || milk.PreviousUnitPrice.Minor != 125 {
		t.Errorf("milk is %+v", milk)
	}
	if wine.Sold || wine.Available || wine.UnitPrice != nil || wine.LineTotal != nil || wine.Name != "The wine" || wine.PreviousUnitPrice.Minor != 1200 {
		t.Errorf("wine, which is gone, is %+v", wine)
	}
	if !slices.Equal(milk.Changes, []cart.Change{cart.PriceChanged}) || !slices.Equal(wine.Changes, []cart.Change{cart.NotSold}) {
		t.Errorf("milk has changed %v, wine %v", milk.Changes, wine.Changes)
	}
	if c.Totals.Lines.Minor != 260+350 {
		t.Errorf("totals over what is sold are %+v", c.Totals)
	}

	c, err = service.Open(t.Context(), id, "camden")
	if err != nil {
		t.Fatal(err)
	}
	if tea := c.Items[1]; c.StoreID != "camden" || tea.Sold || tea.Available || c.Totals.Lines.Minor != 260 {
		t.Errorf("in camden, which has no tea, the cart is %+v", c)
	}
	if c = put(t, service, id, "milk", 3); c.Items[0].PreviousUnitPrice != nil {
		t.Error("put in at today's price, milk still has a previous one")
	}
}

// What has sold out or come back since it was put in is marked, until it is put in again.
func TestStockChangesAreMarked(t *testing.T) {
	service, offers, id := room(t)
	put(t, service, id, "milk", 2)
	put(t, service, id, "wine", 1) // sold out, as the shelf tells
	marked := func(when, want string) {
		t.Helper()
		c, err := service.Get(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		got := fmt.Sprint(c.Items[0].Changes, c.Items[1].Changes)
		if got != want {
			t.Errorf("%s: marked %s, want %s", when, got, want)
		}
	}
	marked("at first", "[] []")
	offers.stock("milk", false)
	offers.stock("wine", true)
	marked("turned round", "[SOLD_OUT] [AVAILABLE_AGAIN]")
	offers.set("milk", 130, 0)
	offers.stock("milk", false)
	marked("dearer, too", "[PRICE SOLD_OUT] [AVAILABLE_AGAIN]")
	put(t, service, id, "milk", 2)
	put(t, service, id, "wine", 1)
	marked("put in again", "[] []")
}

func TestRefusals(t *testing.T) {
	service, offers, id := room(t)
	ctx := t.Context()
	c := put(t, service, id, "milk", 1)

	_, err := service.Open(ctx, id, "atlantis")
	refused(t, "open for an unknown store", err, fault.StoreNotFound)
	_, err = service.Put(ctx, id, "unicorn", 1, nil, "")
	refused(t, "put an unknown product", err, fault.ProductNotFound)
	_, err = service.Put(ctx, id, "ghost", 1, nil, "")
	refused(t, "put what the store doesn't sell", err, fault.ProductNotSold)
	_, err = service.Put(ctx, id, "tea", 1, nil, "other")
	refused(t, "put with another etag", err, fault.EtagMismatch)
	_, err = service.Delete(ctx, id, "milk", "other")
	refused(t, "delete with another etag", err, fault.EtagMismatch)
	_, err = service.Delete(ctx, id, "tea", c.Etag)
	refused(t, "delete what isn't there", err, fault.ItemNotFound)
	_, err = service.Get(ctx, cart.Of(uuid.NewString()))
	refused(t, "get an unknown cart", err, fault.CartNotFound)
	_, err = service.Put(ctx, cart.Of(uuid.NewString()), "milk", 1, nil, "")
	refused(t, "put into an unknown cart", err, fault.CartNotFound)

	after, err := service.Get(ctx, id)
	if err != nil || after.Etag != c.Etag {
		t.Errorf("refusals changed the cart to %+v, %v", after, err)
	}

	offers.fail(context.DeadlineExceeded)
	_, err = service.Get(ctx, id)
	refused(t, "get while product is slow", fault.From(err), fault.DeadlineExceeded)
}

// A cart can't be filled beyond what an order may cost. One that grew beyond by a change of prices can still be read, and
// emptied.
func TestTooLarge(t *testing.T) {
	service, offers, id := room(t)
	ctx := t.Context()
	put(t, service, id, "caviar", 99) // 891,000.00
	_, err := service.Put(ctx, id, "wine", 99, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	offers.set("truffle", 2_000_00, 0)
	_, err = service.Put(ctx, id, "truffle", 60, nil, "")
	refused(t, "put beyond the largest total", err, fault.CartTooLarge)

	offers.set("wine", 1_000_000_00, 2000)
	c, err := service.Get(ctx, id)
	if err != nil || c.Totals != nil || len(c.Items) != 2 || c.Items[1].LineTotal.Minor != 99*1_000_000_00 {
		t.Errorf("a cart too large is %+v, %v", c, err)
	}
	if c, err = service.Put(ctx, id, "wine", 98, nil, ""); err != nil || c.Items[1].Quantity != 98 {
		t.Errorf("less of it: %+v, %v", c, err)
	}
	_, err = service.Put(ctx, id, "wine", 99, nil, "")
	refused(t, "more of it", err, fault.CartTooLarge)
	offers.set("wine", 1<<62, 2000)
	if c, err = service.Get(ctx, id); err != nil || c.Items[1].LineTotal != nil {
		t.Errorf("at an absurd price: %+v, %v", c, err)
	}
	if c, err = service.Delete(ctx, id, "wine", ""); err != nil || c.Totals == nil {
		t.Errorf("without it: %+v, %v", c, err)
	}
}

// A forgotten shopper's cart is gone, told twice or late; a guest's of that id is none of theirs.
func TestForget(t *testing.T) {
	service, _, id := room(t)
	put(t, service, id, "milk", 1)
	if err := service.Forget(t.Context(), cart.GuestRef(uuid.NewString()).ID); err != nil {
		t.Fatal(err)
	}
	if _, err := service.Get(t.Context(), id); err != nil {
		t.Errorf("another's was forgotten: %v", err)
	}
	guest, err := service.OpenGuest(t.Context(), "soho")
	if err != nil {
		t.Fatal(err)
	}
	for _, forgotten := range []string{id.ID, id.ID, guest.ID} {
		if err := service.Forget(t.Context(), forgotten); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := service.Get(t.Context(), id); !fault.Is(err, fault.CartNotFound) {
		t.Errorf("the forgotten cart: %v", err)
	}
	if _, err := service.Get(t.Context(), cart.GuestRef(guest.ID)); err != nil {
		t.Errorf("the guest's cart: %v", err)
	}
}

func TestClear(t *testing.T) {
	service, _, id := room(t)
	ctx := t.Context()
	bought := put(t, service, id, "milk", 1)
	changed := put(t, service, id, "tea", 1)
	if err := service.Clear(ctx, id.ID, bought.Etag); err != nil {
		t.Fatal(err)
	}
	if c, err := service.Get(ctx, id); err != nil || len(c.Items) != 2 {
		t.Errorf("a cart that changed after it was bought is %+v, %v", c, err)
	}
	for range 2 { // told twice
		if err := service.Clear(ctx, id.ID, changed.Etag); err != nil {
			t.Fatal(err)
		}
	}
	if c, err := service.Get(ctx, id); err != nil || len(c.Items) != 0 || c.StoreID != "soho" {
		t.Errorf("a cleared cart is %+v, %v", c, err)
	}
	put(t, service, id, "milk", 2)
	if err := service.Clear(ctx, id.ID, changed.Etag); err != nil {
		t.Fatal(err)
	}
	if c, err := service.Get(ctx, id); err != nil || len(c.Items) != 1 {
		t.Errorf("told late, a clear left %+v, %v", c, err)
	}
}
