package stock_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/timestamppb"

	stockpb "larder.dev/api/stock/v1"
	"larder.dev/internal/fault"
	"larder.dev/internal/identity"
	"larder.dev/internal/stock"
)

func TestStatusAndRebuild(t *testing.T) {
	c := serveStock(t)
	c.adjust(t, map[string]int64{"apples": 9})
	ada := uuid.NewString()
	operator := metadata.AppendToOutgoingContext(t.Context(), "authorization",
		"Bearer "+c.issuer.Token(t, identity.Caller{UserID: ada, Roles: []string{identity.RoleOperator}}, time.Minute))
	status := func() *stockpb.StockStatus {
		t.Helper()
		status, err := c.client.GetStockStatus(operator, &stockpb.GetStockStatusRequest{StoreId: c.store})
		if err != nil {
			t.Fatal(err)
		}
		return status
	}
	c.want(t, map[string]int64{"apples": 9})
	if _, err := c.reserve(t.Context(), uuid.NewString(), line("apples", 2)); err != nil {
		t.Fatal(err)
	}
	late := uuid.NewString()
	if _, err := c.Reserve(t.Context(), c.store, late, []stock.Line{line("apples", 3)}, time.Now().Add(-time.Minute), 0); err != nil {
		t.Fatal(err)
	}
	before := status()
	if before.GetEpoch() == nil || !before.GetEpoch().AsTime().Equal(before.GetLoadedEpoch().AsTime()) || before.GetHolds() != 2 || before.GetOverdueHolds() != 1 {
		t.Fatalf("the status is %v, want one epoch and two holds, one of them overdue", before)
	}
	holds, err := c.Holds(t.Context(), c.store, time.Now(), 1)
	if err != nil || holds.All != 2 || len(holds.First) != 1 || holds.First[0].ID != late || holds.First[0].Lines[0] != line("apples", 3) {
		t.Errorf("the first hold is %v, %v, want %s", holds, err, late)
	}

	request := &stockpb.RebuildStockRequest{StoreId: c.store, SeenEpoch: before.GetEpoch()}
	rebuilt, err := c.client.RebuildStock(operator, request)
	if err != nil || rebuilt.GetProducts() != 1 {
		t.Fatalf("%v, %v", rebuilt, err)
	}
	again, err := c.client.RebuildStock(operator, request)
	if err != nil || again.GetProducts() != 0 || !again.GetEpoch().AsTime().Equal(rebuilt.GetEpoch().AsTime()) {
		t.Errorf("the same request again: %v, %v, want nothing done and the epoch %v", again, err, rebuilt.GetEpoch())
	}
	after := status()
	if got := after.GetRebuilds()[0]; got.GetActor() != ada || !got.GetEpoch().AsTime().Equal(rebuilt.GetEpoch().AsTime()) {
		t.Errorf("the last rebuild is %v, want the operator's", got)
	}
	if len(after.GetRebuilds()) != len(before.GetRebuilds())+1 {
		t.Errorf("%d rebuilds, want one more than %d", len(after.GetRebuilds()), len(before.GetRebuilds()))
	}
	if after.GetHolds() != 0 {
		t.Errorf("%d holds are left by a rebuild", after.GetHolds())
	}

	c.flush(t)
	if lost := status(); lost.GetLoadedEpoch() != nil || lost.GetEpoch() == nil {
		t.Errorf("with Redis empty the status is %v, want no loaded epoch", lost)
	}
	_, err = c.client.GetStockStatus(operator, &stockpb.GetStockStatusRequest{StoreId: "nowhere"})
	if !fault.Is(err, fault.StoreNotFound) {
		t.Errorf("an unknown store: %v", err)
	}
	_, err = c.client.RebuildStock(operator, &stockpb.RebuildStockRequest{StoreId: c.store, SeenEpoch: timestamppb.New(time.Unix(1, 0))})
	if err != nil {
		t.Errorf("an epoch that never was: %v, want the store's", err)
	}
}
