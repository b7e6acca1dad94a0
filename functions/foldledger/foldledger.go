// Package foldledger is the function FoldLedger: every store's ledger entries are folded into balances, so that a rebuild reads few.
package foldledger

import (
	"context"
	"net/http"

	stockpb "larder.dev/api/stock/v1"
	"larder.dev/functions/internal/function"
	"larder.dev/functions/internal/schedule"
)

type config struct {
	function.Config
	// CheckoutAddr is the checkout service, which serves stock, host:port.
	CheckoutAddr string `env:"CHECKOUT_ADDR,required"`
}

// rounds a store has at most in one run; the rest waits for the next.
const rounds = 50

type report struct {
	Stores   int   `json:"stores"`
	Products int   `json:"products"`
	Entries  int64 `json:"entries"`
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
			for range rounds {
				answer, err := stock.FoldLedger(ctx, &stockpb.FoldLedgerRequest{StoreId: store})
				report.Products += int(answer.GetProducts())
				report.Entries += answer.GetEntries()
				if err != nil || !answer.GetMore() {
					return err
				}
			}
			return nil
		})
		return report, err
	})
}
