// Package reconcilestock is the function ReconcileStock: every store's virtual stock is compared with the ledger and the open holds. What differs
// and stays so is drift; the store's stock is loaded anew, and each drift is logged as an error.
package reconcilestock

import (
	"context"
	"log/slog"
	"net/http"

	stockpb "larder.dev/api/stock/v1"
	"larder.dev/functions/internal/function"
	"larder.dev/functions/internal/schedule"
	"larder.dev/internal/telemetry"
)

type config struct {
	function.Config
	// CheckoutAddr is the checkout service, which serves stock, host:port.
	CheckoutAddr string `env:"CHECKOUT_ADDR,required"`
}

type report struct {
	Stores   int   `json:"stores"`
	Products int64 `json:"products"`
	Holds    int64 `json:"holds"`
	Drifts   int   `json:"drifts"`
}

// New makes the function.
func New(ctx context.Context, app *function.App) (http.Handler, error) {
	var config config
	if err := app.Load(&config); err != nil {
		return nil, err
	}
	conn, err := app.Dial(config.CheckoutAddr)
	if err != nil {
		return nil, err
	}
	stock := stockpb.NewStockServiceClient(conn)
	return app.Schedule(ctx, func(ctx context.Context) (any, error) {
		var (
			report report
			err    error
		)
		report.Stores, err = schedule.EachStore(ctx, stock, func(ctx context.Context, store string) error {
			answer, err := stock.ReconcileStock(ctx, &stockpb.ReconcileStockRequest{StoreId: store})
			report.Products += answer.GetProducts()
			report.Holds += answer.GetHolds()
			telemetry.AuditChecked.Add(ctx, answer.GetProducts(), "stock")
			telemetry.AuditFindings.Add(ctx, int64(len(answer.GetDrifts())), "stock")
			report.Drifts += len(answer.GetDrifts())
			for _, drift := range answer.GetDrifts() {
				slog.ErrorContext(ctx, "stock has drifted", "store", store, "product", drift.GetProductId(), "ledger", drift.GetLedger(),
					"available", drift.GetAvailable(), "held", drift.GetHeld())
			}
			return err
		})
		return report, err
	})
}
