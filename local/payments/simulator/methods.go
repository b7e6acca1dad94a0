package simulator

// captureManual is the capture method that authorises only; all others capture at once.
const captureManual = "manual"

// first is what a confirmation does before the issuer is asked.
type first int

const (
	atOnce first = iota
	needsAction
	takesTime
)

// decline is an issuer's refusal. Codes: https://docs.stripe.com/declines/codes
type decline struct {
	code, declineCode, message string
}

func (d *decline) errorType() string {
	if d == authenticationFailed {
		return typeInvalidRequest
	}
	return typeCard
}

// method is what a test payment method does. then is nil where the issuer agrees.
type method struct {
	first first
	then  *decline
}

var authenticationFailed = &decline{
	code:    "payment_intent_authentication_failure",
	message: "The shopper's identity was not confirmed. Try again with this or another payment method.",
}

func declinedAs(declineCode, message string) *decline {
	return &decline{code: "card_declined", declineCode: declineCode, message: message}
}

var (
	declinedGeneric      = declinedAs("generic_decline", "The card was declined.")
	declinedInsufficient = declinedAs("insufficient_funds", "The card has insufficient funds.")
)

// methods are Stripe's test payment methods (https://docs.stripe.com/testing) as far as they matter here. The two
// pm_card_processing ones are this simulator's own: Stripe has slow methods, but no card of that kind.
var methods = map[string]method{
	"pm_card_visa":             {},
	"pm_card_visa_debit":       {},
	"pm_card_mastercard":       {},
	"pm_card_mastercard_debit": {},
	"pm_card_amex":             {},
	"pm_card_gb":               {},

	"pm_card_chargeDeclined":                                        {then: declinedGeneric},
	"pm_card_visa_chargeDeclined":                                   {then: declinedGeneric},
	"pm_card_chargeDeclinedInsufficientFunds":                       {then: declinedInsufficient},
	"pm_card_visa_chargeDeclinedInsufficientFunds":                  {then: declinedInsufficient},
	"pm_card_chargeDeclinedLostCard":                                {then: declinedAs("lost_card", "The card was declined.")},
	"pm_card_chargeDeclinedStolenCard":                              {then: declinedAs("stolen_card", "The card was declined.")},
	"pm_card_chargeDeclinedFraudulent":                              {then: declinedAs("fraudulent", "The card was declined.")},
	"pm_card_visa_chargeDeclinedVelocityLimitExceeded":              {then: declinedAs("card_velocity_exceeded", "The card is over its limit.")},
	"pm_card_chargeDeclinedExpiredCard":                             {then: &decline{code: "expired_card", message: "The card has expired."}},
	"pm_card_chargeDeclinedIncorrectCvc":                            {then: &decline{code: "incorrect_cvc", message: "The card's security code is wrong."}},
	"pm_card_chargeDeclinedProcessingError":                         {then: &decline{code: "processing_error", message: "The card could not be processed."}},
	"pm_card_threeDSecureRequired":                                  {first: needsAction},
	"pm_card_threeDSecure2Required":                                 {first: needsAction},
	"pm_card_authenticationRequired":                                {first: needsAction},
	"pm_card_threeDSecureRequiredChargeDeclined":                    {first: needsAction, then: declinedGeneric},
	"pm_card_authenticationRequiredChargeDeclinedInsufficientFunds": {first: needsAction, then: declinedInsufficient},
	"pm_card_processing":                                            {first: takesTime},
	"pm_card_processingDeclined":                                    {first: takesTime, then: declinedGeneric},
}
