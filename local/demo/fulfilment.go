package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
)

// afterAnOrder looks at what an order sets off: a mail, an event for anybody who subscribes, an empty cart.
func afterAnOrder(ctx context.Context, d *demo) (string, error) {
	inbox, err := d.subscribe(ctx, "order-events")
	if err != nil {
		return "", err
	}
	defer inbox.close(ctx)
	s, err := d.newShopper(ctx, "events")
	if err != nil {
		return "", err
	}
	d.goods, err = d.newProduct(ctx, "pears", 180, map[string]int{store: 100})
	if err != nil {
		return "", err
	}
	order, err := d.buy(ctx, s, map[string]int{d.goods: 2})
	if err != nil {
		return "", err
	}
	id := order.text("order_id")
	event, lag, err := inbox.await(ctx, "larder.order.v1.OrderConfirmed", "orders/"+id)
	if err != nil {
		return "", err
	}
	mail, err := d.mail(ctx, s.email, "Thank you for your order")
	if err != nil {
		return "", err
	}
	_, err = eventually(ctx, 20*time.Second, func() error {
		cart, err := d.must(ctx, 200, "GET", "/v1/carts/me", s.token, nil)
		if err == nil && len(cart.list("items")) > 0 {
			err = errors.New(cart.String())
		}
		return err
	})
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("event %s, a valid OrderConfirmed, after %d ms; mail %q; the cart is empty", event.ID, lag.Milliseconds(), mail.text("subject")), nil
}

func pickAndPack(ctx context.Context, d *demo) (string, error) {
	s, err := d.newShopper(ctx, "picked")
	if err != nil {
		return "", err
	}
	order, err := d.buy(ctx, s, map[string]int{d.goods: 3})
	if err != nil {
		return "", err
	}
	id := order.text("order_id")
	refused, err := d.call(ctx, "POST", "/v1/orders/"+id+":pick", s.token, map[string]any{})
	if err == nil {
		err = refused.refused(403, "PERMISSION_DENIED")
	}
	if err != nil {
		return "", err
	}
	if err := d.pickAndPack(ctx, id); err != nil {
		return "", err
	}
	payment, took, err := d.payment(ctx, id, "CAPTURED", "payment_intent.amount_capturable_updated", "payment_intent.succeeded")
	if err != nil {
		return "", err
	}
	if payment.minor("captured") != order.minor("totals.total") {
		return "", errors.New(payment.String())
	}
	d.captured = id
	return fmt.Sprintf("captured %d pence %d ms after it was packed; %d signed webhooks of the provider came in", payment.minor("captured"), took.Milliseconds(), len(payment.list("events"))), nil
}

func dispatch(ctx context.Context, d *demo) (string, error) {
	s, err := d.newShopper(ctx, "sent")
	if err != nil {
		return "", err
	}
	order, err := d.buy(ctx, s, map[string]int{d.goods: 1})
	if err != nil {
		return "", err
	}
	id := order.text("order_id")
	if err := d.fault(ctx, map[string]any{"kind": "slow", "match": "/capture", "delay": "2s"}); err != nil {
		return "", err
	}
	if err := d.pickAndPack(ctx, id); err != nil {
		return "", err
	}
	early, err := d.call(ctx, "POST", "/v1/orders/"+id+":dispatch", d.operator, map[string]any{})
	if err == nil {
		err = early.refused(409, "ORDER_STATE_CONFLICT")
	}
	if err != nil {
		return "", err
	}
	if _, _, err := d.payment(ctx, id, "CAPTURED"); err != nil {
		return "", err
	}
	if err := d.move(ctx, id, "dispatch", "DISPATCHED"); err != nil {
		return "", err
	}
	if err := d.move(ctx, id, "deliver", "DELIVERED"); err != nil {
		return "", err
	}
	done, err := d.must(ctx, 200, "GET", "/v1/orders/"+id, s.token, nil)
	if err != nil {
		return "", err
	}
	var states []string
	for _, step := range done.list("history") {
		states = append(states, fmt.Sprint(at(step, "state")))
	}
	want := "CONFIRMED PICKING PACKED DISPATCHED DELIVERED"
	if strings.Join(states, " ") != want || done.text("payment.state") != "CAPTURED" {
		return "", errors.New(done.String())
	}
	if _, err := d.mail(ctx, s.email, "delivered"); err != nil {
		return "", err
	}
	return fmt.Sprintf("409 %q; then %s", early.text("error.message"), strings.ToLower(strings.ReplaceAll(want, " ", ", "))), nil
}

func cancelOrder(ctx context.Context, d *demo) (string, error) {
	s, err := d.newShopper(ctx, "regretful")
	if err != nil {
		return "", err
	}
	before, err := d.available(ctx, d.goods)
	if err != nil {
		return "", err
	}
	order, err := d.buy(ctx, s, map[string]int{d.goods: 5})
	if err != nil {
		return "", err
	}
	id := order.text("order_id")
	if _, err := d.becomesAvailable(ctx, d.goods, before-5); err != nil {
		return "", err
	}
	for range 2 { // again: the same
		cancelled, err := d.must(ctx, 200, "POST", "/v1/orders/"+id+":cancel", s.token, map[string]any{"reason": "found them in the cupboard"})
		if err != nil {
			return "", err
		}
		if cancelled.text("state") != "CANCELLED" {
			return "", errors.New(cancelled.String())
		}
	}
	back, err := d.becomesAvailable(ctx, d.goods, before)
	if err != nil {
		return "", err
	}
	_, voided, err := d.payment(ctx, id, "VOIDED")
	if err != nil {
		return "", err
	}
	intents, err := d.intents(ctx, id)
	if err != nil {
		return "", err
	}
	if len(intents) != 1 || at(intents[0], "status") != "canceled" || number(at(intents[0], "amount_received")) != 0 {
		return "", fmt.Errorf("the provider's intents: %v", intents)
	}
	mail, err := d.mail(ctx, s.email, "cancelled")
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("stock back after %d ms, canceled at the provider after %d ms more, mail %q; cancelled again: the same", back.Milliseconds(), voided.Milliseconds(), mail.text("subject")), nil
}

func refundLine(ctx context.Context, d *demo) (string, error) {
	key := uuid.NewString()
	body := map[string]any{"lines": []any{map[string]any{"product_id": d.goods, "quantity": 1}}, "reason": "mouldy"}
	for range 2 { // the same request again refunds nothing more
		refunded, err := d.must(ctx, 200, "POST", "/v1/orders/"+d.captured+":refund", d.operator, body, "Idempotency-Key", key)
		if err != nil {
			return "", err
		}
		if refunded.text("payment.state") != "PARTIALLY_REFUNDED" || refunded.minor("payment.refunded") != 180 {
			return "", errors.New(refunded.String())
		}
	}
	payment, _, err := d.payment(ctx, d.captured, "PARTIALLY_REFUNDED")
	if err != nil {
		return "", err
	}
	refunds, err := d.provider(ctx, "/v1/refunds?payment_intent="+payment.text("intent_id"))
	if err != nil {
		return "", err
	}
	if len(refunds.list("data")) != 1 || number(refunds.at("data.0.amount")) != 180 {
		return "", errors.New(refunds.String())
	}
	body["lines"] = []any{map[string]any{"product_id": d.goods, "quantity": 3}} // one of three was refunded
	over, err := d.call(ctx, "POST", "/v1/orders/"+d.captured+":refund", d.operator, body, "Idempotency-Key", uuid.NewString())
	if err == nil {
		err = over.refused(409, "REFUND_TOO_LARGE")
	}
	return "180 pence once in the provider's list, also when repeated; three more of the two that are left: 409 REFUND_TOO_LARGE", err
}
