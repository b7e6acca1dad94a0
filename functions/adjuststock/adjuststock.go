// Package adjuststock is the function AdjustStock: what a warehouse says of its stock is entered in the ledger, once.
package adjuststock

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"

	"google.golang.org/grpc/metadata"

	stockpb "larder.dev/api/stock/v1"
	"larder.dev/functions/internal/function"
	"larder.dev/functions/internal/push"
	"larder.dev/internal/event"
	"larder.dev/internal/fault"
)

type config struct {
	function.Config
	// CheckoutAddr is the checkout service, which serves stock, host:port.
	CheckoutAddr string `env:"CHECKOUT_ADDR,required"`
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
	return app.Push(ctx, push.On(event.StockAdjustments, func(ctx context.Context, e event.Event, adjusted *stockpb.StockAdjusted) error {
		ctx = metadata.AppendToOutgoingContext(ctx, "idempotency-key", key(e))
		_, err := stock.AdjustStock(ctx, &stockpb.AdjustStockRequest{
			StoreId: adjusted.GetStoreId(), Adjustments: adjusted.GetAdjustments(), Reason: adjusted.GetReason(),
		})
		return fault.FromRPC(err)
	}))
}

// key is the same for an event whenever it comes. Source and id name it together, and either may be of any form.
func key(e event.Event) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q", e.Source, e.ID))
	return hex.EncodeToString(sum[:])
}
