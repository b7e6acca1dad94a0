// Package applystock is the function ApplyStock: the goods of an order that is called off, and its place in a van, are on sale again, and
// what the shopper had used up of limits is free again (rule 8). So are goods that an order was packed without; the checkout service has mostly
// applied those already.
package applystock

import (
	"context"
	"net/http"

	orderpb "larder.dev/api/order/v1"
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
	return app.Push(ctx, push.On(event.OrderEvents, func(ctx context.Context, _ event.Event, packed *orderpb.OrderPacked) error {
		if packed.GetStockEntryId() == "" { // all was picked as ordered
			return nil
		}
		request := &stockpb.ApplyStockEntryRequest{
			StoreId: packed.GetOrder().GetStoreId(), EntryId: packed.GetStockEntryId(), Epoch: packed.GetStockEpoch(),
		}
		for _, change := range packed.GetStockChanges() {
			request.Changes = append(request.Changes, &stockpb.StockChange{ProductId: change.GetProductId(), Quantity: change.GetQuantity()})
		}
		_, err := stock.ApplyStockEntry(ctx, request)
		return fault.FromRPC(err)
	}), push.On(event.OrderEvents, func(ctx context.Context, _ event.Event, cancelled *orderpb.OrderCancelled) error {
		_, err := stock.ApplyStockEntry(ctx, &stockpb.ApplyStockEntryRequest{
			StoreId: cancelled.GetOrder().GetStoreId(), EntryId: cancelled.GetStockEntryId(), Epoch: cancelled.GetStockEpoch(),
			Changes: changes(cancelled),
		})
		return fault.FromRPC(err)
	}))
}

// changes is what the ledger's entry of a cancellation gives back.
func changes(cancelled *orderpb.OrderCancelled) []*stockpb.StockChange {
	if len(cancelled.GetStockTaken()) == 0 {
		return changesOf(cancelled.GetOrder())
	}
	all := make([]*stockpb.StockChange, 0, len(cancelled.GetStockTaken()))
	for _, taken := range cancelled.GetStockTaken() {
		all = append(all, &stockpb.StockChange{ProductId: taken.GetProductId(), Quantity: taken.GetQuantity()})
	}
	return all
}

// changesOf is the same for an event of the release before, which didn't tell what was taken.
func changesOf(order *orderpb.Order) []*stockpb.StockChange {
	all := make([]*stockpb.StockChange, 0, len(order.GetLines())+1)
	for _, line := range order.GetLines() {
		all = append(all, &stockpb.StockChange{ProductId: line.GetProductId(), Quantity: int64(line.GetQuantity())})
	}
	if slot := order.GetDeliverySlot().GetSlotId(); slot != "" {
		all = append(all, &stockpb.StockChange{ProductId: "slot:" + slot, Quantity: 1})
	}
	return all
}
