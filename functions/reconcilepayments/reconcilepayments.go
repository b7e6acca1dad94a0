// Package reconcilepayments is the function ReconcilePayments: payments that are open and past their time are looked after (rule 11), and refunds
// whose asker has died are gone on with; then our books are compared with the provider's own list, and what can be mended safely is. What differs
// still is logged as an error: somebody has to look at it.
package reconcilepayments

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	checkoutpb "larder.dev/api/checkout/v1"
	paymentpb "larder.dev/api/payment/v1"
	"larder.dev/functions/internal/function"
	"larder.dev/internal/telemetry"
)

type config struct {
	function.Config
	// CheckoutAddr is the checkout service, host:port.
	CheckoutAddr string `env:"CHECKOUT_ADDR,required"`
	// PaymentAddr is the payment service, host:port.
	PaymentAddr string `env:"PAYMENT_ADDR,required"`
}

// A round asks for batch payments; the rest waits for the next run.
const (
	batch  = 100
	rounds = 50
)

type report struct {
	Reconciled int `json:"reconciled"`
	Refunds    int `json:"refunds"`
	Checked    int `json:"checked"`
	Mended     int `json:"mended"`
	Findings   int `json:"findings"`
}

// New makes the function.
func New(ctx context.Context, app *function.App) (http.Handler, error) {
	var config config
	if err := app.Load(&config); err != nil {
		return nil, err
	}
	checkoutConn, err := app.Dial(config.CheckoutAddr)
	if err != nil {
		return nil, err
	}
	paymentConn, err := app.Dial(config.PaymentAddr)
	if err != nil {
		return nil, err
	}
	checkouts, payments := checkoutpb.NewCheckoutServiceClient(checkoutConn), paymentpb.NewPaymentServiceClient(paymentConn)
	return app.Schedule(ctx, func(ctx context.Context) (any, error) {
		var report report
		err := errors.Join(reconcile(ctx, checkouts, &report), refund(ctx, payments, &report), audit(ctx, payments, &report))
		return report, err
	})
}

func reconcile(ctx context.Context, checkouts checkoutpb.CheckoutServiceClient, report *report) error {
	for range rounds {
		answer, err := checkouts.ReconcileCheckouts(ctx, &checkoutpb.ReconcileCheckoutsRequest{Limit: batch})
		if err != nil {
			return fmt.Errorf("reconcile checkouts: %w", err)
		}
		report.Reconciled += int(answer.GetReconciled())
		if answer.GetReconciled() < batch {
			break
		}
	}
	return nil
}

func refund(ctx context.Context, payments paymentpb.PaymentServiceClient, report *report) error {
	for range rounds {
		answer, err := payments.FinishRefunds(ctx, &paymentpb.FinishRefundsRequest{Limit: batch})
		if err != nil {
			return fmt.Errorf("finish refunds: %w", err)
		}
		report.Refunds += int(answer.GetAttended())
		if answer.GetAttended() < batch {
			break
		}
	}
	return nil
}

func audit(ctx context.Context, payments paymentpb.PaymentServiceClient, report *report) error {
	request := &paymentpb.AuditPaymentsRequest{Mend: true}
	for {
		answer, err := payments.AuditPayments(ctx, request)
		if err != nil {
			return fmt.Errorf("audit payments: %w", err)
		}
		report.Checked += int(answer.GetChecked())
		telemetry.AuditChecked.Add(ctx, int64(answer.GetChecked()), "payments")
		telemetry.AuditFindings.Add(ctx, int64(len(answer.GetFindings())), "payments")
		for _, finding := range answer.GetFindings() {
			what := []any{"kind", finding.GetKind().String(), "order", finding.GetOrderId(), "intent", finding.GetIntentId(), "detail", finding.GetDetail()}
			if finding.GetMended() {
				report.Mended++
				slog.WarnContext(ctx, "payment differed from the provider's, and was mended", what...)
				continue
			}
			report.Findings++
			slog.ErrorContext(ctx, "payment differs from the provider's", what...)
		}
		if request.PageToken = answer.GetNextPageToken(); request.GetPageToken() == "" {
			return nil
		}
	}
}
