package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"
)

// pack packs an order that is being picked, with lines that were picked otherwise than ordered.
func (d *demo) pack(ctx context.Context, id string, lines ...any) (answer, error) {
	if err := d.move(ctx, id, "pick", "PICKING"); err != nil {
		return answer{}, err
	}
	packed, err := d.must(ctx, 200, "POST", "/v1/orders/"+id+":pack", d.operator, map[string]any{"lines": lines})
	if err == nil && packed.text("state") != "PACKED" {
		err = errors.New(packed.String())
	}
	return packed, err
}

// capturedAt waits until exactly an amount was captured, by our books and in the provider's own list, of what was authorised.
func (d *demo) capturedAt(ctx context.Context, id string, want int64) (authorised int64, err error) {
	payment, _, err := d.payment(ctx, id, "CAPTURED")
	if err != nil {
		return 0, err
	}
	intents, err := d.intents(ctx, id)
	if err != nil {
		return 0, err
	}
	if len(intents) != 1 || number(at(intents[0], "amount_received")) != want || payment.minor("captured") != want {
		return 0, fmt.Errorf("want %d captured: %s; the provider has %v", want, payment, intents)
	}
	return number(at(intents[0], "amount")), nil
}

// shortPick orders three, of which two are there.
func shortPick(ctx context.Context, d *demo) (string, error) {
	s, err := d.newShopper(ctx, "short")
	if err != nil {
		return "", err
	}
	before, err := d.available(ctx, d.goods)
	if err != nil {
		return "", err
	}
	order, err := d.buy(ctx, s, map[string]int{d.goods: 3})
	if err != nil {
		return "", err
	}
	id := order.text("order_id")
	packed, err := d.pack(ctx, id, map[string]any{"product_id": d.goods, "quantity": 2})
	if err != nil {
		return "", err
	}
	back, err := d.becomesAvailable(ctx, d.goods, before-2)
	if err != nil {
		return "", err
	}
	want := order.minor("totals.total") - 180
	authorised, err := d.capturedAt(ctx, id, want)
	if err != nil || packed.minor("receipt.totals.total") != want {
		return "", errors.Join(fmt.Errorf("want a receipt of %d: %s", want, packed), err)
	}
	mail, err := d.mail(ctx, s.email, "What we picked")
	return fmt.Sprintf("%d of %d pence captured, one on sale again after %d ms, mail %q", want, authorised, back.Milliseconds(), mail.text("subject")), err
}

// substitution gives a dearer product at the price of the one that is missing, since its shopper takes another.
func substitution(ctx context.Context, d *demo) (string, error) {
	s, err := d.newShopper(ctx, "flexible")
	if err != nil {
		return "", err
	}
	dearer, err := d.newProduct(ctx, "nashi", 230, map[string]int{store: 5})
	if err != nil {
		return "", err
	}
	cart, err := d.must(ctx, 200, "PUT", "/v1/carts/me/items/"+d.goods, s.token, map[string]any{"quantity": 2, "substitutable": true})
	if err != nil {
		return "", err
	}
	order, err := d.order200(ctx, s, basket(cart.at("totals.total")), uuid.NewString())
	if err != nil {
		return "", err
	}
	id := order.text("order_id")
	packed, err := d.pack(ctx, id, map[string]any{
		"product_id": d.goods, "quantity": 1, "substitutes": []any{map[string]any{"product_id": dearer, "quantity": 1}},
	})
	if err != nil {
		return "", err
	}
	if packed.text("receipt.lines.1.substitute_for") != d.goods || packed.minor("receipt.totals.discounts") != 50 {
		return "", errors.New(packed.String())
	}
	if _, err := d.becomesAvailable(ctx, dearer, 4); err != nil {
		return "", err
	}
	if _, err := d.capturedAt(ctx, id, order.minor("totals.total")); err != nil {
		return "", err
	}
	return fmt.Sprintf("one of 230 pence in the place of one of 180, 50 off: %d pence captured, as agreed; 4 of 5 are left of it", order.minor("totals.total")), nil
}

// weighedGoods sells something by weight.
func weighedGoods(ctx context.Context, d *demo) (string, error) {
	s, err := d.newShopper(ctx, "weighing")
	if err != nil {
		return "", err
	}
	loose, err := d.newProduct(ctx, "medlars", 200, map[string]int{store: 9})
	if err != nil {
		return "", err
	}
	if _, err := d.must(ctx, 200, "PATCH", "/v1/products/"+loose, d.merchandiser, map[string]any{"piece_grams": 500}); err != nil {
		return "", err
	}
	order, err := d.buy(ctx, s, map[string]int{loose: 3})
	if err != nil {
		return "", err
	}
	id := order.text("order_id")
	if err := d.move(ctx, id, "pick", "PICKING"); err != nil {
		return "", err
	}
	weighed := func(grams int) map[string]any {
		return map[string]any{"lines": []any{map[string]any{"product_id": loose, "quantity": 3, "grams": grams}}}
	}
	heavy, err := d.call(ctx, "POST", "/v1/orders/"+id+":pack", d.operator, weighed(1900))
	if err == nil {
		err = heavy.refused(400, "INVALID_ARGUMENT")
	}
	if err != nil {
		return "", err
	}
	if _, err := d.must(ctx, 200, "POST", "/v1/orders/"+id+":pack", d.operator, weighed(1625)); err != nil {
		return "", err
	}
	want := order.minor("totals.total") + 50 // 1,625 g at 200 pence for 500 g are 650, not 600
	authorised, err := d.capturedAt(ctx, id, want)
	if err == nil && authorised != order.minor("totals.total")+120 {
		err = fmt.Errorf("authorised were %d pence of an order of %d", authorised, order.minor("totals.total"))
	}
	return fmt.Sprintf("ordered for %d pence, authorised %d, 1900 g refused, captured %d for 1625 g", order.minor("totals.total"), authorised, want), err
}

// failedCapture ends an authorisation at the provider before the order is packed.
func failedCapture(ctx context.Context, d *demo) (string, error) {
	s, err := d.newShopper(ctx, "expired")
	if err != nil {
		return "", err
	}
	before, err := d.available(ctx, d.goods)
	if err != nil {
		return "", err
	}
	order, err := d.buy(ctx, s, map[string]int{d.goods: 1})
	if err != nil {
		return "", err
	}
	id := order.text("order_id")
	payment, err := d.must(ctx, 200, "GET", "/v1/orders/"+id+"/payment", d.operator, nil)
	if err != nil {
		return "", err
	}
	if err := d.endAuthorisation(ctx, payment.text("intent_id")); err != nil {
		return "", err
	}
	if _, err := d.pack(ctx, id); err != nil {
		return "", err
	}
	_, took, err := d.payment(ctx, id, "CAPTURE_FAILED")
	if err != nil {
		return "", err
	}
	early, err := d.call(ctx, "POST", "/v1/orders/"+id+":dispatch", d.operator, map[string]any{})
	if err == nil {
		err = early.refused(409, "ORDER_STATE_CONFLICT")
	}
	if err != nil {
		return "", err
	}
	if _, err := d.must(ctx, 200, "POST", "/v1/orders/"+id+":cancel", d.operator, map[string]any{"reason": "can't be paid"}); err != nil {
		return "", err
	}
	if _, _, err := d.payment(ctx, id, "VOIDED"); err != nil {
		return "", err
	}
	if _, err := d.becomesAvailable(ctx, d.goods, before); err != nil {
		return "", err
	}
	return fmt.Sprintf("CAPTURE_FAILED %d ms after it was packed; dispatch: 409; cancelled by the operator: VOIDED, stock back", took.Milliseconds()), nil
}

// endAuthorisation cancels an intent at the provider, past the platform, as its expiry would.
func (d *demo) endAuthorisation(ctx context.Context, intent string) error {
	a, err := d.atProvider(ctx, "/v1/payment_intents/"+intent+"/cancel", nil)
	if err == nil && a.text("status") != "canceled" {
		err = errors.New(a.String())
	}
	return err
}

// atProvider does something at the provider, past the platform, as somebody at its desk may.
func (d *demo) atProvider(ctx context.Context, path string, form url.Values) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, d.config.ProviderURL+path, strings.NewReader(form.Encode()))
	if err != nil {
		return answer{}, err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.SetBasicAuth(d.config.ProviderKey, "")
	a, err := d.send(request)
	if err == nil && a.status != http.StatusOK {
		err = errors.New(a.String())
	}
	return a, err
}
