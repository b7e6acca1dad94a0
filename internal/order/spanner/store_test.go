package spanner_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"cloud.google.com/go/spanner"
	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	typepb "larder.dev/api/type/v1"
	"larder.dev/internal/fault"
	"larder.dev/internal/identity"
	"larder.dev/internal/money"
	"larder.dev/internal/order"
	orderspanner "larder.dev/internal/order/spanner"
	"larder.dev/internal/payment"
	paymentspanner "larder.dev/internal/payment/spanner"
	"larder.dev/internal/pricing"
	"larder.dev/internal/spannerdb/spannertest"
)

var address = &typepb.Address{
	Recipient: `Zoë "Z" O'Neil`, Line1: "1 Frith Street", Line2: "Flat 2", City: "London", Postcode: "W1D 3HZ", Country: "GB", Phone: "+442079460000",
}

func gbp(minor int64) money.Money { return money.Of(minor, "GBP") }

func newOrder(t *testing.T, user string) orderspanner.NewOrder {
	t.Helper()
	lines := []pricing.Line{
		{ProductID: "wine", Name: "Rioja Crianza, 75 cl", Quantity: 2, UnitPrice: gbp(1199), TaxRateBPS: 2000},
		{ProductID: "bananas-loose", Name: "Bananas", Quantity: 99, UnitPrice: gbp(95)},
	}
	totals, err := pricing.Total("GBP", lines, pricing.Delivery{Fee: gbp(399)})
	if err != nil {
		t.Fatal(err)
	}
	text, err := protojson.Marshal(address)
	if err != nil {
		t.Fatal(err)
	}
	return orderspanner.NewOrder{
		OrderID: uuid.NewString(), UserID: user, StoreID: "soho", Lines: lines, Totals: totals, Address: text,
		Epoch: time.Unix(1_795_000_000, 123_456_000).UTC(), HoldToken: 1<<53 + 1, Fingerprint: slices.Repeat([]byte{7}, 32),
		Slot: &order.Slot{ID: "mon-9", Start: time.Unix(1_795_100_000, 0).UTC(), End: time.Unix(1_795_107_200, 0).UTC()},
	}
}

func initiated(o orderspanner.NewOrder) []*spanner.Mutation {
	return paymentspanner.InsertInitiated(payment.Record{
		OrderID: o.OrderID, IntentID: "pi_" + o.OrderID, Amount: o.Totals.Total, Fingerprint: o.Fingerprint, Request: json.RawMessage(`{}`),
	}, time.Now())
}

func apply(t *testing.T, client *spanner.Client, mutations ...*spanner.Mutation) time.Time {
	t.Helper()
	at, err := client.Apply(t.Context(), mutations)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// step takes a step as a transaction of another room's does, and returns the commit's time.
func step(t *testing.T, client *spanner.Client, id string, step order.Step) time.Time {
	t.Helper()
	at, err := client.ReadWriteTransaction(t.Context(), func(ctx context.Context, txn *spanner.ReadWriteTransaction) error {
		found, err := orderspanner.Whole(ctx, txn, id)
		if err != nil {
			return err
		}
		after, taken, err := found.Take(step, time.Now())
		if err != nil || !taken {
			return err
		}
		return txn.BufferWrite(orderspanner.UpdateState(after, step))
	})
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func TestOrderRoundTrip(t *testing.T) {
	client := spannertest.Open(t)
	ctx, store := t.Context(), orderspanner.New(client)
	user := uuid.NewString()
	o := newOrder(t, user)
	if _, err := store.Get(ctx, o.OrderID); !fault.Is(err, fault.OrderNotFound) {
		t.Errorf("before the commit: %v", err)
	}
	authorized, err := paymentspanner.UpdateState(o.OrderID, payment.Initiated,
		payment.Step{To: payment.Authorized, By: payment.Shopper}, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	apply(t, client, initiated(o)...)
	created := apply(t, client, append(orderspanner.InsertConfirmed(o), authorized...)...)

	got, err := store.Get(ctx, o.OrderID)
	if err != nil {
		t.Fatal(err)
	}
	if got.ID != o.OrderID || got.UserID != user || got.StoreID != "soho" || got.State != order.Confirmed || got.Version != 1 {
		t.Errorf("order is %+v", got)
	}
	if !slices.Equal(got.Lines, o.Lines) {
		t.Errorf("lines are %+v, want %+v", got.Lines, o.Lines)
	}
	if fmt.Sprint(got.Totals) != fmt.Sprint(o.Totals) || len(got.Totals.Taxes) != 2 {
		t.Errorf("totals are %+v, want %+v", got.Totals, o.Totals)
	}
	if !proto.Equal(got.Address, address) {
		t.Errorf("address is %v", got.Address)
	}
	if got.Slot == nil || *got.Slot != *o.Slot {
		t.Errorf("slot is %+v, want %+v", got.Slot, o.Slot)
	}
	if want := (order.Payment{State: "AUTHORIZED", Authorized: o.Totals.Total, Captured: gbp(0), Refunded: gbp(0)}); got.Payment != want {
		t.Errorf("payment is %+v, want %+v", got.Payment, want)
	}
	if !got.CreateTime.Equal(created) || !got.UpdateTime.Equal(created) {
		t.Errorf("created %s, updated %s; committed %s", got.CreateTime, got.UpdateTime, created)
	}

	record, err := orderspanner.Read(ctx, client.Single(), o.OrderID)
	if err != nil || record == nil {
		t.Fatalf("record: %+v, %v", record, err)
	}
	if record.UserID != user || record.StoreID != "soho" || record.State != order.Confirmed || record.Version != 1 || !record.Epoch.Equal(o.Epoch) ||
		record.HoldToken != o.HoldToken || !slices.Equal(record.Fingerprint, o.Fingerprint) || len(record.Refusal) != 0 || !record.Sold() {
		t.Errorf("record is %+v, want %+v", record, o)
	}

	picked := step(t, client, o.OrderID, order.Step{To: order.Picking, By: order.Operator, Reason: "first shift"})
	if got, err = store.Get(ctx, o.OrderID); err != nil {
		t.Fatal(err)
	}
	if got.State != order.Picking || got.Version != 2 || !got.CreateTime.Equal(created) || !got.UpdateTime.Equal(picked) {
		t.Errorf("picked order is %+v", got)
	}
	if len(got.History) != 2 {
		t.Fatalf("history is %+v", got.History)
	}
	for i, want := range []order.Event{
		{State: order.Confirmed, Time: created, Actor: order.Shopper},
		{State: order.Picking, Time: picked, Actor: order.Operator, Reason: "first shift"},
	} {
		if event := got.History[i]; event.State != want.State || !event.Time.Equal(want.Time) || event.Actor != want.Actor || event.Reason != want.Reason {
			t.Errorf("event %d is %+v, want %+v", i, event, want)
		}
	}
}

// Whoever is first, commit or tombstone, stays; and the tombstone keeps what checkout must say again.
func TestFirstDecides(t *testing.T) {
	client := spannertest.Open(t)
	ctx, user := t.Context(), uuid.NewString()

	o := newOrder(t, user)
	apply(t, client, orderspanner.InsertAbandoned(o.OrderID, user, "soho", o.Fingerprint, []byte("refusal"))...)
	if _, err := client.Apply(ctx, orderspanner.InsertConfirmed(o)); spanner.ErrCode(err) != codes.AlreadyExists {
		t.Errorf("commit after the tombstone: %v", err)
	}
	record, err := orderspanner.Read(ctx, client.Single(), o.OrderID)
	if err != nil || record.State != order.Abandoned || record.UserID != user || record.StoreID != "soho" ||
		string(record.Refusal) != "refusal" || !slices.Equal(record.Fingerprint, o.Fingerprint) || !record.Epoch.IsZero() || record.Sold() {
		t.Errorf("tombstone is %+v, %v", record, err)
	}

	sold := newOrder(t, user)
	apply(t, client, orderspanner.InsertConfirmed(sold)...)
	if _, err := client.Apply(ctx, orderspanner.InsertAbandoned(sold.OrderID, user, "soho", nil, nil)); spanner.ErrCode(err) != codes.AlreadyExists {
		t.Errorf("tombstone after the commit: %v", err)
	}

	bare := uuid.NewString() // the reaper knows only the id
	apply(t, client, orderspanner.InsertAbandoned(bare, "", "", nil, nil)...)
	if record, err = orderspanner.Read(ctx, client.Single(), bare); err != nil || record.Fingerprint != nil || record.Refusal != nil {
		t.Errorf("bare tombstone is %+v, %v", record, err)
	}
	if record, err = orderspanner.Read(ctx, client.Single(), uuid.NewString()); err != nil || record != nil || record.Sold() {
		t.Errorf("nothing is %+v, %v", record, err)
	}
}

// A payment is captured only for an order that is sold and not cancelled.
func TestOpen(t *testing.T) {
	client := spannertest.Open(t)
	user := uuid.NewString()
	sold, cancelled, abandoned := newOrder(t, user), newOrder(t, user), uuid.NewString()
	apply(t, client, slices.Concat(orderspanner.InsertConfirmed(sold), orderspanner.InsertConfirmed(cancelled),
		orderspanner.InsertAbandoned(abandoned, user, "soho", nil, nil))...)
	step(t, client, cancelled.OrderID, order.Step{To: order.Cancelled, By: order.Shopper})
	txn := client.ReadOnlyTransaction()
	defer txn.Close()
	unknown := uuid.NewString()
	open, err := orderspanner.OpenAmong(t.Context(), txn, []string{sold.OrderID, cancelled.OrderID, abandoned, unknown})
	if err != nil || !open[sold.OrderID].Open || open[sold.OrderID].Packed || open[cancelled.OrderID].Open || open[abandoned].Open || open[unknown].Open {
		t.Errorf("open are %v, %v, want %s alone", open, err, sold.OrderID)
	}
}

// While orders come, move on and are given up, a reader of pages sees each order that was there at the start once, newest first.
func TestPagingUnderWrites(t *testing.T) {
	client := spannertest.Open(t)
	ctx := t.Context()
	service := order.New(orderspanner.New(client), nil, nil, time.Now)
	me := identity.Caller{UserID: uuid.NewString(), Roles: []string{identity.RoleShopper}}

	var want []string // newest first
	for n := range 13 {
		// Some commits bring three orders with one and the same time.
		var ids []string
		var mutations []*spanner.Mutation
		for range 1 + 2*(n%2) {
			o := newOrder(t, me.UserID)
			ids = append(ids, o.OrderID)
			mutations = append(mutations, orderspanner.InsertConfirmed(o)...)
		}
		slices.Sort(ids)
		apply(t, client, mutations...)
		want = append(ids, want...)
		apply(t, client, orderspanner.InsertConfirmed(newOrder(t, uuid.NewString()))...) // another's
	}

	var got []string
	token, pages := "", 0
	for {
		page, next, err := service.List(ctx, me, 4, token)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range page {
			got = append(got, o.ID)
			if len(o.Lines) != 2 || len(o.History) == 0 || o.UserID != me.UserID || o.Totals.Total.Minor == 0 {
				t.Errorf("listed order is %+v", o)
			}
		}
		if pages++; len(page) > 4 || (next != "" && len(page) != 4) {
			t.Errorf("page %d has %d orders", pages, len(page))
		}
		if token = next; token == "" {
			break
		}
		apply(t, client, orderspanner.InsertConfirmed(newOrder(t, me.UserID))...)
		apply(t, client, orderspanner.InsertAbandoned(uuid.NewString(), me.UserID, "soho", nil, nil)...)
		for _, id := range []string{got[len(got)-1], want[len(want)-1]} { // the one the token points at, and one to come
			step(t, client, id, order.Step{To: order.Picking, By: order.Operator})
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("pages show\n%v, want\n%v", got, want)
	}

	all, next, err := service.List(ctx, me, 100, "")
	if err != nil || next != "" || len(all) != len(want)+pages-1 {
		t.Errorf("all in one page: %d of %d, next %q, %v", len(all), len(want)+pages-1, next, err)
	}
	first, _, err := service.List(ctx, me, 0, "")
	if err != nil || len(first) != order.DefaultPageSize {
		t.Errorf("a page of no size has %d orders, %v", len(first), err)
	}
	for _, o := range all {
		if o.State == order.Abandoned {
			t.Errorf("a tombstone is listed: %+v", o)
		}
	}
}

// A shopper with very many orders, between another's, gets each once, newest first, and each page is one read of the index from its place on.
func TestPagingOverMany(t *testing.T) {
	client := spannertest.Open(t)
	ctx := t.Context()
	service := order.New(orderspanner.New(client), nil, nil, time.Now)
	me := identity.Caller{UserID: uuid.NewString(), Roles: []string{identity.RoleShopper}}
	const commits, each = 20, 100
	var want []string // newest first
	for range commits {
		var ids []string
		var mutations []*spanner.Mutation
		for i := range 2 * each {
			o := newOrder(t, me.UserID)
			o.Lines = nil
			if i%2 == 0 {
				o.UserID = uuid.NewString()
			} else {
				ids = append(ids, o.OrderID)
			}
			mutations = append(mutations, orderspanner.InsertConfirmed(o)...)
		}
		slices.Sort(ids)
		apply(t, client, mutations...)
		want = append(ids, want...)
	}
	var got []string
	for token, pages := "", 0; ; pages++ {
		page, next, err := service.List(ctx, me, order.MaxPageSize, token)
		if err != nil || pages > commits {
			t.Fatal(pages, err)
		}
		for _, o := range page {
			got = append(got, o.ID)
		}
		if token = next; token == "" {
			break
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("%d orders are listed, want %d, each once and newest first", len(got), len(want))
	}
}
