// Package activateprices is the function ActivatePrices: the documents of products whose prices began or ended are brought up to date.
package activateprices

import (
	"context"
	"net/http"

	productpb "larder.dev/api/product/v1"
	"larder.dev/functions/internal/function"
)

type config struct {
	function.Config
	// ProductAddr is the product service, host:port.
	ProductAddr string `env:"PRODUCT_ADDR,required"`
}

// rounds of one run at most; the rest waits for the next.
const rounds = 100

type report struct {
	Products int  `json:"products"`
	More     bool `json:"more"`
}

// New makes the function.
func New(ctx context.Context, app *function.App) (http.Handler, error) {
	var config config
	if err := app.Load(&config); err != nil {
		return nil, err
	}
	conn, err := app.Dial(config.ProductAddr)
	if err != nil {
		return nil, err
	}
	products := productpb.NewProductServiceClient(conn)
	return app.Schedule(ctx, func(ctx context.Context) (any, error) {
		var report report
		for range rounds {
			answer, err := products.ActivatePrices(ctx, &productpb.ActivatePricesRequest{})
			report.Products += int(answer.GetProducts())
			report.More = answer.GetMore()
			if err != nil || !report.More {
				return report, err
			}
		}
		return report, nil
	})
}
