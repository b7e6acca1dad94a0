// Package stripe is the payment provider behind payment.Provider: Stripe, through stripe-go.
//
// stripe-go's own retries are off. Every write carries an idempotency key and is retried under it, which is what makes a
// retry safe; calls.go holds time limits, retries, breaker and bulkhead. A refusal that Stripe has remembered under a key is
// as good as fresh, with one exception: the answer of a replayed confirmation is old news, so the intent is read again.
package stripe

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/stripe/stripe-go/v83"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"

	"larder.dev/internal/money"
	"larder.dev/internal/payment"
)

// Metadata keys on Stripe's objects.
const (
	metadataOrder = "larder_order" // on an intent: the order's id
	metadataKey   = "larder_key"   // on a refund: the key it was asked for under
)

// Config is where Stripe is and how patient to be with it.
type Config struct {
	APIKey string `env:"STRIPE_API_KEY,required"`
	APIURL string `env:"STRIPE_API_URL"         envDefault:"https://api.stripe.com"`
	// CallTimeout bounds one HTTP call, Deadline a call with all its retries.
	CallTimeout time.Duration `env:"STRIPE_CALL_TIMEOUT" envDefault:"8s"`
	Deadline    time.Duration `env:"STRIPE_DEADLINE"     envDefault:"20s"`
	// MaxConcurrent bounds the calls under way; one more waits up to a second, then is refused as unavailable.
	MaxConcurrent uint `env:"STRIPE_MAX_CONCURRENT" envDefault:"64"`
}

// Provider is payment.Provider on Stripe. It is safe for concurrent use.
type Provider struct {
	client *stripe.Client
	calls  *calls
}

var _ payment.Provider = (*Provider)(nil)

// New makes a provider; it does not call Stripe. Fields of cfg that are zero get the defaults of their tags.
func New(cfg Config) *Provider {
	if cfg.APIURL == "" {
		cfg.APIURL = stripe.APIURL
	}
	if cfg.CallTimeout <= 0 {
		cfg.CallTimeout = 8 * time.Second
	}
	if cfg.Deadline <= 0 {
		cfg.Deadline = 20 * time.Second
	}
	if cfg.MaxConcurrent == 0 {
		cfg.MaxConcurrent = 64
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = int(cfg.MaxConcurrent)
	backends := stripe.NewBackendsWithConfig(&stripe.BackendConfig{
		URL:               stripe.String(cfg.APIURL),
		HTTPClient:        &http.Client{Transport: otelhttp.NewTransport(transport), Timeout: cfg.CallTimeout + time.Second},
		MaxNetworkRetries: stripe.Int64(0),
		EnableTelemetry:   stripe.Bool(false),
		LeveledLogger:     &stripe.LeveledLogger{Level: stripe.LevelNull}, // errors are returned, and logged where they are handled
	})
	return &Provider{
		client: stripe.NewClient(cfg.APIKey, stripe.WithBackends(backends)),
		calls:  newCalls(cfg.CallTimeout, cfg.Deadline, cfg.MaxConcurrent),
	}
}

// Create implements payment.Provider.
func (p *Provider) Create(ctx context.Context, request payment.CreateRequest) (payment.Intent, error) {
	in, err := do(ctx, p.calls, func(ctx context.Context) (*stripe.PaymentIntent, error) {
		params := &stripe.PaymentIntentCreateParams{
			Amount:             stripe.Int64(request.Amount.Minor),
			Currency:           stripe.String(strings.ToLower(request.Amount.Currency)),
			CaptureMethod:      stripe.String(string(stripe.PaymentIntentCaptureMethodManual)),
			PaymentMethodTypes: stripe.StringSlice([]string{"card"}),
			Metadata:           map[string]string{metadataOrder: request.Order},
		}
		params.SetIdempotencyKey(request.Key)
		return p.client.V1PaymentIntents.Create(ctx, params)
	})
	if err != nil {
		return payment.Intent{}, fmt.Errorf("stripe: create intent: %w", err)
	}
	return intent(in), nil
}

// Confirm implements payment.Provider.
func (p *Provider) Confirm(ctx context.Context, id, method, returnURL, key string) (payment.Intent, error) {
	in, err := do(ctx, p.calls, func(ctx context.Context) (*stripe.PaymentIntent, error) {
		params := &stripe.PaymentIntentConfirmParams{PaymentMethod: stripe.String(method)}
		if returnURL != "" {
			params.ReturnURL = stripe.String(returnURL)
		}
		params.SetIdempotencyKey(key)
		return p.client.V1PaymentIntents.Confirm(ctx, id, params)
	})
	var refusal *stripe.Error
	switch {
	case err == nil:
		if !replayed(in.LastResponse) {
			return intent(in), nil
		}
		return p.confirmed(ctx, id)
	case !errors.As(err, &refusal):
	case refusal.Code == stripe.ErrorCodePaymentIntentUnexpectedState:
		return payment.Intent{}, fmt.Errorf("stripe: confirm intent %s: %w", id, payment.ErrNotConfirmable)
	case refusal.Type == stripe.ErrorTypeCard:
		failed := refusal.PaymentIntent
		if failed == nil || replayed(refusal.LastResponse) {
			return p.confirmed(ctx, id)
		}
		out := intent(failed)
		out.Status, out.Decline = payment.IntentFailed, decline(refusal)
		return out, nil
	case refusal.Type == stripe.ErrorTypeInvalidRequest && refusal.Param == "payment_method":
		// The shopper named a method that Stripe doesn't have, or that can't be used: for them that is a decline.
		now, err := p.confirmed(ctx, id)
		if err == nil && now.Status == payment.IntentRequiresConfirmation {
			now.Status, now.Decline = payment.IntentFailed, &payment.Decline{Class: "INCORRECT_DETAILS", Code: string(refusal.Code)}
		}
		return now, err
	}
	return payment.Intent{}, fmt.Errorf("stripe: confirm intent %s: %w", id, err)
}

// confirmed reads what became of a confirmation whose answer is not at hand.
func (p *Provider) confirmed(ctx context.Context, id string) (payment.Intent, error) {
	in, err := p.Get(ctx, id)
	if err == nil && in.Status == payment.IntentCancelled {
		return payment.Intent{}, fmt.Errorf("stripe: confirm intent %s: %w", id, payment.ErrNotConfirmable)
	}
	return in, err
}

// Get implements payment.Provider.
func (p *Provider) Get(ctx context.Context, id string) (payment.Intent, error) {
	in, err := do(ctx, p.calls, func(ctx context.Context) (*stripe.PaymentIntent, error) {
		params := &stripe.PaymentIntentRetrieveParams{}
		params.AddExpand("latest_charge.refunds")
		return p.client.V1PaymentIntents.Retrieve(ctx, id, params)
	})
	if err != nil {
		return payment.Intent{}, fmt.Errorf("stripe: get intent %s: %w", id, err)
	}
	out := intent(in)
	if more(in.LatestCharge) {
		all, err := p.refunds(ctx, id)
		if err != nil {
			return payment.Intent{}, err
		}
		out.Refunded.Minor = sum(all)
	}
	return out, nil
}

// Cancel implements payment.Provider.
func (p *Provider) Cancel(ctx context.Context, id string) (payment.Intent, error) {
	// A key of its own for every call: under a lasting one Stripe would repeat "processing" for a day.
	key := stripe.NewIdempotencyKey()
	in, err := do(ctx, p.calls, func(ctx context.Context) (*stripe.PaymentIntent, error) {
		params := &stripe.PaymentIntentCancelParams{}
		params.SetIdempotencyKey(key)
		return p.client.V1PaymentIntents.Cancel(ctx, id, params)
	})
	if err == nil {
		return intent(in), nil
	}
	if !refusedAs(err, stripe.ErrorCodePaymentIntentUnexpectedState) {
		return payment.Intent{}, fmt.Errorf("stripe: cancel intent %s: %w", id, err)
	}
	now, err := p.Get(ctx, id)
	if err != nil {
		return payment.Intent{}, err
	}
	switch now.Status {
	case payment.IntentCancelled:
		return now, nil
	case payment.IntentProcessing:
		return now, fmt.Errorf("stripe: cancel intent %s: %w", id, payment.ErrProcessing)
	case payment.IntentCaptured:
		return now, fmt.Errorf("stripe: cancel intent %s: %w", id, payment.ErrCaptured)
	default:
		// It has moved on between the two calls; whoever cancels tries again.
		return now, fmt.Errorf("stripe: cancel intent %s: it is %s meanwhile: %w", id, now.Status, payment.ErrProcessing)
	}
}

// Capture implements payment.Provider. An intent from which exactly this amount was captured before is a success.
func (p *Provider) Capture(ctx context.Context, id string, amount money.Money, key string) (payment.Intent, error) {
	in, err := do(ctx, p.calls, func(ctx context.Context) (*stripe.PaymentIntent, error) {
		params := &stripe.PaymentIntentCaptureParams{AmountToCapture: stripe.Int64(amount.Minor)}
		params.SetIdempotencyKey(key)
		return p.client.V1PaymentIntents.Capture(ctx, id, params)
	})
	switch {
	case err == nil:
		return intent(in), nil
	case refusedAs(err, stripe.ErrorCodePaymentIntentUnexpectedState):
		now, err := p.Get(ctx, id)
		if err != nil {
			return payment.Intent{}, err
		}
		if now.Status == payment.IntentCaptured && now.Captured == amount {
			return now, nil
		}
		return now, fmt.Errorf("stripe: capture intent %s, which is %s: %w", id, now.Status, payment.ErrNotCapturable)
	case refusedAs(err, stripe.ErrorCodeAmountTooLarge), refusedAs(err, stripe.ErrorCodeChargeExpiredForCapture):
		return payment.Intent{}, fmt.Errorf("stripe: capture %s of intent %s: %w", amount, id, payment.ErrNotCapturable)
	}
	return payment.Intent{}, fmt.Errorf("stripe: capture intent %s: %w", id, err)
}

// Refund implements payment.Provider. The key is stored with the refund and looked for first, so that the same key refunds
// once for ever, not only for the day that Stripe remembers it.
func (p *Provider) Refund(ctx context.Context, id string, amount money.Money, key string) error {
	before, err := p.refunds(ctx, id)
	if err != nil {
		return err
	}
	for _, r := range before {
		if r.Metadata[metadataKey] == key && moves(r) {
			return nil
		}
	}
	made, err := do(ctx, p.calls, func(ctx context.Context) (*stripe.Refund, error) {
		params := &stripe.RefundCreateParams{
			PaymentIntent: stripe.String(id),
			Amount:        stripe.Int64(amount.Minor),
			Metadata:      map[string]string{metadataKey: key},
		}
		params.SetIdempotencyKey(key)
		return p.client.V1Refunds.Create(ctx, params)
	})
	var refusal *stripe.Error
	switch {
	case err == nil && !moves(made):
		return fmt.Errorf("stripe: refund %s of intent %s is %s: %w", amount, id, made.Status, payment.ErrNotRefundable)
	case errors.As(err, &refusal) && refusal.Type == stripe.ErrorTypeInvalidRequest && refusal.HTTPStatusCode == http.StatusBadRequest:
		// Whatever Stripe finds wrong with this refund, it will find again: charge_already_refunded, amount_too_large and others.
		return fmt.Errorf("stripe: refund %s of intent %s, refused as %s: %s: %w", amount, id, refusal.Code, refusal.Msg, payment.ErrNotRefundable)
	case err != nil:
		return fmt.Errorf("stripe: refund %s of intent %s: %w", amount, id, err)
	}
	return nil
}

// refunds lists all refunds of an intent.
func (p *Provider) refunds(ctx context.Context, id string) ([]*stripe.Refund, error) {
	all, err := do(ctx, p.calls, func(ctx context.Context) ([]*stripe.Refund, error) {
		params := &stripe.RefundListParams{PaymentIntent: stripe.String(id)}
		params.Limit = stripe.Int64(100)
		return collect(p.client.V1Refunds.List(ctx, params))
	})
	if err != nil {
		return nil, fmt.Errorf("stripe: list refunds of intent %s: %w", id, err)
	}
	return all, nil
}

// List implements payment.Provider.
func (p *Provider) List(ctx context.Context, since time.Time, page string, limit int) ([]payment.Intent, string, error) {
	limit = min(max(limit, 1), 100)
	found, err := do(ctx, p.calls, func(ctx context.Context) ([]*stripe.PaymentIntent, error) {
		params := &stripe.PaymentIntentListParams{
			CreatedRange: &stripe.RangeQueryParams{GreaterThanOrEqual: since.Unix()},
		}
		params.Limit = stripe.Int64(int64(limit))
		params.Single = true // one page: the caller decides whether to go on
		if page != "" {
			params.StartingAfter = stripe.String(page)
		}
		params.AddExpand("data.latest_charge.refunds")
		return collect(p.client.V1PaymentIntents.List(ctx, params))
	})
	if err != nil {
		return nil, "", fmt.Errorf("stripe: list intents: %w", err)
	}
	intents := make([]payment.Intent, 0, len(found))
	for _, in := range found {
		intents = append(intents, intent(in))
	}
	if len(found) < limit {
		return intents, "", nil
	}
	return intents, found[len(found)-1].ID, nil // a full page may be the last: the next one is then empty
}

func collect[T any](list stripe.Seq2[T, error]) ([]T, error) {
	var out []T
	var failed error
	list(func(v T, err error) bool {
		if failed = err; err == nil {
			out = append(out, v)
		}
		return err == nil
	})
	return out, failed
}

// replayed tells that Stripe answered from what it remembers under the idempotency key.
func replayed(r *stripe.APIResponse) bool {
	return r != nil && r.Header.Get("Idempotent-Replayed") == "true"
}

func refusedAs(err error, code stripe.ErrorCode) bool {
	var refusal *stripe.Error
	return errors.As(err, &refusal) && refusal.Code == code
}
