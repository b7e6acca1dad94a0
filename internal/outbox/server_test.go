package outbox_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	outboxpb "larder.dev/api/outbox/v1"
	"larder.dev/internal/deadletter"
	"larder.dev/internal/event"
	"larder.dev/internal/fault"
	"larder.dev/internal/identity"
	"larder.dev/internal/outbox"
	"larder.dev/internal/outbox/outboxtest"
	outboxspanner "larder.dev/internal/outbox/spanner"
	"larder.dev/internal/serve"
	"larder.dev/internal/serve/servetest"
)

// desk is the service, whole, in front of Spanner, and of a project of Pub/Sub's that nobody else uses.
type desk struct {
	*outboxtest.Rig
	client   outboxpb.OutboxServiceClient
	operator context.Context
	project  string
}

const ada = "3f0c2a52-90c0-4be8-8f0f-0a6c2e5b7d11"

func openDesk(t *testing.T) desk {
	t.Helper()
	d := desk{Rig: outboxtest.Open(t), project: "larder-" + uuid.NewString()[:18]}
	for _, topic := range []string{event.StockAdjustments, event.DeadLetters(event.StockAdjustments)} {
		if _, err := d.PubSub.TopicAdminClient.CreateTopic(t.Context(), &pubsubpb.Topic{Name: d.name("topics", topic)}); err != nil {
			t.Fatal(err)
		}
		_, err := d.PubSub.SubscriptionAdminClient.CreateSubscription(t.Context(), &pubsubpb.Subscription{
			Name: d.name("subscriptions", topic), Topic: d.name("topics", topic), AckDeadlineSeconds: 60,
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	issuer := servetest.NewIssuer(t)
	server := issuer.Start(t, "outbox", func(ctx context.Context, app *serve.App) error {
		boxes := map[string]outbox.Box{event.StockAdjustments: deadletter.NewBox(d.PubSub, d.project, event.StockAdjustments)}
		stores := map[string]outbox.Store{"spanner": outboxspanner.NewStore(d.Database)}
		return app.Register(ctx, &outboxpb.OutboxService_ServiceDesc, outbox.NewServer(stores, boxes, outboxspanner.NewReplays(d.Database)), nil)
	})
	conn, err := grpc.NewClient(server.Listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	d.client = outboxpb.NewOutboxServiceClient(conn)
	token := issuer.Token(t, identity.Caller{UserID: ada, Roles: []string{identity.RoleOperator}}, time.Minute)
	d.operator = metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+token)
	return d
}

func (d desk) name(kind, name string) string {
	return "projects/" + d.project + "/" + kind + "/" + name
}

// put puts a message aside, as a function does.
func (d desk) put(t *testing.T, data string) (id string) {
	t.Helper()
	answer, err := d.PubSub.TopicAdminClient.Publish(t.Context(), &pubsubpb.PublishRequest{
		Topic: d.name("topics", event.DeadLetters(event.StockAdjustments)),
		Messages: []*pubsubpb.PubsubMessage{{Data: []byte(data), Attributes: map[string]string{
			"ce-id": "w-1", "ce-type": "larder.stock.v1.StockAdjusted", "dead_letter_reason": "MALFORMED_EVENT",
			"dead_letter_detail": "quantity: many", "dead_letter_function": "AdjustStock",
		}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return answer.GetMessageIds()[0]
}

func TestDeadLettersOfOperators(t *testing.T) {
	d := openDesk(t)
	id := d.put(t, `{"quantity":"many"}`)
	list, err := d.client.ListDeadLetters(d.operator, &outboxpb.ListDeadLettersRequest{Topic: event.StockAdjustments})
	if err != nil || len(list.GetLetters()) != 1 {
		t.Fatalf("%v, %v", list, err)
	}
	listed := list.GetLetters()[0]
	if listed.GetLetterId() != id || listed.GetReason() != "MALFORMED_EVENT" || listed.GetSource() != "AdjustStock" || listed.GetData() != "" || len(listed.GetAttributes()) > 0 {
		t.Errorf("listed is %v, want the letter without what it says", listed)
	}
	shown, err := d.client.GetDeadLetter(d.operator, &outboxpb.GetDeadLetterRequest{Topic: event.StockAdjustments, LetterId: id})
	if err != nil || shown.GetData() != `{"quantity":"many"}` || shown.GetAttributes()["ce-id"] != "w-1" {
		t.Fatalf("%v, %v", shown, err)
	}

	mended := &outboxpb.ReplayDeadLetterRequest{Topic: event.StockAdjustments, LetterId: id, Reason: "many means 12", Data: `{"quantity":12}`}
	first, err := d.client.ReplayDeadLetter(d.operator, mended)
	if err != nil || first.GetMessageId() == "" || first.GetActor() != ada || !first.GetMended() || first.GetReason() != "many means 12" {
		t.Fatalf("%v, %v", first, err)
	}
	again, err := d.client.ReplayDeadLetter(d.operator, mended)
	if err != nil || again.GetMessageId() != first.GetMessageId() {
		t.Errorf("replayed again: %v, %v; want %s", again, err, first.GetMessageId())
	}
	pulled, err := d.PubSub.SubscriptionAdminClient.Pull(t.Context(), &pubsubpb.PullRequest{
		Subscription: d.name("subscriptions", event.StockAdjustments), MaxMessages: 10,
	})
	if err != nil || len(pulled.GetReceivedMessages()) != 1 || string(pulled.GetReceivedMessages()[0].GetMessage().GetData()) != `{"quantity":12}` {
		t.Errorf("published is %v, %v; want the mended message once", pulled, err)
	}
	replays, err := d.client.ListReplays(d.operator, &outboxpb.ListReplaysRequest{})
	if err != nil || len(replays.GetReplays()) != 1 || replays.GetReplays()[0].GetLetterId() != id {
		t.Errorf("kept is %v, %v", replays, err)
	}
	list, err = d.client.ListDeadLetters(d.operator, &outboxpb.ListDeadLettersRequest{Topic: event.StockAdjustments})
	if err != nil || len(list.GetLetters()) != 0 {
		t.Errorf("left is %v, %v", list, err)
	}

	for what, ask := range map[string]func() error{
		"a letter that isn't there": func() error {
			_, err := d.client.ReplayDeadLetter(d.operator, &outboxpb.ReplayDeadLetterRequest{Topic: event.StockAdjustments, LetterId: "4711", Reason: "x"})
			return err
		},
		"to look at one": func() error {
			_, err := d.client.GetDeadLetter(d.operator, &outboxpb.GetDeadLetterRequest{Topic: event.StockAdjustments, LetterId: id})
			return err
		},
	} {
		if err := ask(); !fault.Is(err, fault.DeadLetterNotFound) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if replays, err := d.client.ListReplays(d.operator, &outboxpb.ListReplaysRequest{}); err != nil || len(replays.GetReplays()) != 1 {
		t.Errorf("a letter that isn't there left a trace: %v, %v", replays, err)
	}
	for _, bad := range []*outboxpb.ReplayDeadLetterRequest{
		{Topic: "no-topic", LetterId: "1", Reason: "x"}, {Topic: event.StockAdjustments, LetterId: "../1", Reason: "x"},
		{Topic: event.StockAdjustments, LetterId: "1"}, {Topic: event.StockAdjustments, LetterId: "1", Reason: strings.Repeat("x", 201)},
	} {
		if _, err := d.client.ReplayDeadLetter(d.operator, bad); !fault.Is(err, fault.InvalidArgument) {
			t.Errorf("%v: %v", bad, err)
		}
	}
}

// The lag is told also while no relay runs, and is over once the event is published.
func TestLagFromOutside(t *testing.T) {
	d := openDesk(t)
	lag := func() *outboxpb.Outbox {
		t.Helper()
		answer, err := d.client.GetOutbox(d.operator, &outboxpb.GetOutboxRequest{})
		if err != nil || len(answer.GetOutboxes()) != 1 {
			t.Fatalf("%v, %v", answer, err)
		}
		return answer.GetOutboxes()[0]
	}
	if got := lag(); got.GetName() != "spanner" || got.GetLagMs() != 0 || got.GetWaitingShards() != 0 || got.GetRelays() != 0 {
		t.Errorf("of an empty outbox: %v", got)
	}
	store := outboxspanner.NewStore(d.Database)
	written := d.Event("e-1", "orders/1")
	if _, err := d.Write(t.Context(), written); err != nil {
		t.Fatal(err)
	}
	if !outboxtest.Poll(10*time.Second, func() bool { return lag().GetLagMs() >= 100 }) {
		t.Errorf("of an event that nobody publishes: %v", lag())
	}
	if got := lag(); got.GetWaitingShards() != 1 {
		t.Errorf("%v, want one shard waiting", got)
	}
	if err := store.Renew(t.Context(), "relay-1"); err != nil {
		t.Fatal(err)
	}
	view, err := store.Look(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	shard := view.Leases[written.Shard()]
	if err := store.Claim(t.Context(), "relay-1", []outbox.Lease{shard}); err != nil {
		t.Fatal(err)
	}
	if err := store.Move(t.Context(), "relay-1", shard.Shard, shard.Cursor, outbox.Position{Commit: view.Bound}); err != nil {
		t.Fatal(err)
	}
	if got := lag(); got.GetLagMs() != 0 || got.GetWaitingShards() != 0 || got.GetRelays() != 1 {
		t.Errorf("of a published one: %v", got)
	}
}
