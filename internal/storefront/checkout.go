package storefront

import (
	"cmp"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	cartpb "larder.dev/api/cart/v1"
	checkoutpb "larder.dev/api/checkout/v1"
	"larder.dev/api/client"
	productpb "larder.dev/api/product/v1"
	stockpb "larder.dev/api/stock/v1"
	typepb "larder.dev/api/type/v1"
	userpb "larder.dev/api/user/v1"
	"larder.dev/internal/web"
)

// A checkout is one form. It holds the Idempotency-Key of the intention that it shows, and the total that the shopper sees: sent twice, by a
// double click or after a connection broke, it is one order. A refusal is final for its key, so the form that comes back with it has a new
// one, and today's total: sending it is agreeing to that. Where the API's answer is unknown the key stays, and sending again asks for the same.

// card is a payment method that can be chosen.
type card struct{ Token, Name, Note string }

// testCards are the provider's (https://docs.stripe.com/testing).
var testCards = []card{
	{"pm_card_visa", "Visa •••• 4242", "is accepted"},
	{"pm_card_mastercard", "Mastercard •••• 4444", "is accepted"},
	{"pm_card_threeDSecure2Required", "Visa •••• 3220", "asks you to confirm with your bank"},
	{"pm_card_chargeDeclinedInsufficientFunds", "Visa •••• 9995", "is declined: too little money"},
	{"pm_card_chargeDeclined", "Visa •••• 0002", "is declined"},
}

// till is the page of a checkout.
type till struct {
	Basket    basket
	Store     *productpb.Store
	Addresses []*userpb.SavedAddress
	Days      []slotDay
	Cards     []card
	Key       string

	// What was chosen and typed.
	Address string // a saved address's id, or "new"
	Typed   *typepb.Address
	Save    bool
	Slot    string
	Card    string

	Trouble *web.Trouble
	// Short is what was refused, by product.
	Short map[string]string
	// Changed is the total that was agreed to, where today's differs.
	Changed *typepb.Money
	// Elsewhere are stores that deliver to the address, where this one doesn't.
	Elsewhere []*productpb.Store
}

type slotDay struct {
	Day   *stockpb.DeliverySlot // the day's first, for its name
	Slots []*stockpb.DeliverySlot
}

func (s *Storefront) showCheckout(w http.ResponseWriter, r *http.Request) error {
	t := till{Key: uuid.NewString(), Typed: &typepb.Address{Postcode: s.visit(r).Postcode}}
	if person := web.PersonOf(r.Context()); person != nil {
		t.Typed.Recipient = person.Name
	}
	return s.till(w, r, http.StatusOK, t)
}

// till shows the page, with what is in the cart now.
func (s *Storefront) till(w http.ResponseWriter, r *http.Request, status int, t till) error {
	var cart *cartpb.Cart
	group, ctx := errgroup.WithContext(r.Context())
	group.Go(func() (err error) {
		cart, err = s.cart(r.WithContext(ctx))
		return err
	})
	group.Go(func() error {
		list, err := s.API.ListAddresses(ctx, &userpb.ListAddressesRequest{})
		t.Addresses = list.GetAddresses()
		return err
	})
	if err := group.Wait(); err != nil {
		return err
	}
	r, err := s.count(w, r, cart)
	if err != nil {
		return err
	}
	t.Basket = s.lay(r.Context(), cart)
	if len(cart.GetItems()) == 0 || t.Basket.Blocked || cart.GetTotals() == nil {
		t.Basket.Trouble = t.Trouble
		return s.basketPage(w, r, status, t.Basket)
	}
	stores, err := s.stores.Get(r.Context())
	if err != nil {
		return err
	}
	t.Store = storeOf(stores, cart.GetStoreId())
	slots, err := s.API.ListSlots(r.Context(), &stockpb.ListSlotsRequest{StoreId: t.Store.GetStoreId(), PageSize: 60})
	if err != nil {
		return err
	}
	t.Days = byDay(slots.GetSlots())
	if s.config.TestCards {
		t.Cards = testCards
		t.Card = cmp.Or(t.Card, testCards[0].Token)
	}
	if t.Address == "" {
		t.Address = "new"
		for _, saved := range t.Addresses {
			if delivers(t.Store, saved.GetAddress().GetPostcode()) {
				t.Address = saved.GetAddressId()
				break
			}
		}
	}
	return s.Render(w, r, status, "checkout", t)
}

// byDay are the slots that can still be booked.
func byDay(slots []*stockpb.DeliverySlot) []slotDay {
	var days []slotDay
	for _, slot := range slots {
		start := slot.GetSlot().GetStartTime().AsTime()
		if slot.GetAvailable() < 1 || start.Before(time.Now()) {
			continue
		}
		if n := len(days); n > 0 && days[n-1].Day.GetSlot().GetStartTime().AsTime().YearDay() == start.YearDay() {
			days[n-1].Slots = append(days[n-1].Slots, slot)
			continue
		}
		days = append(days, slotDay{Day: slot, Slots: []*stockpb.DeliverySlot{slot}})
	}
	return days
}

// checkOut buys what the form says. It doesn't look at the cart first: a form that is sent again after it was answered finds the cart empty,
// and its order by the key.
func (s *Storefront) checkOut(w http.ResponseWriter, r *http.Request) error {
	t := till{
		Key: r.FormValue("key"), Address: r.FormValue("address"), Typed: typedAddress(r), Save: r.FormValue("save") != "",
		Slot: r.FormValue("slot"), Card: r.FormValue("card"),
	}
	total, err := strconv.ParseInt(r.FormValue("total"), 10, 64)
	if err != nil || uuid.Validate(t.Key) != nil {
		return &web.Trouble{Status: http.StatusBadRequest, Title: "This form isn't whole", Text: "Please open the checkout again from your basket."}
	}
	address := t.Typed
	if t.Address != "new" && t.Address != "" {
		saved, err := s.API.GetAddress(r.Context(), &userpb.GetAddressRequest{AddressId: t.Address})
		if err != nil {
			return s.refused(w, r, t, err)
		}
		address = saved.GetAddress()
	}
	stores, err := s.stores.Get(r.Context())
	if err != nil {
		return err
	}
	store := storeOf(stores, r.FormValue("store"))
	if address.GetPostcode() != "" && !delivers(store, address.GetPostcode()) {
		for _, other := range stores {
			if delivers(other, address.GetPostcode()) {
				t.Elsewhere = append(t.Elsewhere, other)
			}
		}
		return s.refused(w, r, t, &web.Trouble{
			Status: http.StatusConflict, Title: store.GetName() + " doesn't deliver to " + address.GetPostcode(),
			Text: "Please choose another address, or a store that goes there.",
		})
	}
	agreed := &typepb.Money{Currency: r.FormValue("currency"), MinorUnits: total}
	answer, err := s.API.CreateCheckout(r.Context(), &checkoutpb.CreateCheckoutRequest{
		CartId: "me", StoreId: r.FormValue("store"), Address: address, PaymentMethod: t.Card, ExpectedTotal: agreed, DeliverySlotId: t.Slot,
	}, client.WithIdempotencyKey(t.Key))
	if err != nil {
		return s.refused(w, r, t, err)
	}
	if t.Save && t.Address == "new" {
		// The order stands. An address that isn't kept can be typed again.
		_, _ = s.API.CreateAddress(r.Context(), &userpb.CreateAddressRequest{Address: address})
	}
	return s.goOn(w, r, answer)
}

// goOn leads to where a checkout stands.
func (s *Storefront) goOn(w http.ResponseWriter, r *http.Request, c *checkoutpb.Checkout) error {
	if c.GetState() == checkoutpb.Checkout_CONFIRMED {
		r, err := s.count(w, r, nil)
		if err != nil {
			return err
		}
		http.Redirect(w, r, "/orders/"+c.GetCheckoutId()+"?thanks=1", http.StatusSeeOther)
		return nil
	}
	http.Redirect(w, r, "/checkouts/"+c.GetCheckoutId(), http.StatusSeeOther)
	return nil
}

// showProgress is where a shopper waits for the payment, and where the bank sends them back to.
func (s *Storefront) showProgress(w http.ResponseWriter, r *http.Request) error {
	c, err := s.API.GetCheckout(r.Context(), &checkoutpb.GetCheckoutRequest{CheckoutId: r.PathValue("checkout")})
	if err != nil {
		return err
	}
	if c.GetState() == checkoutpb.Checkout_CONFIRMED {
		return s.goOn(w, r, c)
	}
	shown := struct {
		Checkout *checkoutpb.Checkout
		Failure  string
	}{Checkout: c}
	switch c.GetState() {
	case checkoutpb.Checkout_PROCESSING, checkoutpb.Checkout_STATE_UNSPECIFIED:
		w.Header().Set("Refresh", "2") // seconds; without a script too
	case checkoutpb.Checkout_FAILED:
		shown.Failure = declined("")
		for _, detail := range c.GetFailure().GetDetails() {
			if message, err := detail.UnmarshalNew(); err == nil {
				if payment, ok := message.(*checkoutpb.PaymentDeclined); ok {
					shown.Failure = declined(payment.GetClass())
				}
			}
		}
	}
	return s.Render(w, r, http.StatusOK, "progress", shown)
}

// refused shows the form again with what stands against it.
func (s *Storefront) refused(w http.ResponseWriter, r *http.Request, t till, err error) error {
	t.Trouble = web.Explain(err)
	reason := t.Trouble.Reason
	if unknown := t.Trouble.Status >= http.StatusInternalServerError; !unknown && reason != "RATE_LIMITED" && reason != "OVERLOADED" {
		t.Key = uuid.NewString()
	}
	if reason == "UNAUTHENTICATED" || reason == "TOKEN_EXPIRED" {
		return err
	}
	for _, message := range details(err) {
		switch detail := message.(type) {
		case *checkoutpb.PriceChanged:
			t.Changed = detail.GetExpectedTotal()
		case *checkoutpb.OutOfStock:
			for _, shortage := range detail.GetShortages() {
				t.short(shortage.GetProductId(), left(shortage.GetAvailable()))
			}
		case *checkoutpb.LimitExceeded:
			for _, limit := range detail.GetLimits() {
				t.short(limit.GetProductId(), "You may buy "+strconv.FormatInt(limit.GetAvailable(), 10)+" more today")
			}
		case *checkoutpb.SlotUnavailable:
			t.Slot = ""
		case *checkoutpb.PaymentDeclined:
			t.Trouble.Text = declined(detail.GetClass())
		}
	}
	return s.till(w, r, t.Trouble.Status, t)
}

func (t *till) short(product, words string) {
	if t.Short == nil {
		t.Short = map[string]string{}
	}
	t.Short[product] = words
}

func left(n int64) string {
	if n <= 0 {
		return "Sold out"
	}
	return "Only " + strconv.FormatInt(n, 10) + " left"
}

// declined says why, as far as a bank tells.
func declined(class string) string {
	why := map[string]string{
		"INSUFFICIENT_FUNDS": "There isn't enough money on it.", "EXPIRED_CARD": "It has expired.", "INCORRECT_DETAILS": "Its details aren't right.",
		"AUTHENTICATION_FAILED": "It wasn't confirmed with your bank.",
	}[class]
	return cmp.Or(why, "Your bank doesn't say why.") + " Nothing was charged. Please use another card."
}

// details are a refusal's messages, as far as we know them.
func details(err error) []proto.Message {
	refusal := new(client.Error)
	if !errors.As(err, &refusal) {
		return nil
	}
	var known []proto.Message
	for _, text := range refusal.Details {
		packed := new(anypb.Any)
		if (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(text, packed) != nil {
			continue // of a type that this release doesn't know
		}
		if message, err := packed.UnmarshalNew(); err == nil {
			known = append(known, message)
		}
	}
	return slices.Clip(known)
}
