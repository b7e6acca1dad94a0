package stock_test

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	stockpb "larder.dev/api/stock/v1"
	"larder.dev/internal/fault"
	"larder.dev/internal/identity"
	"larder.dev/internal/serve"
	"larder.dev/internal/serve/servetest"
	"larder.dev/internal/stock"
)

// shelf is a catalogue of one store.
type shelf struct {
	store    string
	products []string
}

func (c shelf) Unknown(_ context.Context, store string, products []string) ([]string, error) {
	if store != c.store {
		return nil, fault.StoreNotFound.New("there is no store %s", store)
	}
	return slices.DeleteFunc(slices.Clone(products), func(p string) bool { return slices.Contains(c.products, p) }), nil
}

// counter is the service, served whole, and its callers.
type counter struct {
	shop
	issuer *servetest.Issuer
	client stockpb.StockServiceClient
}

func serveStock(t *testing.T) counter {
	t.Helper()
	s := open(t)
	issuer := servetest.NewIssuer(t)
	server := issuer.Start(t, "checkout", func(ctx context.Context, app *serve.App) error {
		known := shelf{s.store, []string{"apples", "pears", "plums"}}
		return app.Register(ctx, &stockpb.StockService_ServiceDesc, stock.NewServer(s.Service, s.reconciler(), known, time.Now), nil)
	})
	conn, err := grpc.NewClient(host(t, server.URL), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return counter{shop: s, issuer: issuer, client: stockpb.NewStockServiceClient(conn)}
}

func host(t *testing.T, address string) string {
	t.Helper()
	parsed, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return net.JoinHostPort(parsed.Hostname(), parsed.Port())
}

func (c counter) as(t *testing.T, role string) context.Context {
	t.Helper()
	token := c.issuer.Token(t, identity.Caller{UserID: uuid.NewString(), Roles: []string{role}}, time.Minute)
	return metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+token)
}

func (c counter) service(t *testing.T, name string) context.Context {
	t.Helper()
	return metadata.AppendToOutgoingContext(t.Context(), identity.ServiceTokenHeader, c.issuer.ServiceToken(t, name))
}

func withKey(ctx context.Context, key string) context.Context {
	return metadata.AppendToOutgoingContext(ctx, "idempotency-key", key)
}

// A warehouse's message is entered once, whoever is asked to enter it again; other callers' keys are their own.
func TestAdjustStockByTheFunction(t *testing.T) {
	c := serveStock(t)
	request := &stockpb.AdjustStockRequest{StoreId: c.store, Reason: "delivery 4711", Adjustments: []*stockpb.Adjustment{{ProductId: "apples", Quantity: 7}}}
	function := withKey(c.service(t, "adjuststock"), "warehouse-1")
	for range 2 {
		answer, err := c.client.AdjustStock(function, request)
		if err != nil {
			t.Fatal(err)
		}
		if got := answer.GetStock()[0].GetAvailable(); got != 7 {
			t.Errorf("%d apples, want 7", got)
		}
	}
	other := proto.CloneOf(request)
	other.Reason = "delivery 4712"
	if _, err := c.client.AdjustStock(function, other); !fault.Is(err, fault.IdempotencyKeyReused) {
		t.Errorf("another adjustment with the key: %v", err)
	}
	if _, err := c.client.AdjustStock(withKey(c.as(t, identity.RoleOperator), "warehouse-1"), request); err != nil {
		t.Errorf("an operator with the same key: %v", err)
	}
	c.want(t, map[string]int64{"apples": 14})
	if _, err := c.client.AdjustStock(withKey(c.service(t, "updateavailability"), "warehouse-2"), request); !fault.Is(err, fault.PermissionDenied) {
		t.Errorf("another function: %v", err)
	}

	history, err := c.client.ListStockEntries(c.as(t, identity.RoleOperator), &stockpb.ListStockEntriesRequest{StoreId: c.store, ProductId: "apples"})
	if err != nil || len(history.GetEntries()) != 2 {
		t.Fatalf("history: %v, %v", history, err)
	}
	if first := history.GetEntries()[1]; first.GetActor() != "adjuststock" || first.GetReason() != "delivery 4711" || first.GetQuantity() != 7 || first.GetKind() != "adjustment" {
		t.Errorf("the first entry is %v", first)
	}
}

func TestListStockEntriesInPages(t *testing.T) {
	c := serveStock(t)
	operator := c.as(t, identity.RoleOperator)
	for i := range 5 {
		c.adjust(t, map[string]int64{"apples": int64(i + 1), "pears": 1})
	}
	var got []int64
	request := &stockpb.ListStockEntriesRequest{StoreId: c.store, ProductId: "apples", PageSize: 2}
	for {
		page, err := c.client.ListStockEntries(operator, request)
		if err != nil {
			t.Fatal(err)
		}
		for _, entry := range page.GetEntries() {
			got = append(got, entry.GetQuantity())
		}
		if request.PageToken = page.GetNextPageToken(); request.GetPageToken() == "" {
			break
		}
		if len(got) == 2 {
			other := proto.CloneOf(request)
			other.ProductId = "pears"
			if _, err := c.client.ListStockEntries(operator, other); !fault.Is(err, fault.InvalidPageToken) {
				t.Errorf("another product's token: %v", err)
			}
		}
	}
	if !slices.Equal(got, []int64{5, 4, 3, 2, 1}) {
		t.Errorf("listed %v, want the newest first", got)
	}
	for _, token := range []string{"?", "c3RvY2s", "ZW50cmllcy4"} {
		if _, err := c.client.ListStockEntries(operator, &stockpb.ListStockEntriesRequest{StoreId: c.store, ProductId: "apples", PageToken: token}); !fault.Is(err, fault.InvalidPageToken) {
			t.Errorf("token %q: %v", token, err)
		}
	}
}

func TestSlotsByTheService(t *testing.T) {
	c := serveStock(t)
	operator := c.as(t, identity.RoleOperator)
	put := func(id string, start, end time.Time, capacity int32) (*stockpb.DeliverySlot, error) {
		return c.client.PutSlot(operator, &stockpb.PutSlotRequest{
			StoreId: c.store, SlotId: id, StartTime: timestamppb.New(start), EndTime: timestamppb.New(end), Capacity: capacity,
		})
	}
	for range 2 {
		slot, err := put("noon", noon, noon.Add(time.Hour), 3)
		if err != nil || slot.GetCapacity() != 3 || slot.GetAvailable() != 3 || !slot.GetSlot().GetStartTime().AsTime().Equal(noon) {
			t.Errorf("put: %v, %v", slot, err)
		}
	}
	if _, err := put("later", noon.Add(time.Hour), noon.Add(2*time.Hour), 0); err != nil {
		t.Error(err)
	}
	for name, try := range map[string]func() error{
		"backwards": func() error { _, err := put("a1", noon, noon.Add(-time.Hour), 1); return err },
		"no end": func() error {
			_, err := c.client.PutSlot(operator, &stockpb.PutSlotRequest{StoreId: c.store, SlotId: "a1", StartTime: timestamppb.New(noon)})
			return err
		},
		"a colon":      func() error { _, err := put("a:1", noon, noon.Add(time.Hour), 1); return err },
		"too many":     func() error { _, err := put("a1", noon, noon.Add(time.Hour), 10001); return err },
		"out of range": func() error { _, err := put("a1", time.Unix(1<<40, 0), time.Unix(1<<40, 0), 1); return err },
		"as a product": func() error {
			_, err := c.client.GetStock(operator, &stockpb.GetStockRequest{StoreId: c.store, ProductId: "slot:noon"})
			return err
		},
		"adjusted": func() error {
			_, err := c.client.AdjustStock(withKey(operator, "12345678"), &stockpb.AdjustStockRequest{
				StoreId: c.store, Reason: "x", Adjustments: []*stockpb.Adjustment{{ProductId: "slot:noon", Quantity: 1}},
			})
			return err
		},
	} {
		if err := try(); !fault.Is(err, fault.InvalidArgument) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Whoever looks for a time to be delivered at needn't be signed in.
	listed, err := c.client.ListSlots(t.Context(), &stockpb.ListSlotsRequest{StoreId: c.store})
	if err != nil || len(listed.GetSlots()) != 2 || listed.GetSlots()[0].GetAvailable() != 3 || listed.GetSlots()[1].GetSlot().GetSlotId() != "later" {
		t.Errorf("listed: %v, %v", listed, err)
	}
	if _, err := c.client.ListSlots(t.Context(), &stockpb.ListSlotsRequest{StoreId: "mars"}); !fault.Is(err, fault.StoreNotFound) {
		t.Errorf("an unknown store's: %v", err)
	}
	if _, err := c.client.PutSlot(c.as(t, identity.RoleShopper), &stockpb.PutSlotRequest{
		StoreId: c.store, SlotId: "mine", StartTime: timestamppb.New(noon), EndTime: timestamppb.New(noon.Add(time.Hour)), Capacity: 1,
	}); !fault.Is(err, fault.PermissionDenied) {
		t.Errorf("opened by a shopper: %v", err)
	}
}

func TestUpkeepByTheFunctions(t *testing.T) {
	c := serveStock(t)
	c.adjust(t, map[string]int64{"apples": 10})
	epoch, err := c.ledger.Epoch(t.Context(), c.store)
	if err != nil {
		t.Fatal(err)
	}
	order := c.sell(t, false, line("apples", 4))

	stores, err := c.client.ListStockedStores(c.service(t, "foldledger"), &stockpb.ListStockedStoresRequest{})
	if err != nil || !slices.Equal(stores.GetStoreIds(), []string{c.store}) {
		t.Errorf("stocked stores: %v, %v", stores, err)
	}
	entry := &stockpb.ApplyStockEntryRequest{
		StoreId: c.store, EntryId: "cancellation:" + order, Epoch: int64(epoch), Changes: []*stockpb.StockChange{{ProductId: "apples", Quantity: 2}, {ProductId: "slot:noon", Quantity: 1}},
	}
	for range 2 {
		if _, err := c.client.ApplyStockEntry(c.service(t, "applystock"), entry); err != nil {
			t.Fatal(err)
		}
	}
	c.want(t, map[string]int64{"apples": 12})
	sales, err := c.client.SummarizeSales(c.service(t, "updatepopularity"), &stockpb.SummarizeSalesRequest{StoreId: c.store, Since: timestamppb.New(time.Now().Add(-time.Hour))})
	if err != nil || len(sales.GetSales()) != 1 || sales.GetSales()[0].GetQuantity() != 4 {
		t.Errorf("sales: %v, %v", sales, err)
	}
	if folded, err := c.client.FoldLedger(c.service(t, "foldledger"), &stockpb.FoldLedgerRequest{StoreId: c.store}); err != nil || folded.GetMore() {
		t.Errorf("folded: %v, %v", folded, err)
	}
	found, err := c.client.ReconcileStock(c.service(t, "reconcilestock"), &stockpb.ReconcileStockRequest{StoreId: c.store})
	if err != nil {
		t.Fatal(err)
	}
	var drifts []string
	for _, d := range found.GetDrifts() {
		drifts = append(drifts, fmt.Sprint(d.GetProductId(), " ", d.GetLedger(), " ", d.GetAvailable(), " ", d.GetHeld()))
	}
	// What was sold here was never held, what was given back never entered.
	if !slices.Equal(drifts, []string{"apples 6 12 0", "slot:noon 0 1 0"}) || !found.GetEpoch().AsTime().After(epoch.Time()) {
		t.Errorf("found %v, epoch %s", drifts, found.GetEpoch().AsTime())
	}
	c.want(t, map[string]int64{"apples": 6})

	for name, call := range map[string]func(ctx context.Context) error{
		"ApplyStockEntry": func(ctx context.Context) error { _, err := c.client.ApplyStockEntry(ctx, entry); return err },
		"FoldLedger": func(ctx context.Context) error {
			_, err := c.client.FoldLedger(ctx, &stockpb.FoldLedgerRequest{StoreId: c.store})
			return err
		},
		"ReconcileStock": func(ctx context.Context) error {
			_, err := c.client.ReconcileStock(ctx, &stockpb.ReconcileStockRequest{StoreId: c.store})
			return err
		},
	} {
		if err := call(c.service(t, "clearcart")); !fault.Is(err, fault.PermissionDenied) {
			t.Errorf("%s by another function: %v", name, err)
		}
		if err := call(t.Context()); err == nil {
			t.Errorf("%s by nobody", name)
		}
	}
}
