package stripe

import (
	"strings"
	"time"

	"github.com/stripe/stripe-go/v83"

	"larder.dev/internal/money"
	"larder.dev/internal/payment"
)

// intent translates Stripe's record. Refunded needs latest_charge.refunds expanded, and is zero without; Stripe expands the last ten.
func intent(in *stripe.PaymentIntent) payment.Intent {
	currency := strings.ToUpper(string(in.Currency))
	out := payment.Intent{
		ID:       in.ID,
		Order:    in.Metadata[metadataOrder],
		Amount:   money.Of(in.Amount, currency),
		Captured: money.Of(in.AmountReceived, currency),
		Refunded: money.Of(refunded(in.LatestCharge), currency),
		Created:  time.Unix(in.Created, 0).UTC(),
	}
	switch in.Status {
	case stripe.PaymentIntentStatusRequiresConfirmation:
		out.Status = payment.IntentRequiresConfirmation
	case stripe.PaymentIntentStatusRequiresPaymentMethod:
		// Without an error it was never tried; it gets its method when it is confirmed.
		out.Status = payment.IntentRequiresConfirmation
		if in.LastPaymentError != nil {
			out.Status, out.Decline = payment.IntentFailed, decline(in.LastPaymentError)
		}
	case stripe.PaymentIntentStatusRequiresAction:
		out.Status = payment.IntentRequiresAction
		if in.NextAction != nil && in.NextAction.RedirectToURL != nil {
			out.ActionURL = in.NextAction.RedirectToURL.URL
		}
	case stripe.PaymentIntentStatusProcessing:
		out.Status = payment.IntentProcessing
	case stripe.PaymentIntentStatusRequiresCapture:
		out.Status = payment.IntentAuthorized
	case stripe.PaymentIntentStatusSucceeded:
		out.Status = payment.IntentCaptured
	case stripe.PaymentIntentStatusCanceled:
		out.Status = payment.IntentCancelled
	default:
		// A status that a later version of Stripe's API may add: nothing can be concluded but that it isn't final.
		out.Status = payment.IntentProcessing
	}
	return out
}

// refunded adds up what went back of captured money. amount_refunded can't be used: on Stripe, releasing (a part of) an
// authorisation counts as a refund too, one without a balance transaction, because no money moved.
func refunded(charge *stripe.Charge) int64 {
	if charge == nil || charge.Refunds == nil {
		return 0
	}
	return sum(charge.Refunds.Data)
}

func sum(refunds []*stripe.Refund) int64 {
	var total int64
	for _, r := range refunds {
		if moves(r) && (r.BalanceTransaction != nil || r.Status == stripe.RefundStatusPending) {
			total += r.Amount
		}
	}
	return total
}

// more tells that a charge has more refunds than were expanded.
func more(charge *stripe.Charge) bool {
	return charge != nil && charge.Refunds != nil && charge.Refunds.HasMore
}

// moves tells whether a refund pays, or has paid.
func moves(r *stripe.Refund) bool {
	return r.Status != stripe.RefundStatusFailed && r.Status != stripe.RefundStatusCanceled
}

// decline translates a refusal of the card. Codes: https://docs.stripe.com/declines/codes and .../error-codes
func decline(e *stripe.Error) *payment.Decline {
	code := string(e.DeclineCode)
	if code == "" {
		code = string(e.Code)
	}
	class, known := declineClasses[code]
	if !known {
		class = "GENERIC"
	}
	return &payment.Decline{Class: class, Code: code}
}

// declineClasses has the codes that are not GENERIC. Lost and stolen cards stay GENERIC: Stripe's manual asks not to tell
// whoever holds the card.
var declineClasses = map[string]string{
	"insufficient_funds":                    "INSUFFICIENT_FUNDS",
	"card_velocity_exceeded":                "INSUFFICIENT_FUNDS",
	"withdrawal_count_limit_exceeded":       "INSUFFICIENT_FUNDS",
	"expired_card":                          "EXPIRED_CARD",
	"incorrect_number":                      "INCORRECT_DETAILS",
	"incorrect_cvc":                         "INCORRECT_DETAILS",
	"incorrect_zip":                         "INCORRECT_DETAILS",
	"invalid_number":                        "INCORRECT_DETAILS",
	"invalid_cvc":                           "INCORRECT_DETAILS",
	"invalid_expiry_month":                  "INCORRECT_DETAILS",
	"invalid_expiry_year":                   "INCORRECT_DETAILS",
	"fraudulent":                            "FRAUD_SUSPECTED",
	"merchant_blacklist":                    "FRAUD_SUSPECTED",
	"authentication_required":               "AUTHENTICATION_FAILED",
	"payment_intent_authentication_failure": "AUTHENTICATION_FAILED",
}
