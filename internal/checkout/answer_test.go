package checkout_test

import (
	"testing"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	checkoutpb "larder.dev/api/checkout/v1"
	"larder.dev/internal/fault"
	"larder.dev/internal/pricing"
)

// Each answer says what the shopper can do.
func TestAnswersSayWhatToDo(t *testing.T) {
	s := open(t)
	service := s.serve()
	ask := func(key, card string, change func(r *checkoutpb.CreateCheckoutRequest)) (*checkoutpb.Checkout, *status.Status, string) {
		t.Helper()
		r := s.message(card)
		if change != nil {
			change(r)
		}
		answer, err := service.CreateCheckout(service.keyed(t, s.user, key), r)
		refused := status.Convert(err)
		var id string
		for _, detail := range refused.Details() {
			if info, ok := detail.(*errdetails.ErrorInfo); ok {
				id = info.GetMetadata()["checkout_id"]
			}
		}
		return answer, refused, id
	}

	waiting, _, _ := ask("processing", "pm_card_processing", nil)
	if waiting.GetState() != checkoutpb.Checkout_PROCESSING || waiting.GetCheckoutId() == "" || waiting.GetRetryAfter().AsDuration() <= 0 {
		t.Errorf("processing: %v", waiting)
	}
	look, err := service.GetCheckout(service.shopper(t, s.user), &checkoutpb.GetCheckoutRequest{CheckoutId: waiting.GetCheckoutId()})
	if err != nil || look.GetState() != checkoutpb.Checkout_PROCESSING || look.GetRetryAfter().AsDuration() <= 0 {
		t.Errorf("processing, looked at: %v, %v", look, err)
	}
	acting, _, _ := ask("requires-action", "pm_card_threeDSecure2Required", nil)
	if acting.GetState() != checkoutpb.Checkout_REQUIRES_ACTION || acting.GetActionUrl() == "" || acting.GetCheckoutId() == "" || acting.GetRetryAfter() != nil {
		t.Errorf("requires action: %v", acting)
	}

	for _, c := range []struct {
		name, card string
		prepare    func()
		change     func(r *checkoutpb.CreateCheckoutRequest)
		reason     fault.Reason
		told       func(detail any) bool
	}{
		{"out-of-stock", visa, func() {
			s.fill(pricing.Line{ProductID: "apples", Quantity: 11}, pricing.Line{ProductID: "pears", Quantity: 1})
		}, nil,
			fault.OutOfStock, func(detail any) bool {
				told, ok := detail.(*checkoutpb.OutOfStock)
				return ok && len(told.GetShortages()) == 1 && told.GetShortages()[0].GetProductId() == "apples" &&
					told.GetShortages()[0].GetRequested() == 11 && told.GetShortages()[0].GetAvailable() == 6
			}},
		{"limit-exceeded", visa, func() { s.limit(2, 1) }, nil, fault.LimitExceeded, func(detail any) bool {
			told, ok := detail.(*checkoutpb.LimitExceeded)
			return ok && len(told.GetLimits()) == 1 && told.GetLimits()[0].GetAvailable() == 1 && told.GetRenewTime() != nil
		}},
		{"price-changed", visa, nil, func(r *checkoutpb.CreateCheckoutRequest) { r.ExpectedTotal.MinorUnits = 1 }, fault.PriceChanged, func(detail any) bool {
			told, ok := detail.(*checkoutpb.PriceChanged)
			return ok && told.GetExpectedTotal().GetMinorUnits() == 1 && told.GetTotals().GetTotal().GetMinorUnits() == 599 && len(told.GetTotals().GetTaxes()) == 2
		}},
		{"declined", "pm_card_chargeDeclinedInsufficientFunds", nil, nil, fault.PaymentDeclined, func(detail any) bool {
			told, ok := detail.(*checkoutpb.PaymentDeclined)
			return ok && told.GetClass() == "INSUFFICIENT_FUNDS"
		}},
		{"slot-unknown", visa, nil, func(r *checkoutpb.CreateCheckoutRequest) { r.DeliverySlotId = "never" }, fault.SlotUnavailable, func(detail any) bool {
			told, ok := detail.(*checkoutpb.SlotUnavailable)
			return ok && told.GetSlotId() == "never"
		}},
		{"not-sold", visa, func() { s.cart.quote.NotSold = []string{"pears"} }, nil, fault.ProductNotSold, func(detail any) bool {
			told, ok := detail.(*errdetails.BadRequest)
			return ok && told.GetFieldViolations()[0].GetField() == "items[pears]"
		}},
		{"other-store", visa, nil, func(r *checkoutpb.CreateCheckoutRequest) { r.StoreId = "elsewhere" }, fault.StoreMismatch, func(detail any) bool {
			told, ok := detail.(*errdetails.ErrorInfo)
			return ok && told.GetMetadata()["store_id"] == s.store
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s.fill(pricing.Line{ProductID: "apples", Quantity: 2, TaxRateBPS: 500})
			if c.prepare != nil {
				c.prepare()
			}
			_, refused, id := ask(c.name, c.card, c.change)
			if reason := fault.From(fault.FromRPC(refused.Err())).Reason().Name; reason != c.reason.Name || id == "" {
				t.Fatalf("%s for checkout %q, want %s", reason, id, c.reason.Name)
			}
			told := false
			for _, detail := range refused.Details() {
				told = told || c.told(detail)
			}
			if !told {
				t.Errorf("told %v", refused.Details())
			}
			failed, err := service.GetCheckout(service.shopper(t, s.user), &checkoutpb.GetCheckoutRequest{CheckoutId: id})
			if err != nil || failed.GetState() != checkoutpb.Checkout_FAILED || len(failed.GetFailure().GetDetails()) == 0 {
				t.Errorf("looked at: %v, %v", failed, err)
			}
		})
	}

	s.cart.quote.NotSold = nil
	s.stocks.before = func(string) error { return fault.StockRebuilding.New("loaded anew").WithRetryAfter(1) }
	_, refused, id := ask("rebuilding", visa, func(r *checkoutpb.CreateCheckoutRequest) {
		r.ExpectedTotal.MinorUnits = s.cart.quote.Totals.Total.Minor
	})
	retry := false
	for _, detail := range refused.Details() {
		_, is := detail.(*errdetails.RetryInfo)
		retry = retry || is
	}
	if refused.Code() != codes.Unavailable || id == "" || !retry {
		t.Errorf("loaded anew: %v for checkout %q", refused, id)
	}
}
