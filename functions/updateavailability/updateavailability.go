// Package updateavailability is the function UpdateAvailability: the catalogue learns which products turned available or unavailable in a store. An
// older word never wins there, so order and repetition don't matter.
package updateavailability

import (
	"context"
	"net/http"

	productpb "larder.dev/api/product/v1"
	stockpb "larder.dev/api/stock/v1"
	"larder.dev/functions/internal/function"
	"larder.dev/functions/internal/push"
	"larder.dev/internal/event"
	"larder.dev/internal/fault"
)

type config struct {
	function.Config
	// ProductAddr is the product service, host:port.
	ProductAddr string `env:"PRODUCT_ADDR,required"`
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
	return app.Push(ctx, push.On(event.StockEvents, func(ctx context.Context, _ event.Event, changed *stockpb.AvailabilityChanged) error {
		request := &productpb.UpdateAvailabilityRequest{StoreId: changed.GetStoreId(), Epoch: changed.GetEpoch()}
		for _, change := range changed.GetChanges() {
			request.Changes = append(request.Changes, &productpb.Availability{
				ProductId: change.GetProductId(), Available: change.GetAvailable(), Sequence: change.GetSequence(),
			})
		}
		_, err := products.UpdateAvailability(ctx, request)
		return fault.FromRPC(err)
	}))
}
