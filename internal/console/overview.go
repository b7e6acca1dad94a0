package console

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	checkoutpb "larder.dev/api/checkout/v1"
	orderpb "larder.dev/api/order/v1"
	outboxpb "larder.dev/api/outbox/v1"
	paymentpb "larder.dev/api/payment/v1"
	productpb "larder.dev/api/product/v1"
	stockpb "larder.dev/api/stock/v1"
)

// overview is the first page. A part that can't be read is nil, and says so: the others are still worth seeing.
type overview struct {
	Store string

	Orders    *orderpb.CountOrdersResponse
	PerMinute chart
	LastHour  int64
	// Waiting are confirmed orders that nobody picks yet, at most a page of them.
	Waiting *orderpb.ListStoreOrdersResponse

	Checkouts *checkoutpb.ListCheckoutsResponse
	Steps     []stepCount

	Stock    *stockpb.StockStatus
	Outbox   *outboxpb.GetOutboxResponse
	Provider *paymentpb.Provider
	// Failed are captures that the provider refuses.
	Failed *paymentpb.ListPaymentsResponse

	Audits *productpb.ListIndexAuditsResponse
	Lag    chart
}

// stepCount is how many checkouts are at a step, and since when the oldest of them.
type stepCount struct {
	Step   checkoutpb.CheckoutUnderWay_Step
	Count  int
	Oldest *checkoutpb.CheckoutUnderWay
}

func (c *Console) overview(w http.ResponseWriter, r *http.Request) error {
	o := c.look(r.Context(), c.storeOf(r))
	return c.Show(w, r, http.StatusOK, "overview", "live", o)
}

// look asks for all parts at once.
func (c *Console) look(ctx context.Context, store string) overview {
	o := overview{Store: store}
	var parts errgroup.Group
	part(ctx, &parts, &o.Orders, func() (*orderpb.CountOrdersResponse, error) {
		return c.API.CountOrders(ctx, &orderpb.CountOrdersRequest{StoreId: store})
	})
	part(ctx, &parts, &o.Waiting, func() (*orderpb.ListStoreOrdersResponse, error) {
		return c.API.ListStoreOrders(ctx, &orderpb.ListStoreOrdersRequest{StoreId: store, State: orderpb.Order_CONFIRMED, PageSize: 100})
	})
	part(ctx, &parts, &o.Checkouts, func() (*checkoutpb.ListCheckoutsResponse, error) {
		return c.API.ListCheckouts(ctx, &checkoutpb.ListCheckoutsRequest{StoreId: store, PageSize: 200})
	})
	part(ctx, &parts, &o.Stock, func() (*stockpb.StockStatus, error) {
		return c.API.GetStockStatus(ctx, &stockpb.GetStockStatusRequest{StoreId: store})
	})
	part(ctx, &parts, &o.Outbox, func() (*outboxpb.GetOutboxResponse, error) { return c.API.GetOutbox(ctx, &outboxpb.GetOutboxRequest{}) })
	part(ctx, &parts, &o.Provider, func() (*paymentpb.Provider, error) { return c.API.GetProvider(ctx, &paymentpb.GetProviderRequest{}) })
	part(ctx, &parts, &o.Failed, func() (*paymentpb.ListPaymentsResponse, error) {
		return c.API.ListPayments(ctx, &paymentpb.ListPaymentsRequest{State: orderpb.OrderPayment_CAPTURE_FAILED, PageSize: 100})
	})
	part(ctx, &parts, &o.Audits, func() (*productpb.ListIndexAuditsResponse, error) {
		answer, err := c.API.ListIndexAudits(ctx, &productpb.ListIndexAuditsRequest{})
		if err != nil {
			return nil, err
		}
		answer.Audits = ended(answer)
		return answer, nil
	})
	_ = parts.Wait() // parts don't fail
	o.PerMinute, o.LastHour = perMinute(o.Orders)
	o.Steps = steps(o.Checkouts)
	o.Lag = lag(o.Audits.GetAudits())
	return o
}

// part asks for a part of a page beside the others. Without an answer it stays nil.
func part[T any](ctx context.Context, parts *errgroup.Group, into **T, ask func() (*T, error)) {
	parts.Go(func() error {
		answer, err := ask()
		if err != nil {
			slog.WarnContext(ctx, "a part of a page can't be read", "error", err)
			return nil
		}
		*into = answer
		return nil
	})
}

func perMinute(counted *orderpb.CountOrdersResponse) (drawn chart, sum int64) {
	minutes := counted.GetMinutes()
	values := make([]int64, len(minutes))
	for i, minute := range minutes {
		values[i] = minute.GetOrders()
		sum += values[i]
	}
	return newChart("Orders in each of the last "+strconv.Itoa(len(minutes))+" minutes", values,
		func(n int64) string { return strconv.FormatInt(n, 10) },
		func(i int) string { return minutes[i].GetTime().AsTime().Local().Format("15:04") }), sum
}

func steps(listed *checkoutpb.ListCheckoutsResponse) []stepCount {
	var counts []stepCount
	for _, step := range []checkoutpb.CheckoutUnderWay_Step{
		checkoutpb.CheckoutUnderWay_RESERVED, checkoutpb.CheckoutUnderWay_PAYING, checkoutpb.CheckoutUnderWay_REQUIRES_ACTION,
		checkoutpb.CheckoutUnderWay_SETTLING, checkoutpb.CheckoutUnderWay_RELEASING,
	} {
		count := stepCount{Step: step}
		for _, checkout := range listed.GetCheckouts() {
			if checkout.GetStep() != step {
				continue
			}
			count.Count++
			if count.Oldest == nil || checkout.GetHoldTime().AsTime().Before(count.Oldest.GetHoldTime().AsTime()) {
				count.Oldest = checkout
			}
		}
		counts = append(counts, count)
	}
	return counts
}

// lag draws what audits found of the road to the index, oldest first.
func lag(newest []*productpb.IndexAudit) chart {
	audits := slices.Clone(newest)
	slices.Reverse(audits)
	values := make([]int64, len(audits))
	for i, audit := range audits {
		values[i] = audit.GetLagMs()
	}
	return newChart("How long changes took to be searchable, as each of the last audits saw it", values, seconds,
		func(i int) string { return audits[i].GetEndTime().AsTime().Local().Format("15:04") })
}

// checkoutsPage is what holds goods.
type checkoutsPage struct {
	Store     string
	Checkouts *checkoutpb.ListCheckoutsResponse
	Steps     []stepCount
	Now       time.Time
}

// Late tells that a checkout is past its deadline.
func (p checkoutsPage) Late(checkout *checkoutpb.CheckoutUnderWay) bool {
	return p.Now.After(checkout.GetDeadline().AsTime())
}

func (c *Console) listCheckouts(w http.ResponseWriter, r *http.Request) error {
	store := c.storeOf(r)
	listed, err := c.API.ListCheckouts(r.Context(), &checkoutpb.ListCheckoutsRequest{StoreId: store, PageSize: 200})
	if err != nil {
		return err
	}
	page := checkoutsPage{Store: store, Checkouts: listed, Steps: steps(listed), Now: time.Now()}
	return c.Show(w, r, http.StatusOK, "checkouts", "live", page)
}
