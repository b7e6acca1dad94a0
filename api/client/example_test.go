package client_test

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/google/uuid"

	"larder.dev/api/client"

	cartpb "larder.dev/api/cart/v1"
	checkoutpb "larder.dev/api/checkout/v1"
	orderpb "larder.dev/api/order/v1"
	searchpb "larder.dev/api/search/v1"
	typepb "larder.dev/api/type/v1"
	userpb "larder.dev/api/user/v1"
)

// A shopper signs in, looks for bananas, buys two, follows the order and calls it off. It runs against a platform that is up: make up
// PROFILE=test, then eval "$(local/env.sh test)".
func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := shop(ctx, "http://"+os.Getenv("EDGE_ADDR")); err != nil {
		fmt.Println(err, `(needs a platform: make up PROFILE=test, then eval "$(local/env.sh test)")`)
	}
	// Output:
	// found bananas
	// asked for more than a cart holds: INVALID_ARGUMENT: quantity
	// the order is CONFIRMED
	// followed: CONFIRMED
	// followed: CANCELLED
}

func shop(ctx context.Context, edge string) error {
	shopper := client.New(edge)
	email, password := uuid.NewString()+"@shopper.example", "correct-horse-battery"
	if _, err := shopper.CreateUser(ctx, &userpb.CreateUserRequest{Email: email, Password: password, DisplayName: "Ada"}); err != nil {
		return err
	}
	// OnSession would keep the refresh token, and Resume go on with it at the next start.
	if _, err := shopper.SignIn(ctx, email, password); err != nil {
		return err
	}

	found, err := shopper.Search(ctx, &searchpb.SearchRequest{Store: "soho", Q: "bananas", PageSize: 1})
	if err != nil {
		return err
	}
	for _, hit := range found.GetHits() {
		fmt.Println("found", hit.GetProductId())
	}

	if _, err := shopper.CreateCart(ctx, &cartpb.CreateCartRequest{StoreId: "soho"}); err != nil {
		return err
	}
	item := &cartpb.PutItemRequest{CartId: "me", ProductId: "bananas", Quantity: 1000}
	if _, err := shopper.PutItem(ctx, item); err != nil {
		if refusal, ok := err.(*client.Error); ok { //nolint:errorlint // it isn't wrapped
			fmt.Printf("asked for more than a cart holds: %s: %s\n", refusal.Reason, refusal.Violations[0].Field)
		}
	}
	item.Quantity = 2
	cart, err := shopper.PutItem(ctx, item)
	if err != nil {
		return err
	}

	// One key an intention to buy: kept until there is an answer, also over a restart. So there is one order at most.
	buy := &checkoutpb.CreateCheckoutRequest{
		CartId: "me", StoreId: "soho", PaymentMethod: "pm_card_visa", ExpectedTotal: cart.GetTotals().GetTotal(),
		Address: &typepb.Address{Recipient: "Ada Lovelace", Line1: "12 Lexington Street", City: "London", Postcode: "W1F 0LE", Country: "GB"},
	}
	checkout, err := shopper.CreateCheckout(ctx, buy, client.WithIdempotencyKey(uuid.NewString()))
	if err != nil {
		return err // PRICE_CHANGED, OUT_OF_STOCK, PAYMENT_DECLINED: let the shopper decide, and take a new key
	}
	fmt.Println("the order is", checkout.GetState()) // REQUIRES_ACTION: send the shopper to checkout.GetActionUrl()

	for change, err := range shopper.FollowOrder(ctx, checkout.GetOrder().GetOrderId(), 0) {
		if err != nil {
			return err
		}
		fmt.Println("followed:", change.GetEvent().GetState())
		if change.GetEvent().GetState() == orderpb.Order_CONFIRMED {
			if _, err := shopper.CancelOrder(ctx, &orderpb.CancelOrderRequest{OrderId: checkout.GetOrder().GetOrderId(), Reason: "found some in the cupboard"}); err != nil {
				return err
			}
		}
	}
	return nil
}
