package order_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/spanner"
	"github.com/google/uuid"
	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"

	checkoutpb "larder.dev/api/checkout/v1"
	orderpb "larder.dev/api/order/v1"
	"larder.dev/internal/checkout"
	checkoutspanner "larder.dev/internal/checkout/spanner"
	"larder.dev/internal/event"
	"larder.dev/internal/identity"
	"larder.dev/internal/money"
	"larder.dev/internal/order"
	orderrpc "larder.dev/internal/order/rpc"
	orderspanner "larder.dev/internal/order/spanner"
	"larder.dev/internal/payment"
	paymentspanner "larder.dev/internal/payment/spanner"
	"larder.dev/internal/pricing"
	"larder.dev/internal/serve"
	"larder.dev/internal/serve/servetest"
	"larder.dev/internal/spannerdb/spannertest"
	stockspanner "larder.dev/internal/stock/spanner"
)

// rig is the order service, whole, in front of a checkout service that can cancel, on one database. The room payment is played.
type rig struct {
	url      string
	client   *spanner.Client
	issuer   *servetest.Issuer
	refunds  *refunds
	user     string
	shopper  string // access tokens
	operator string
	leaves   func() error // ends the last stream that was opened, from its client's side
}

// watchMax is how many streams the service has at once.
const watchMax = 3

var watchConfig = order.WatchConfig{Max: watchMax, Every: 20 * time.Millisecond, Heartbeat: 50 * time.Millisecond, Lasts: time.Minute}

// refunds plays order.Payments.
type refunds struct {
	asked []order.Refund
	err   error
}

func (r *refunds) Refund(_ context.Context, refund order.Refund) error {
	r.asked = append(r.asked, refund)
	return r.err
}

func open(t *testing.T) *rig {
	t.Helper()
	r := &rig{client: spannertest.Open(t), issuer: servetest.NewIssuer(t), refunds: &refunds{}, user: uuid.NewString()}
	if _, err := stockspanner.NewLedger(r.client).Bump(t.Context(), "soho", "test"); err != nil {
		t.Fatal(err)
	}

	books := checkoutspanner.NewBooks(r.client, time.Now)
	config := checkout.Config{HoldFor: 10 * time.Minute, VoidRetry: 15 * time.Second, VoidRetryMax: 10 * time.Minute}
	sells := r.issuer.Start(t, "checkout", func(ctx context.Context, app *serve.App) error {
		service := checkout.NewService(config, books, nil, nil, nil, nil, nil, time.Now)
		return app.Register(ctx, &checkoutpb.CheckoutService_ServiceDesc, checkout.NewServer(service, books), nil)
	})
	// As between services: order's own token, from a metadata server, and that of the person.
	tokens := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, r.issuer.ServiceToken(t, "order"))
	}))
	t.Cleanup(tokens.Close)
	t.Setenv("GCE_METADATA_HOST", tokens.Listener.Addr().String())
	conn, err := grpc.NewClient(sells.Listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithPerRPCCredentials(identity.NewOutgoing("order", "", false, time.Now)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })

	store := orderspanner.New(r.client)
	service := order.New(store, orderrpc.Checkouts{Client: checkoutpb.NewCheckoutServiceClient(conn)}, r.refunds, time.Now)
	r.url = r.issuer.Start(t, "order", func(ctx context.Context, app *serve.App) error {
		watchers := order.NewWatchers(ctx, watchConfig, app.Local(), store, app.REST())
		app.Handle(order.WatchPattern, watchers)
		go func() { _ = watchers.Run(ctx) }()
		return app.Register(ctx, &orderpb.OrderService_ServiceDesc, order.NewServer(service),
			func(ctx context.Context, mux *runtime.ServeMux, conn grpc.ClientConnInterface) error {
				return orderpb.RegisterOrderServiceHandlerClient(ctx, mux, orderpb.NewOrderServiceClient(conn))
			})
	}).URL
	r.shopper = r.token(t, r.user, identity.RoleShopper)
	r.operator = r.token(t, uuid.NewString(), identity.RoleOperator)
	return r
}

func (r *rig) token(t *testing.T, user, role string) string {
	t.Helper()
	return r.issuer.Token(t, identity.Caller{UserID: user, Roles: []string{role}}, 5*time.Minute)
}

var (
	bought = []pricing.Line{
		{ProductID: "milk", Name: "Whole milk", Quantity: 3, UnitPrice: money.Of(125, "GBP")},
		{ProductID: "oats", Name: "Oats", Quantity: 1, UnitPrice: money.Of(210, "GBP")},
	}
	home = json.RawMessage(`{"recipient":"Ada Lovelace","line1":"12 St James's Square","city":"London","postcode":"SW1Y 4JH","country":"GB","phone":"+442079460123"}`)
	slot = order.Slot{ID: "mon-9", Start: time.Unix(1_795_100_000, 0).UTC(), End: time.Unix(1_795_107_200, 0).UTC()}
)

// sell makes an order of the shopper's, AUTHORIZED, as a commit does.
func (r *rig) sell(t *testing.T) string {
	t.Helper()
	totals, err := pricing.Total("GBP", bought, pricing.Delivery{})
	if err != nil {
		t.Fatal(err)
	}
	frozen, err := json.Marshal(checkout.Frozen{UserID: r.user, StoreID: "soho", Lines: bought, Totals: totals, Address: home, Slot: &slot})
	if err != nil {
		t.Fatal(err)
	}
	id := uuid.NewString()
	r.apply(t, paymentspanner.InsertInitiated(payment.Record{
		OrderID: id, IntentID: "pi_" + id, Amount: totals.Total, Fingerprint: make([]byte, 32), Request: frozen,
	}, time.Now())...)
	r.apply(t, orderspanner.InsertConfirmed(orderspanner.NewOrder{
		OrderID: id, UserID: r.user, StoreID: "soho", Epoch: time.Now(), HoldToken: 1, Fingerprint: make([]byte, 32),
		Lines: bought, Totals: totals, Address: home, Slot: &slot,
	})...)
	r.pay(t, id, payment.Initiated, payment.Authorized)
	return id
}

func (r *rig) pay(t *testing.T, id string, from, to payment.State) {
	t.Helper()
	step := payment.Step{To: to}
	for _, way := range payment.Transitions() {
		if way.From == from && way.To == to {
			step.By = way.By[0]
		}
	}
	mutations, err := paymentspanner.UpdateState(id, from, step, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	r.apply(t, mutations...)
}

func (r *rig) apply(t *testing.T, mutations ...*spanner.Mutation) {
	t.Helper()
	if _, err := r.client.Apply(t.Context(), mutations); err != nil {
		t.Fatal(err)
	}
}

// answer is what REST said.
type answer struct {
	status int
	body   map[string]any
}

func (a answer) state() string { text, _ := a.body["state"].(string); return text }
func (a answer) etag() string  { text, _ := a.body["etag"].(string); return text }

// post calls a verb of an order: "pick", with a JSON body.
func (r *rig) post(t *testing.T, token, id, verb, body string, headers ...string) answer {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.url+"/v1/orders/"+id+":"+verb, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	a := answer{status: response.StatusCode}
	if err := json.Unmarshal(text, &a.body); err != nil {
		t.Fatalf("%s %s answered %s", verb, id, text)
	}
	return a
}

func (r *rig) want(t *testing.T, a answer, state string, version int64) {
	t.Helper()
	if a.status != 200 || a.state() != state || a.etag() != strconv.FormatInt(version, 10) {
		t.Fatalf("%d %v, want %s with etag %d", a.status, a.body, state, version)
	}
}

func (r *rig) wantRefused(t *testing.T, a answer, status int, name string) {
	t.Helper()
	if a.status != status || reason(a.body) != name {
		t.Fatalf("%d %v, want %d %s", a.status, a.body, status, name)
	}
}

// events are those of an order in the outbox, by id.
func (r *rig) events(t *testing.T, id string) map[string]event.Event {
	t.Helper()
	found := map[string]event.Event{}
	err := r.client.Single().Read(t.Context(), "Outbox", spanner.AllKeys(), []string{"EventId", "Topic", "Type", "Subject", "Data"}).
		Do(func(row *spanner.Row) error {
			var e event.Event
			var topic string
			err := row.Columns(&e.ID, &topic, &e.Type, &e.Subject, &e.Data)
			if err == nil && e.Subject == "orders/"+id {
				found[e.ID] = e
				if topic != event.OrderEvents {
					t.Errorf("event %s is for %s", e.ID, topic)
				}
			}
			return err
		})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// told reads the event of an order's version into its message.
func (r *rig) told(t *testing.T, id string, version int64, into interface {
	proto.Message
	GetOrder() *orderpb.Order
	GetVersion() int64
}) {
	t.Helper()
	name := id + "-" + strconv.FormatInt(version, 10)
	e, there := r.events(t, id)[name]
	if !there {
		t.Fatalf("no event %s", name)
	}
	if err := e.Decode(into); err != nil {
		t.Fatalf("event %s: %v", name, err)
	}
	o := into.GetOrder()
	if into.GetVersion() != version || o.GetOrderId() != id || o.GetEtag() != strconv.FormatInt(version, 10) || len(o.GetLines()) != len(bought) ||
		len(o.GetHistory()) != int(version) || o.GetHistory()[version-1].GetState() != o.GetState() || o.GetDeliverySlot().GetSlotId() != slot.ID {
		t.Errorf("event %s tells %v", name, into)
	}
}
