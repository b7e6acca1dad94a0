package checkout_test

import (
	"context"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	checkoutpb "larder.dev/api/checkout/v1"
	typepb "larder.dev/api/type/v1"
	"larder.dev/internal/checkout"
	"larder.dev/internal/fault"
	"larder.dev/internal/identity"
	"larder.dev/internal/payment"
	"larder.dev/internal/serve"
	"larder.dev/internal/serve/servetest"
)

// service is a shop's checkout service behind its port.
type service struct {
	checkoutpb.CheckoutServiceClient
	issuer *servetest.Issuer
}

func (s *shop) serve() service {
	s.t.Helper()
	issuer := servetest.NewIssuer(s.t)
	server := issuer.Start(s.t, "checkout", func(ctx context.Context, app *serve.App) error {
		return app.Register(ctx, &checkoutpb.CheckoutService_ServiceDesc, checkout.NewServer(s.Service, s.books), nil)
	})
	conn, err := grpc.NewClient(server.Listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = conn.Close() })
	return service{checkoutpb.NewCheckoutServiceClient(conn), issuer}
}

// as is the context of a function's call, which acts for no person.
func (s service) as(t *testing.T, function string) context.Context {
	t.Helper()
	return metadata.AppendToOutgoingContext(t.Context(), identity.ServiceTokenHeader, s.issuer.ServiceToken(t, function))
}

// shopper is the context of a person's call.
func (s service) shopper(t *testing.T, user string) context.Context {
	t.Helper()
	token := s.issuer.Token(t, identity.Caller{UserID: user, Roles: []string{identity.RoleShopper}}, time.Minute)
	return metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+token)
}

// keyed is the context of a shopper's call with an Idempotency-Key.
func (s service) keyed(t *testing.T, user, key string) context.Context {
	t.Helper()
	return metadata.AppendToOutgoingContext(s.shopper(t, user), "idempotency-key", key)
}

// message is a shopper's request to buy what is in the cart.
func (s *shop) message(card string) *checkoutpb.CreateCheckoutRequest {
	return &checkoutpb.CreateCheckoutRequest{
		CartId: "me", StoreId: s.store, PaymentMethod: card, ExpectedTotal: s.cart.quote.Totals.Total.Proto(),
		Address: &typepb.Address{Recipient: "Ada", Line1: "1 High St", City: "London", Postcode: "N1 1AA", Country: "GB"},
	}
}

// A webhook ends what the shopper has left: nothing in it needs the shopper.
func TestResume(t *testing.T) {
	s := open(t)
	service := s.serve()
	as := service.as(t, "applypaymentevent")
	resume := func(id string, want checkoutpb.Checkout_State) {
		t.Helper()
		answer, err := service.ResumeCheckout(as, &checkoutpb.ResumeCheckoutRequest{CheckoutId: id})
		if err != nil || answer.GetState() != want {
			t.Fatalf("%s, %v; want %s", answer.GetState(), err, want)
		}
	}
	resume(uuid.NewString(), checkoutpb.Checkout_STATE_UNSPECIFIED)

	r := s.request("key-1", "pm_card_threeDSecure2Required")
	outcome, err := s.Checkout(t.Context(), r)
	s.want(outcome, err, checkout.RequiresAction)
	resume(r.ID, checkoutpb.Checkout_REQUIRES_ACTION)
	s.act(r.ID, "complete")
	for range 2 {
		resume(r.ID, checkoutpb.Checkout_CONFIRMED)
	}
	s.wantStates(r.ID, "CONFIRMED", payment.Authorized)
	s.wantStock(oneSold, oneSold)
	s.wantIntents(map[payment.IntentStatus]int{payment.IntentAuthorized: 1})
	if s.cart.cleared != 1 {
		t.Errorf("the cart was cleared %d times", s.cart.cleared)
	}

	given := s.request("key-2", "pm_card_threeDSecure2Required")
	outcome, err = s.Checkout(t.Context(), given)
	s.want(outcome, err, checkout.RequiresAction)
	s.later()
	resume(given.ID, checkoutpb.Checkout_FAILED)

	for _, ctx := range []context.Context{service.as(t, "clearcart"), service.shopper(t, s.user)} {
		if _, err := service.ResumeCheckout(ctx, &checkoutpb.ResumeCheckoutRequest{CheckoutId: r.ID}); !fault.Is(err, fault.PermissionDenied) {
			t.Errorf("another may resume: %v", err)
		}
	}
	if _, err := service.ResumeCheckout(as, &checkoutpb.ResumeCheckoutRequest{CheckoutId: "1"}); !fault.Is(err, fault.InvalidArgument) {
		t.Errorf("no UUID: %v", err)
	}
}

// What functions do by a schedule: the holds of a store, then the payments.
func TestReapAndReconcile(t *testing.T) {
	s := open(t)
	service := s.serve()
	r := s.request("key-1", "pm_card_threeDSecure2Required")
	outcome, err := s.Checkout(t.Context(), r)
	s.want(outcome, err, checkout.RequiresAction)
	s.now = s.now.Add(time.Hour)
	s.payments.before = func(method string) error {
		if method == "void" {
			return errBroken
		}
		return nil
	}
	reap := func(want int32) {
		t.Helper()
		answer, err := service.ReapCheckouts(service.as(t, "reapcheckouts"), &checkoutpb.ReapCheckoutsRequest{StoreId: s.store})
		if err != nil || answer.GetReaped() != want {
			t.Errorf("%d holds were looked after, %v; want %d", answer.GetReaped(), err, want)
		}
	}
	reap(1)
	s.wantStates(r.ID, "ABANDONED", payment.Voiding)
	s.wantStock(full, full)
	reap(0)

	s.payments.before = nil
	s.now = s.now.Add(time.Minute)
	answer, err := service.ReconcileCheckouts(service.as(t, "reconcilepayments"), &checkoutpb.ReconcileCheckoutsRequest{Limit: 1})
	if err != nil || answer.GetReconciled() != 1 {
		t.Errorf("%d payments were looked after, %v", answer.GetReconciled(), err)
	}
	s.wantStates(r.ID, "ABANDONED", payment.Voided)

	// A virtual stock of another epoch than Spanner's is loaded anew.
	s.flush()
	if _, err := s.ledger.Bump(t.Context(), s.store, "test"); err != nil {
		t.Fatal(err)
	}
	reap(0)
	current, err := s.ledger.Epoch(t.Context(), s.store)
	if err != nil {
		t.Fatal(err)
	}
	if loaded, _, err := s.virtual.Read(t.Context(), s.store, nil); err != nil || loaded != current {
		t.Errorf("loaded epoch %s, Spanner's %s, %v", loaded, current, err)
	}
	for _, function := range []string{"order", "applypaymentevent"} {
		if _, err := service.ReapCheckouts(service.as(t, function), &checkoutpb.ReapCheckoutsRequest{StoreId: s.store}); !fault.Is(err, fault.PermissionDenied) {
			t.Errorf("%s may reap: %v", function, err)
		}
	}
}

// A poll while the stock is loaded anew isn't told that the checkout has failed: it may yet become an order.
func TestPollAmidRebuild(t *testing.T) {
	s := open(t)
	service := s.serve()
	r := s.request("key-1", "pm_card_threeDSecure2Required")
	outcome, err := s.Checkout(t.Context(), r)
	s.want(outcome, err, checkout.RequiresAction)
	s.act(r.ID, "complete")
	s.stocks.before = func(string) error { return fault.StockRebuilding.New("loaded anew") }
	ctx := service.shopper(t, s.user)
	look := &checkoutpb.GetCheckoutRequest{CheckoutId: r.ID}
	if answer, err := service.GetCheckout(ctx, look); status.Code(err) != codes.Unavailable {
		t.Errorf("%v, %v", answer, err)
	}
	resumed, err := service.ResumeCheckout(service.as(t, "applypaymentevent"), &checkoutpb.ResumeCheckoutRequest{CheckoutId: r.ID})
	if status.Code(err) != codes.Unavailable {
		t.Errorf("%v, %v", resumed, err)
	}
	s.stocks.before = nil
	answer, err := service.GetCheckout(ctx, look)
	if err != nil || answer.GetState() != checkoutpb.Checkout_CONFIRMED || answer.GetOrder().GetOrderId() != r.ID {
		t.Errorf("%v, %v", answer, err)
	}
	if _, err := service.GetCheckout(service.shopper(t, uuid.NewString()), look); !fault.Is(err, fault.CheckoutNotFound) {
		t.Errorf("another's look: %v", err)
	}
}

// A cancellation is the order service's to pass on; the ledger names the person, if there is one.
func TestCancelByRPC(t *testing.T) {
	s := open(t)
	service := s.serve()
	id := s.buy("key-1")
	request := &checkoutpb.CancelOrderRequest{OrderId: id, Etag: `"1"`, Reason: "by telephone", Actor: "operator"}
	for _, ctx := range []context.Context{service.as(t, "capturepayment"), service.shopper(t, s.user)} {
		if _, err := service.CancelOrder(ctx, request); !fault.Is(err, fault.PermissionDenied) {
			t.Errorf("another may cancel: %v", err)
		}
	}
	as := service.as(t, "order")
	request.Actor = "somebody"
	if _, err := service.CancelOrder(as, request); !fault.Is(err, fault.InvalidArgument) {
		t.Errorf("an unknown actor: %v", err)
	}
	request.Actor, request.Etag = "operator", "2"
	if _, err := service.CancelOrder(as, request); !fault.Is(err, fault.EtagMismatch) {
		t.Errorf("another etag: %v", err)
	}
	request.Etag = `"1"`
	if _, err := service.CancelOrder(as, request); err != nil {
		t.Fatal(err)
	}
	if told := s.told(id); told.GetReason() != "by telephone" || told.GetOrder().GetHistory()[1].GetActor() != "operator" {
		t.Errorf("told: %v", told)
	}
	s.wantStates(id, "CANCELLED", payment.Voiding)
}

// The provider's news of a payment often come while the request that confirms it is still at work. Who brings them waits for it: otherwise
// the lines would be held twice for a while.
func TestResumeWaitsForTheRequest(t *testing.T) {
	s := open(t)
	r := s.request("key-1", "pm_card_visa")
	r.CartID = "me"
	var reserved atomic.Int64
	s.stocks.before = func(method string) error {
		if method == "reserve" {
			reserved.Add(1)
		}
		return nil
	}
	resumed := make(chan error, 1)
	s.payments.after = func(method string) error {
		if method != "confirm" {
			return nil
		}
		go func() {
			_, _, err := s.Resume(t.Context(), r.ID)
			resumed <- err
		}()
		// Time enough to get as far as it can: it either holds the lines a second time, or waits.
		for began := time.Now(); reserved.Load() == 1 && time.Since(began) < 300*time.Millisecond; {
			runtime.Gosched()
		}
		return nil
	}
	outcome, err := s.Checkout(t.Context(), r)
	s.want(outcome, err, checkout.Confirmed)
	if err := <-resumed; err != nil {
		t.Error(err)
	}
	if n := reserved.Load(); n != 1 {
		t.Errorf("the lines were held %d times", n)
	}
	s.wantStock(oneSold, oneSold)
}
