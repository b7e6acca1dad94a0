// Package reapcheckouts is the function ReapCheckouts: holds past their deadline are looked after, in every store (rule 11). It also has a
// store's virtual stock loaded anew whose epoch isn't Spanner's.
package reapcheckouts

import (
	"context"
	"net/http"

	checkoutpb "larder.dev/api/checkout/v1"
	stockpb "larder.dev/api/stock/v1"
	"larder.dev/functions/internal/function"
	"larder.dev/functions/internal/schedule"
)

type config struct {
	function.Config
	// CheckoutAddr is the checkout service, which serves stock, host:port.
	CheckoutAddr string `env:"CHECKOUT_ADDR,required"`
}

// A round asks for batch holds; a store has at most rounds in one run, the rest the next time.
const (
	batch  = 100
	rounds = 50
)

type report struct {
	Stores int `json:"stores"`
	Reaped int `json:"reaped"`
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
	stock, checkouts := stockpb.NewStockServiceClient(conn), checkoutpb.NewCheckoutServiceClient(conn)
	return app.Schedule(ctx, func(ctx context.Context) (any, error) {
		var (
			report report
			err    error
		)
		report.Stores, err = schedule.EachStore(ctx, stock, func(ctx context.Context, store string) error {
			for range rounds {
				answer, err := checkouts.ReapCheckouts(ctx, &checkoutpb.ReapCheckoutsRequest{StoreId: store, Limit: batch})
				report.Reaped += int(answer.GetReaped())
				if err != nil || answer.GetReaped() < batch {
					return err
				}
			}
			return nil
		})
		return report, err
	})
}
