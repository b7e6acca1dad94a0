package account

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/pubsub/v2"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"cloud.google.com/go/spanner"
	database "cloud.google.com/go/spanner/admin/database/apiv1"
	"cloud.google.com/go/spanner/admin/database/apiv1/databasepb"
	instance "cloud.google.com/go/spanner/admin/instance/apiv1"
	"cloud.google.com/go/spanner/admin/instance/apiv1/instancepb"
	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"larder.dev/load/prove/shop"
)

// host is where a component of the tests is.
func host(t *testing.T, variable string) string {
	t.Helper()
	address := os.Getenv(variable)
	if address == "" {
		t.Fatalf("%s is not set: run the tests by `make test`, which starts the components", variable)
	}
	return address
}

// newDatabase makes a database with the platform's schema, and drops it after the test.
func newDatabase(t *testing.T, address string) string {
	t.Helper()
	ctx := t.Context()
	const parent = "projects/larder-test/instances/larder"
	instances, err := instance.NewInstanceAdminClient(ctx, insecureHost(address)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = instances.Close() })
	creation, err := instances.CreateInstance(ctx, &instancepb.CreateInstanceRequest{
		Parent: "projects/larder-test", InstanceId: "larder",
		Instance: &instancepb.Instance{Config: "projects/larder-test/instanceConfigs/emulator-config", DisplayName: "larder", NodeCount: 1},
	})
	if err == nil {
		_, err = creation.Wait(ctx)
	}
	if err != nil && status.Code(err) != codes.AlreadyExists {
		t.Fatal(err)
	}
	schema, err := os.ReadFile("../../../internal/spannerdb/schema.sql")
	if err != nil {
		t.Fatal(err)
	}
	var code strings.Builder
	for line := range strings.Lines(string(schema)) {
		if !strings.HasPrefix(strings.TrimSpace(line), "--") {
			code.WriteString(line)
		}
	}
	databases, err := database.NewDatabaseAdminClient(ctx, insecureHost(address)...)
	if err != nil {
		t.Fatal(err)
	}
	name := "a" + strings.ReplaceAll(uuid.NewString(), "-", "")[:20]
	making, err := databases.CreateDatabase(ctx, &databasepb.CreateDatabaseRequest{
		Parent: parent, CreateStatement: "CREATE DATABASE `" + name + "`", ExtraStatements: strings.Split(strings.TrimSuffix(strings.TrimSpace(code.String()), ";"), ";"),
	})
	if err == nil {
		_, err = making.Wait(ctx)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		defer func() { _ = databases.Close() }()
		if err := databases.DropDatabase(context.Background(), &databasepb.DropDatabaseRequest{Database: parent + "/databases/" + name}); err != nil {
			t.Error(err)
		}
	})
	return parent + "/databases/" + name
}

// row is a row to be written; what isn't named is left to the schema.
func row(table string, columns map[string]any) *spanner.Mutation {
	return spanner.InsertMap(table, columns)
}

// commit is the time of the commit that writes it.
var commit = spanner.CommitTimestamp

// A sold and packed order, one that is voiding, and an entry that is not applied yet are read as they stand, and what is on its way
// is counted.
func TestReadComponents(t *testing.T) {
	spannerHost, pubSubHost, redisAddress := host(t, "SPANNER_EMULATOR_HOST"), host(t, "PUBSUB_EMULATOR_HOST"), host(t, "STOCK_REDIS_ADDR")
	project := "prove-" + uuid.NewString()[:8]
	topics, err := pubsub.NewClient(t.Context(), project, insecureHost(pubSubHost)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = topics.Close() })
	topic := "projects/" + project + "/topics/" + eventTopic
	if _, err := topics.TopicAdminClient.CreateTopic(t.Context(), &pubsubpb.Topic{Name: topic}); err != nil {
		t.Fatal(err)
	}
	provider := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		page := `{"data":[{"id":"pi_1","status":"succeeded","amount":250,"amount_received":250,"metadata":{"larder_order":"sold"},"latest_charge":{"amount_refunded":100}}],"has_more":true}`
		if r.URL.Query().Get("starting_after") == "pi_1" {
			page = `{"data":[{"id":"pi_2","status":"requires_capture","amount":90,"amount_received":0,"metadata":{"larder_order":"gone"},"latest_charge":null}],"has_more":false}`
		}
		if r.Header.Get("Authorization") != "Bearer key" || r.URL.Query().Get("expand[]") != "data.latest_charge" {
			w.WriteHeader(http.StatusUnauthorized)
		}
		if _, err := w.Write([]byte(page)); err != nil {
			t.Errorf("answer: %v", err)
		}
	}))
	t.Cleanup(provider.Close)
	where := "account-" + uuid.NewString()[:8]
	a, err := Open(t.Context(), Config{
		Spanner: newDatabase(t, spannerHost), SpannerHost: spannerHost, PubSubHost: pubSubHost, Project: project,
		StockRedis: func() string { return redisAddress }, Provider: provider.URL, ProviderKey: "key",
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	epoch := fill(t, a, where)
	load(t, redisAddress, where, epoch)
	h := &shop.History{Stores: []string{where}, Adjustments: []*shop.Adjustment{
		{Store: where, Key: "delivered", By: shop.ByWarehouse, Deed: shop.Deed{Asks: []shop.Ask{{Answer: shop.Answer{Kind: shop.Processing}}}}},
		{Store: where, Key: "late", By: shop.ByWarehouse, Deed: shop.Deed{Asks: []shop.Ask{{Answer: shop.Answer{Kind: shop.Processing}}}}},
	}}
	_, err = topics.TopicAdminClient.Publish(t.Context(), &pubsubpb.PublishRequest{Topic: topic, Messages: []*pubsubpb.PubsubMessage{{
		Attributes: map[string]string{"ce-type": "larder.order.v1.OrderConfirmed", "ce-subject": "orders/sold"},
		Data:       []byte(`{"order":{"order_id":"sold","state":"CONFIRMED"},"version":"1"}`),
	}}})
	if err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the event", func() bool { return a.ear.count() == 1 })

	b, err := a.read(t.Context(), h)
	if err != nil {
		t.Fatal(err)
	}
	sold := b.Orders["sold"]
	if sold.State != "PACKED" || sold.Total != 250 || sold.LinesTotal != 200 || sold.Fee != 50 || sold.Slot != "noon" || len(sold.Lines) != 1 ||
		sold.Lines[0] != (shop.Line{Product: "figs", Quantity: 2, Price: 100}) || len(sold.History) != 1 || b.Orders["gone"].sold() {
		t.Errorf("read the orders %+v, %+v", sold, b.Orders["gone"])
	}
	if p := b.Payments["sold"]; p.State != "AUTHORIZED" || p.Intent != "pi_1" || p.Amount != 250 || len(p.Refunds) != 1 || p.Refunds[0].State != "REQUESTED" {
		t.Errorf("read the payment %+v", p)
	}
	if len(b.Ledger) != 3 || b.Ledger[0].Kind != "adjustment" || b.Ledger[2].Quantity != -2 || b.Slots[Product{where, "slot:noon"}] != 7 {
		t.Errorf("read the ledger %+v and the slots %v", b.Ledger, b.Slots)
	}
	if len(b.Intents) != 2 || b.Intents[0].Refunded != 100 || !b.Intents[0].live() || !b.Intents[1].live() {
		t.Errorf("read the provider's list %+v", b.Intents)
	}
	if b.Unpublished != 2 || b.Virtual[where].Stock["figs"] != 5 || b.Events[Event{Order: "sold", State: "CONFIRMED", Version: 1}] != 1 {
		t.Errorf("%d are unpublished, the virtual stock is %+v, the events %v", b.Unpublished, b.Virtual[where], b.Events)
	}
	left, err := a.unsettled(t.Context(), h)
	want := "1 open payments, 1 packed orders without their money, 1 open refunds, 2 events in the outbox, 1 deliveries of the warehouse, " +
		"1 holds in " + where + ", 1 entries on their way to " + where
	if got := strings.Join(left, ", "); err != nil || got != want {
		t.Errorf("unsettled are %s, %v; want %s", got, err, want)
	}
	drifts, err := a.drifting(t.Context(), where)
	if err != nil || len(drifts) > 0 {
		t.Errorf("it drifts: %v, %v", drifts, err)
	}
	client := redis.NewClient(&redis.Options{Addr: redisAddress})
	t.Cleanup(func() { _ = client.Close() })
	if err := client.HIncrBy(t.Context(), "stock:{"+where+"}", "stock:figs", -1).Err(); err != nil {
		t.Fatal(err)
	}
	drifts, err = a.drifting(t.Context(), where)
	if err != nil || drifts["figs"].difference() != -1 {
		t.Errorf("it drifts: %v, %v; want a fig less", drifts, err)
	}
	waitFor(t, "the watch to see it", func() bool {
		a.mu.Lock()
		defer a.mu.Unlock()
		return len(a.drifts) == 1 && a.looks > 0
	})
}

func waitFor(t *testing.T, what string, done func() bool) {
	t.Helper()
	limit := time.NewTimer(30 * time.Second)
	defer limit.Stop()
	for look := time.NewTicker(10 * time.Millisecond); !done(); {
		select {
		case <-look.C:
		case <-limit.C:
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// fill writes the books, and returns the epoch.
func fill(t *testing.T, a *Account, where string) time.Time {
	t.Helper()
	write := func(rows ...*spanner.Mutation) time.Time {
		at, err := a.spanner.Apply(t.Context(), rows)
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	epoch := write(row("Epochs", map[string]any{"StoreId": where, "Epoch": commit}))
	entry := func(id, kind, reference, reason string, quantity int64) *spanner.Mutation {
		return row("StockLedger", map[string]any{
			"StoreId": where, "ProductId": "figs", "CommitTime": commit, "EntryId": id, "Quantity": quantity, "Epoch": epoch, "Kind": kind,
			"Reference": reference, "Actor": "ann", "Reason": reason,
		})
	}
	event := func(shard int64, id string) *spanner.Mutation {
		return row("Outbox", map[string]any{
			"Shard": shard, "CommitTime": commit, "EventId": id, "Topic": eventTopic, "Type": "t", "Subject": "s", "Data": []byte("{}"), "TraceParent": "",
		})
	}
	write(entry("first", "adjustment", "first", "delivered", 10))
	write(entry("second", "adjustment", "second", "count", 4))
	totals := map[string]any{
		"lines": map[string]any{"minor": 200, "currency": "GBP"}, "discounts": map[string]any{"minor": 0, "currency": "GBP"},
		"delivery_fee": map[string]any{"minor": 50, "currency": "GBP"}, "total": map[string]any{"minor": 250, "currency": "GBP"},
	}
	request := spanner.NullJSON{Value: map[string]any{}, Valid: true}
	payment := func(order, state, intent string, amount int64) *spanner.Mutation {
		return row("Payments", map[string]any{
			"OrderId": order, "State": state, "IntentId": intent, "Amount": amount, "Captured": int64(0), "Refunded": int64(0), "Currency": "GBP",
			"Fingerprint": []byte("f"), "Request": request, "CreateTime": commit, "UpdateTime": commit, "Shard": int64(0),
		})
	}
	published := write(
		entry("sale:sold", "sale", "sold", "", -2), event(1, "a"), event(1, "b"), event(2, "c"),
		row("Orders", map[string]any{
			"OrderId": "sold", "UserId": "ann", "StoreId": where, "State": "PACKED", "Version": int64(1), "Epoch": epoch, "HoldToken": int64(3),
			"Totals": spanner.NullJSON{Value: totals, Valid: true}, "SlotId": "noon", "CreateTime": commit, "UpdateTime": commit,
		}),
		row("OrderLines", map[string]any{
			"OrderId": "sold", "LineNumber": int64(1), "ProductId": "figs", "Name": "Figs", "Quantity": int64(2), "UnitPrice": int64(100),
			"Currency": "GBP", "TaxRateBps": int64(0),
		}),
		row("OrderHistory", map[string]any{"OrderId": "sold", "Version": int64(1), "State": "CONFIRMED", "Actor": "shopper", "Reason": "", "Time": commit}),
		row("Orders", map[string]any{
			"OrderId": "gone", "UserId": "ann", "StoreId": where, "State": abandoned, "Version": int64(1), "CreateTime": commit, "UpdateTime": commit,
		}),
		payment("sold", "AUTHORIZED", "pi_1", 250), payment("gone", "VOIDING", "pi_2", 90),
		row("Refunds", map[string]any{
			"OrderId": "sold", "RefundId": "r", "State": "REQUESTED", "Amount": int64(100), "Lines": request, "Reason": "", "Actor": "",
			"Fingerprint": []byte("f"), "CreateTime": commit, "UpdateTime": commit,
		}),
		row("DeliverySlots", map[string]any{
			"StoreId": where, "SlotId": "noon", "StartTime": epoch, "EndTime": epoch.Add(time.Hour), "Capacity": int64(7), "UpdateTime": commit,
		}),
	)
	// Of the first shard the cursor stands within that transaction, behind its event a; the second one has none.
	write(row("OutboxShards", map[string]any{"Shard": int64(1), "PublishedTime": published, "PublishedEventId": "a"}))
	return epoch
}

// load writes the virtual stock: the second adjustment isn't applied, the sold order's hold isn't settled, and another order holds three.
func load(t *testing.T, address, where string, epoch time.Time) {
	t.Helper()
	client := redis.NewClient(&redis.Options{Addr: address})
	key := "stock:{" + where + "}"
	t.Cleanup(func() {
		_ = client.Del(context.Background(), key).Err()
		_ = client.Close()
	})
	identity, err := client.Info(t.Context(), "replication").Result()
	if err != nil {
		t.Fatal(err)
	}
	loaded := fmt.Sprintf("%020d", epoch.UnixNano())
	err = client.HSet(t.Context(), key,
		"ep", loaded+"|"+replID.FindStringSubmatch(identity)[1],
		"seq", 4, "applied", 1, "applied:first", 1, "stock:figs", 10-2-3, "hold:open", loaded+"|4|0|figs=3",
	).Err()
	if err != nil {
		t.Fatal(err)
	}
}
