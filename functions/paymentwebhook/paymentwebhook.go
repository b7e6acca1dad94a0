// Package paymentwebhook is the function PaymentWebhook: the payment provider tells what happened, by a request that it signs. What holds
// is published to the topic payment-events, and only then acknowledged: the provider sends again what it has no 200 for.
//
// It is the one function that the public reaches, through the load balancer; the signature over the raw body is the proof of who calls.
package paymentwebhook

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	paymentpb "larder.dev/api/payment/v1"
	"larder.dev/functions/internal/function"
	"larder.dev/internal/chaos"
	"larder.dev/internal/event"
	"larder.dev/internal/fault"
	"larder.dev/internal/payment/stripe"
	"larder.dev/internal/serve"
	"larder.dev/internal/telemetry"
)

// Source is the ce-source of the provider's events. Their ce-id is the provider's own, so what is sent twice is the same event.
const Source = "//larder.dev/stripe"

const (
	path    = "/v1/webhooks/payments/stripe"
	maxBody = 1 << 20
	// publishing takes no longer; the provider gives up after some 10 s, and comes again.
	publishing = 8 * time.Second
)

type config struct {
	function.Config
	// Secrets sign the provider's requests: more than one while they are rotated.
	Secrets []string `env:"WEBHOOK_SECRETS,required,notEmpty"`
	// Tolerance is how far the time of signing may be off.
	Tolerance time.Duration `env:"WEBHOOK_TOLERANCE" envDefault:"5m"`
}

// New makes the function.
func New(ctx context.Context, app *function.App) (http.Handler, error) {
	var config config
	if err := app.Load(&config); err != nil {
		return nil, err
	}
	for _, secret := range config.Secrets {
		if strings.TrimSpace(secret) == "" {
			return nil, errors.New("WEBHOOK_SECRETS has an empty secret: anybody could sign with it")
		}
	}
	client, err := app.PubSub(ctx)
	if err != nil {
		return nil, err
	}
	return &webhook{config: config, now: time.Now, publish: func(ctx context.Context, e event.Event) error {
		return event.Publish(ctx, client, config.Project, event.PaymentEvents, e)
	}}, nil
}

type webhook struct {
	config  config
	now     func() time.Time
	publish func(ctx context.Context, e event.Event) error
}

var tracer = otel.Tracer("larder.dev/functions/paymentwebhook")

// ServeHTTP answers 200 to what was published, and to what is nothing for us. Refusals are coded errors, as the services' are.
func (h *webhook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.answer(w, serve.NameRequest(w, r))
}

func (h *webhook) answer(w http.ResponseWriter, r *http.Request) {
	// A provider that passes traces on, as the local one does, tells in which one this happened. Stripe doesn't: then a trace begins here.
	ctx := telemetry.Propagator.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
	ctx, span := tracer.Start(ctx, "POST "+path, trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(
		semconv.HTTPRequestMethodPost, semconv.HTTPRoute(path)))
	defer span.End()
	err := h.take(ctx, w, r)
	if err == nil {
		w.WriteHeader(http.StatusOK)
		return
	}
	if fault.From(err).Reason().HTTP >= http.StatusInternalServerError {
		slog.ErrorContext(ctx, "webhook failed", "error", err.Error())
	} else {
		slog.WarnContext(ctx, "webhook refused", "error", err.Error())
	}
	serve.WriteError(w, r, err)
}

func (h *webhook) take(ctx context.Context, w http.ResponseWriter, r *http.Request) error {
	switch {
	case r.URL.Path != path:
		return fault.RouteNotFound.New("there is no %s", r.URL.Path)
	case r.Method != http.MethodPost:
		return fault.MethodNotAllowed.New("%s doesn't take %s", r.URL.Path, r.Method)
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return fault.RequestTooLarge.New("the body may have %d bytes", maxBody)
	case err != nil:
		return fault.Invalid("body", "can't be read to its end").WithCause(err)
	}
	told, err := stripe.ReadWebhook(body, r.Header.Get("Stripe-Signature"), h.config.Secrets, h.config.Tolerance, h.now())
	if err != nil {
		return err
	}
	if told == nil {
		slog.DebugContext(ctx, "webhook is nothing for us")
		return nil
	}
	return h.tell(ctx, told)
}

// tell publishes an event and waits for the acknowledgement.
func (h *webhook) tell(ctx context.Context, told *paymentpb.ProviderEvent) error {
	ctx, cancel := context.WithTimeout(ctx, publishing)
	defer cancel()
	e, err := event.New(told.GetEventId(), Source, "payments/"+told.GetIntentId(), told.GetCreateTime().AsTime(), told)
	if err != nil {
		return err
	}
	e.TraceParent = event.TraceParent(ctx)
	if err := h.publish(ctx, e); err != nil {
		return fault.Unavailable.New("the event can't be taken in now, send it again").WithRetryAfter(time.Second).
			WithCause(fmt.Errorf("publish %s: %w", told.GetEventId(), err))
	}
	chaos.At(chaos.FunctionPublished)
	slog.DebugContext(ctx, "webhook published", "event", told.GetEventId(), "type", told.GetType(), "order", told.GetOrderId())
	return nil
}
