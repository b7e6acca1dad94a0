package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
)

// shopper is a person of this run, with a cart for one store.
type shopper struct {
	email, token, id string
}

// newShopper registers a person and opens their cart.
func (d *demo) newShopper(ctx context.Context, name string) (shopper, error) {
	account := map[string]any{"email": d.word + "-" + name + "@shopper.example", "password": "correct-horse-" + d.word, "display_name": name}
	user, err := d.must(ctx, 200, "POST", "/v1/users", "", account)
	if err != nil {
		return shopper{}, err
	}
	delete(account, "display_name")
	session, err := d.must(ctx, 200, "POST", "/v1/sessions", "", account)
	if err != nil {
		return shopper{}, err
	}
	s := shopper{email: user.text("email"), token: session.text("access_token"), id: user.text("user_id")}
	_, err = d.must(ctx, 200, "POST", "/v1/carts", s.token, map[string]any{"store_id": store})
	return s, err
}

// newProduct puts a product on sale with a stock in each of some stores, and waits until search shows it.
func (d *demo) newProduct(ctx context.Context, name string, price int, stock map[string]int) (string, error) {
	id := d.word + "-" + name
	stores := make([]string, 0, len(stock))
	for store := range stock {
		stores = append(stores, store)
	}
	_, err := d.must(ctx, 200, "POST", "/v1/products", d.merchandiser, map[string]any{
		"product_id": id, "name": d.word + " " + name, "category_id": "fruit", "status": "ACTIVE", "tax_rate_bps": 2000,
		"price": pence(price), "cost": pence(price / 2), "store_ids": stores,
	})
	if err != nil {
		return "", err
	}
	d.made = append(d.made, id)
	for at, quantity := range stock {
		_, err := d.must(ctx, 200, "POST", "/v1/stores/"+at+"/stock:adjust", d.operator, map[string]any{
			"reason": "demo delivery", "adjustments": []any{map[string]any{"product_id": id, "quantity": quantity}},
		}, "Idempotency-Key", uuid.NewString())
		if err != nil {
			return "", err
		}
	}
	for at := range stock {
		if _, err := d.foundAvailable(ctx, at, id, name, true); err != nil {
			return "", err
		}
	}
	return id, nil
}

// withdraw takes the run's products out of the range again: whoever looks at the shop afterwards sees a grocer's goods only. Their orders and their
// stock's ledger stay.
func (d *demo) withdraw(ctx context.Context) error {
	for _, id := range d.made {
		if _, err := d.must(ctx, 200, "DELETE", "/v1/products/"+id, d.merchandiser, nil); err != nil {
			return fmt.Errorf("take %s out of the range: %w", id, err)
		}
	}
	return nil
}

// foundAvailable waits until search in a store shows a product of this run as available or not.
func (d *demo) foundAvailable(ctx context.Context, at, product, name string, available bool) (time.Duration, error) {
	return eventually(ctx, time.Minute, func() error {
		found, err := d.must(ctx, 200, "GET", "/v1/search?store="+at+"&q="+d.word+"+"+name, "", nil)
		if err != nil {
			return err
		}
		if found.text("hits.0.product_id") != product || found.at("hits.0.available") != available {
			return fmt.Errorf("search in %s, want available %t: %s", at, available, found)
		}
		return nil
	})
}

// put sets a line of a shopper's cart and returns the cart's total.
func (d *demo) put(ctx context.Context, s shopper, product string, quantity int) (total any, err error) {
	cart, err := d.must(ctx, 200, "PUT", "/v1/carts/me/items/"+product, s.token, map[string]any{"quantity": quantity})
	return cart.at("totals.total"), err
}

// basket is the body of a checkout of a shopper's cart.
func basket(total any) map[string]any {
	return map[string]any{"cart_id": "me", "store_id": store, "address": address, "payment_method": "pm_card_visa", "expected_total": total}
}

// buy puts products into a shopper's cart and buys it.
func (d *demo) buy(ctx context.Context, s shopper, lines map[string]int) (order answer, err error) {
	var total any
	for product, quantity := range lines {
		if total, err = d.put(ctx, s, product, quantity); err != nil {
			return answer{}, err
		}
	}
	return d.order200(ctx, s, basket(total), uuid.NewString())
}

// order200 checks out until the outcome is known, and wants an order.
func (d *demo) order200(ctx context.Context, s shopper, body map[string]any, key string) (order answer, err error) {
	_, err = eventually(ctx, 30*time.Second, func() error {
		done, err := d.call(ctx, "POST", "/v1/checkouts", s.token, body, "Idempotency-Key", key)
		if err == nil && (done.status != 200 || done.text("state") != "CONFIRMED") {
			err = errors.New(done.String())
		}
		order = answer{status: done.status, body: done.at("order")}
		return err
	})
	return order, err
}

// available is what may still be promised of a product in the first store.
func (d *demo) available(ctx context.Context, product string) (int64, error) {
	a, err := d.must(ctx, 200, "GET", "/v1/stores/"+store+"/stock/"+product, d.operator, nil)
	return number(a.at("available")), err
}

// becomesAvailable waits until a number of a product may be promised.
func (d *demo) becomesAvailable(ctx context.Context, product string, want int64) (time.Duration, error) {
	return eventually(ctx, 20*time.Second, func() error {
		got, err := d.available(ctx, product)
		if err == nil && got != want {
			err = fmt.Errorf("stock of %s is %d, want %d", product, got, want)
		}
		return err
	})
}

// move takes an order one step on, as the operator.
func (d *demo) move(ctx context.Context, order, verb, state string) error {
	moved, err := d.must(ctx, 200, "POST", "/v1/orders/"+order+":"+verb, d.operator, map[string]any{})
	if err == nil && moved.text("state") != state {
		err = errors.New(moved.String())
	}
	return err
}

// pickAndPack takes an order to PACKED.
func (d *demo) pickAndPack(ctx context.Context, order string) error {
	if err := d.move(ctx, order, "pick", "PICKING"); err != nil {
		return err
	}
	return d.move(ctx, order, "pack", "PACKED")
}

// payment waits until an order's payment is in a state and the provider's events of some types came in.
func (d *demo) payment(ctx context.Context, order, state string, types ...string) (payment answer, took time.Duration, err error) {
	took, err = eventually(ctx, 20*time.Second, func() error {
		payment, err = d.must(ctx, 200, "GET", "/v1/orders/"+order+"/payment", d.operator, nil)
		if err != nil {
			return err
		}
		if payment.text("state") != state {
			return fmt.Errorf("want %s: %s", state, payment)
		}
		for _, want := range types {
			if countEvents(payment, "type", want) == 0 {
				return fmt.Errorf("no %s came in: %s", want, payment)
			}
		}
		return nil
	})
	return payment, took, err
}

// countEvents counts the events of a payment whose field has a value.
func countEvents(payment answer, field, value string) int {
	n := 0
	for _, event := range payment.list("events") {
		if at(event, field) == value {
			n++
		}
	}
	return n
}
