package checkout

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"larder.dev/internal/money"
	"larder.dev/internal/payment"
	"larder.dev/internal/stock"
	"larder.dev/internal/telemetry"
)

// Each step of the saga has a span and a duration, whoever takes it: a shopper's request, a webhook, the reaper. They stand around what the
// saga calls, so that the saga itself reads as it did.

var tracer = otel.Tracer("larder.dev/internal/checkout")

// step begins one. end takes its outcome.
func step(ctx context.Context, name string) (_ context.Context, end func(outcome string)) {
	began := time.Now()
	ctx, span := tracer.Start(ctx, "checkout "+name)
	return ctx, func(outcome string) { endStep(ctx, span, name, began, outcome) }
}

func endStep(ctx context.Context, span trace.Span, name string, began time.Time, outcome string) {
	if outcome == telemetry.Failed {
		span.SetStatus(codes.Error, outcome)
	}
	span.End()
	telemetry.CheckoutSteps.Since(ctx, began, name, outcome)
}

// measuredBooks are Books, measured.
type measuredBooks struct{ Books }

func (m measuredBooks) Look(ctx context.Context, id string) (Standing, error) {
	ctx, end := step(ctx, "look")
	standing, err := m.Books.Look(ctx, id)
	end(telemetry.OutcomeOf(err))
	return standing, err
}

func (m measuredBooks) Initiate(ctx context.Context, id string, frozen Frozen, intent string, fingerprint []byte, attendAfter time.Time) (Standing, error) {
	ctx, end := step(ctx, "initiate")
	standing, err := m.Books.Initiate(ctx, id, frozen, intent, fingerprint, attendAfter)
	end(telemetry.OutcomeOf(err))
	return standing, err
}

// Commit that isn't sold is refused: by a tombstone, or by another epoch.
func (m measuredBooks) Commit(ctx context.Context, id string, frozen Frozen, fingerprint []byte, hold stock.Hold) (Standing, stock.Epoch, error) {
	ctx, end := step(ctx, "commit")
	standing, epoch, err := m.Books.Commit(ctx, id, frozen, fingerprint, hold)
	if err == nil && !standing.Sold() {
		end(telemetry.Refused)
	} else {
		end(telemetry.OutcomeOf(err))
	}
	return standing, epoch, err
}

func (m measuredBooks) Abandon(ctx context.Context, id string, tombstone Order, attendAfter time.Time) (Standing, error) {
	ctx, end := step(ctx, "abandon")
	standing, err := m.Books.Abandon(ctx, id, tombstone, attendAfter)
	end(telemetry.OutcomeOf(err))
	return standing, err
}

// measuredStock is Stock, measured.
type measuredStock struct{ Stock }

func (m measuredStock) Reserve(ctx context.Context, store, order string, lines []stock.Line, deadline time.Time, minimum stock.Epoch) (stock.Hold, error) {
	ctx, end := step(ctx, "reserve")
	hold, err := m.Stock.Reserve(ctx, store, order, lines, deadline, minimum)
	if errors.As(err, new(*stock.InsufficientError)) || errors.Is(err, stock.ErrOtherLines) {
		end(telemetry.Refused)
	} else {
		end(telemetry.OutcomeOf(err))
	}
	return hold, err
}

func (m measuredStock) Settle(ctx context.Context, store, order string, sold stock.Hold) error {
	ctx, end := step(ctx, "settle")
	err := m.Stock.Settle(ctx, store, order, sold)
	end(telemetry.OutcomeOf(err))
	return err
}

// measuredPayments are Payments, measured.
type measuredPayments struct{ Payments }

func (m measuredPayments) Create(ctx context.Context, id string, amount money.Money) (payment.Intent, error) {
	ctx, end := step(ctx, "create")
	intent, err := m.Payments.Create(ctx, id, amount)
	end(telemetry.OutcomeOf(err))
	return intent, err
}

func (m measuredPayments) Confirm(ctx context.Context, intent, id, method string) (payment.Intent, error) {
	ctx, end := step(ctx, "confirm")
	confirmed, err := m.Payments.Confirm(ctx, intent, id, method)
	if err == nil && confirmed.Status == payment.IntentFailed {
		end(telemetry.Refused)
	} else {
		end(telemetry.OutcomeOf(err))
	}
	return confirmed, err
}

func (m measuredPayments) Get(ctx context.Context, intent string) (payment.Intent, error) {
	ctx, end := step(ctx, "read")
	read, err := m.Payments.Get(ctx, intent)
	end(telemetry.OutcomeOf(err))
	return read, err
}

// measuredCarts are Carts, measured.
type measuredCarts struct{ Carts }

func (m measuredCarts) Quote(ctx context.Context, cart string) (Quote, error) {
	ctx, end := step(ctx, "quote")
	quote, err := m.Carts.Quote(ctx, cart)
	if refusal(err) != nil {
		end(telemetry.Refused)
	} else {
		end(telemetry.OutcomeOf(err))
	}
	return quote, err
}

// answered counts how a request of a checkout is answered.
func answered(ctx context.Context, outcome Outcome, err error) {
	as := "processing"
	switch {
	case err != nil && refusal(err) != nil:
		as = telemetry.Refused
	case err != nil:
		as = telemetry.Failed
	case outcome.State == Confirmed:
		as = "confirmed"
	case outcome.State == RequiresAction:
		as = "requires_action"
	}
	telemetry.CheckoutsEnded.Add(ctx, 1, as)
}
