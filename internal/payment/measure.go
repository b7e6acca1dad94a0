package payment

import (
	"context"
	"errors"
	"time"

	"larder.dev/internal/money"
	"larder.dev/internal/telemetry"
)

// measured is a Provider whose calls are counted by what came of them.
type measured struct{ provider Provider }

var _ Provider = measured{}

// class is what came of a call.
func class(intent Intent, err error) string {
	switch {
	case err == nil && intent.Status == IntentFailed && intent.Decline != nil:
		return intent.Decline.Class
	case err == nil:
		return telemetry.OK
	case errors.Is(err, ErrUnavailable):
		return "unavailable"
	case errors.Is(err, ErrUnknownOutcome):
		return "unknown"
	default:
		return telemetry.Refused
	}
}

func (m measured) Create(ctx context.Context, request CreateRequest) (Intent, error) {
	intent, err := m.provider.Create(ctx, request)
	telemetry.PaymentCalls.Add(ctx, 1, "create", class(intent, err))
	return intent, err
}

func (m measured) Confirm(ctx context.Context, id, method, returnURL, key string) (Intent, error) {
	intent, err := m.provider.Confirm(ctx, id, method, returnURL, key)
	telemetry.PaymentCalls.Add(ctx, 1, "confirm", class(intent, err))
	return intent, err
}

// Get that finds a declined intent has succeeded.
func (m measured) Get(ctx context.Context, id string) (Intent, error) {
	intent, err := m.provider.Get(ctx, id)
	telemetry.PaymentCalls.Add(ctx, 1, "get", class(Intent{}, err))
	return intent, err
}

func (m measured) Cancel(ctx context.Context, id string) (Intent, error) {
	intent, err := m.provider.Cancel(ctx, id)
	telemetry.PaymentCalls.Add(ctx, 1, "cancel", class(Intent{}, err))
	return intent, err
}

func (m measured) Capture(ctx context.Context, id string, amount money.Money, key string) (Intent, error) {
	intent, err := m.provider.Capture(ctx, id, amount, key)
	telemetry.PaymentCalls.Add(ctx, 1, "capture", class(Intent{}, err))
	return intent, err
}

func (m measured) Refund(ctx context.Context, id string, amount money.Money, key string) error {
	err := m.provider.Refund(ctx, id, amount, key)
	telemetry.PaymentCalls.Add(ctx, 1, "refund", class(Intent{}, err))
	return err
}

func (m measured) List(ctx context.Context, since time.Time, page string, limit int) (intents []Intent, next string, err error) {
	intents, next, err = m.provider.List(ctx, since, page, limit)
	telemetry.PaymentCalls.Add(ctx, 1, "list", class(Intent{}, err))
	return intents, next, err
}
