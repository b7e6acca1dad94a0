// Package updatepopularity is the function UpdatePopularity: how popular products are, for the ranking of search, is computed of what all stores have
// sold in four weeks. What sold in the four weeks before and nothing since is popular no more; what never sold keeps what the merchandiser gave it.
package updatepopularity

import (
	"context"
	"fmt"
	"maps"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	productpb "larder.dev/api/product/v1"
	stockpb "larder.dev/api/stock/v1"
	"larder.dev/functions/internal/function"
	"larder.dev/functions/internal/schedule"
)

type config struct {
	function.Config
	// CheckoutAddr is the checkout service, which serves stock, host:port.
	CheckoutAddr string `env:"CHECKOUT_ADDR,required"`
	// ProductAddr is the product service, host:port.
	ProductAddr string `env:"PRODUCT_ADDR,required"`
}

const (
	period = 28 * 24 * time.Hour
	most   = 10_000 // products of a store that are looked at
	batch  = 1_000  // products of one update
	best   = 1_000  // the popularity of the best seller
)

type report struct {
	Stores   int `json:"stores"`
	Products int `json:"products"`
	Changed  int `json:"changed"`
}

// New makes the function.
func New(ctx context.Context, app *function.App) (http.Handler, error) {
	var config config
	if err := app.Load(&config); err != nil {
		return nil, err
	}
	stockConn, err := app.Dial(config.CheckoutAddr)
	if err != nil {
		return nil, err
	}
	productConn, err := app.Dial(config.ProductAddr)
	if err != nil {
		return nil, err
	}
	stock, products := stockpb.NewStockServiceClient(stockConn), productpb.NewProductServiceClient(productConn)
	return app.Schedule(ctx, func(ctx context.Context) (any, error) {
		var (
			report report
			err    error
		)
		sold, now := map[string]int64{}, time.Now()
		report.Stores, err = schedule.EachStore(ctx, stock, func(ctx context.Context, store string) error {
			lately, err := sales(ctx, stock, store, now.Add(-period))
			if err != nil {
				return err
			}
			for product, quantity := range lately {
				sold[product] += quantity
			}
			before, err := sales(ctx, stock, store, now.Add(-2*period))
			for product := range before {
				sold[product] += 0 // it is told of, also if nobody bought it lately
			}
			return err
		})
		if err != nil { // a store that is missing would make its products unpopular
			return report, err
		}
		popular := popularity(sold)
		report.Products = len(popular)
		for part := range slices.Chunk(popular, batch) {
			answer, err := products.UpdatePopularity(ctx, &productpb.UpdatePopularityRequest{Products: part})
			if err != nil {
				return report, fmt.Errorf("update popularity: %w", err)
			}
			report.Changed += int(answer.GetChanged())
		}
		return report, nil
	})
}

// sales is how much of each product a store has sold since a time.
func sales(ctx context.Context, stock stockpb.StockServiceClient, store string, since time.Time) (map[string]int64, error) {
	answer, err := stock.SummarizeSales(ctx, &stockpb.SummarizeSalesRequest{StoreId: store, Since: timestamppb.New(since), Limit: most})
	sold := map[string]int64{}
	for _, sales := range answer.GetSales() {
		if !strings.HasPrefix(sales.GetProductId(), "slot:") { // places in vans are counted as stock is
			sold[sales.GetProductId()] = sales.GetQuantity()
		}
	}
	return sold, err
}

// popularity is 0 to 1,000 by the logarithm of what was sold: the best seller of a shop sells hundreds of times as much as most, and
// would leave nothing to tell them apart. In the order of product ids, so that two runs at once lock rows alike.
func popularity(sold map[string]int64) []*productpb.Popularity {
	var top int64
	for _, quantity := range sold {
		top = max(top, quantity)
	}
	var all []*productpb.Popularity
	for _, product := range slices.Sorted(maps.Keys(sold)) {
		quantity := max(0, sold[product]) // more may have been cancelled than sold in the time
		share := math.Log1p(float64(quantity)) / math.Log1p(float64(max(1, top)))
		all = append(all, &productpb.Popularity{ProductId: product, Popularity: int32(math.Round(best * share))})
	}
	return all
}
