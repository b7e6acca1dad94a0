package stock_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"larder.dev/internal/identity"
	"larder.dev/internal/stock"

	stockpb "larder.dev/api/stock/v1"
)

// A rebuild tells how far it is: at first that somebody sums the ledger, then what is loaded, and afterwards nothing.
func TestRebuildTellsHowFarItIs(t *testing.T) {
	c := serveStock(t)
	c.adjust(t, map[string]int64{"apples": 1})
	under := func() *stockpb.RebuildProgress {
		t.Helper()
		status, err := c.client.GetStockStatus(c.as(t, identity.RoleOperator), &stockpb.GetStockStatusRequest{StoreId: c.store})
		if err != nil {
			t.Fatal(err)
		}
		return status.GetRebuildUnderWay()
	}
	if got := under(); got != nil {
		t.Fatalf("before it there is %v", got)
	}
	unlock, locked, err := c.virtual.TryLock(t.Context(), c.store)
	if err != nil || !locked {
		t.Fatal(locked, err)
	}
	if got := under(); got == nil || got.GetProducts() != 0 || got.GetStartTime() != nil {
		t.Errorf("while the ledger is summed there is %v", got)
	}
	unlock()

	const products = 100_000
	quantities := make(map[string]int64, products)
	for i := range products {
		quantities["p"+strconv.Itoa(i)] = 1
	}
	loaded := make(chan error, 1)
	go func() { loaded <- c.virtual.Load(t.Context(), c.store, stock.EpochAt(time.Now()), quantities) }()
	seen := poll(20*time.Second, func() bool {
		got, err := c.virtual.Loading(t.Context(), c.store)
		if err != nil {
			t.Error(err)
		}
		return got != nil && got.Products == products && got.Loaded > 0 && got.Loaded < products && time.Since(got.Began) < time.Minute
	})
	if err := <-loaded; err != nil || !seen {
		t.Errorf("loaded with %v, seen under way: %t", err, seen)
	}
	if got := under(); got != nil {
		t.Errorf("behind it there is %v", got)
	}
}

// Whoever looks after a store tells how many holds it has.
func TestOpenHoldsAreTold(t *testing.T) {
	reader := metric.NewManualReader()
	before := otel.GetMeterProvider()
	otel.SetMeterProvider(metric.NewMeterProvider(metric.WithReader(reader)))
	t.Cleanup(func() { otel.SetMeterProvider(before) })
	s := open(t)
	s.adjust(t, map[string]int64{"apples": 9})
	s.want(t, map[string]int64{"apples": 9})
	told := func() (value float64) {
		t.Helper()
		if err := s.Check(t.Context(), s.store); err != nil {
			t.Fatal(err)
		}
		var all metricdata.ResourceMetrics
		if err := reader.Collect(t.Context(), &all); err != nil {
			t.Fatal(err)
		}
		value = -1
		for _, scope := range all.ScopeMetrics {
			for _, m := range scope.Metrics {
				gauge, ok := m.Data.(metricdata.Gauge[float64])
				for i := 0; ok && m.Name == "larder.stock.holds.open" && i < len(gauge.DataPoints); i++ {
					if store, _ := gauge.DataPoints[i].Attributes.Value("larder.store"); store.AsString() == s.store {
						value = gauge.DataPoints[i].Value
					}
				}
			}
		}
		return value
	}
	if got := told(); got != 0 {
		t.Errorf("%v holds are told of a store without", got)
	}
	var orders []string
	for range 3 {
		orders = append(orders, uuid.NewString())
		if _, err := s.reserve(t.Context(), orders[len(orders)-1], line("apples", 1)); err != nil {
			t.Fatal(err)
		}
	}
	if got := told(); got != 3 {
		t.Errorf("%v holds are told, want 3", got)
	}
	if err := s.Release(t.Context(), s.store, orders[0]); err != nil {
		t.Fatal(err)
	}
	if got := told(); got != 2 {
		t.Errorf("%v holds are told, want 2", got)
	}
}
