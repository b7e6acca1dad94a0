package spanner

import (
	"context"
	"time"

	"cloud.google.com/go/spanner"

	orderspanner "larder.dev/internal/order/spanner"
	"larder.dev/internal/stock"
)

// Sales tells room stock which orders are sold. It implements stock.Orders.
type Sales struct{ client *spanner.Client }

var _ stock.Orders = Sales{}

// NewSales makes one.
func NewSales(client *spanner.Client) Sales { return Sales{client: client} }

// Sold implements stock.Orders.
func (s Sales) Sold(ctx context.Context, at time.Time, orders []string) (map[string]stock.Hold, error) {
	if len(orders) == 0 {
		return nil, nil
	}
	sales, err := orderspanner.Sold(ctx, s.client.Single().WithTimestampBound(spanner.ReadTimestamp(at)), orders)
	if err != nil {
		return nil, err
	}
	holds := make(map[string]stock.Hold, len(sales))
	for id, sale := range sales {
		holds[id] = stock.Hold{Epoch: stock.EpochAt(sale.Epoch), Token: sale.HoldToken}
	}
	return holds, nil
}
