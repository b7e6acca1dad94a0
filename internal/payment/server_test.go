package payment_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	orderpb "larder.dev/api/order/v1"
	paymentpb "larder.dev/api/payment/v1"
	"larder.dev/internal/fault"
	"larder.dev/internal/identity"
	"larder.dev/internal/payment"
	"larder.dev/internal/serve"
	"larder.dev/internal/serve/servetest"
)

// counter is a till's service, whole, with its port.
type counter struct {
	*till
	issuer *servetest.Issuer
	url    string
	conn   *grpc.ClientConn
}

func serves(t *testing.T) *counter {
	t.Helper()
	c := &counter{till: open(t, nil), issuer: servetest.NewIssuer(t)}
	server := c.issuer.Start(t, "payment", func(ctx context.Context, app *serve.App) error {
		return app.Register(ctx, &paymentpb.PaymentService_ServiceDesc, payment.NewServer(c.Service, "https://shop.example/", c.provider.Provider.(payment.Healthy)),
			func(ctx context.Context, mux *runtime.ServeMux, conn grpc.ClientConnInterface) error {
				return paymentpb.RegisterPaymentServiceHandlerClient(ctx, mux, paymentpb.NewPaymentServiceClient(conn))
			})
	})
	conn, err := grpc.NewClient(server.Listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	c.url, c.conn = server.URL, conn
	return c
}

// as is a context of one of our services.
func (c *counter) as(service string) context.Context {
	return metadata.AppendToOutgoingContext(c.t.Context(), identity.ServiceTokenHeader, c.issuer.ServiceToken(c.t, service))
}

// rest calls the REST side as a person of a role, and reads the answer into a message, or its reason.
func (c *counter) rest(role, method, path, body string, into proto.Message) (code int, text string) {
	c.t.Helper()
	request, err := http.NewRequestWithContext(c.t.Context(), method, c.url+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	token := c.issuer.Token(c.t, identity.Caller{UserID: user, Roles: []string{role}}, time.Minute)
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		c.t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	if response.StatusCode == http.StatusOK {
		if err := protojson.Unmarshal(answer, into); err != nil {
			c.t.Fatalf("%s: %v", answer, err)
		}
	}
	return response.StatusCode, string(answer)
}

// An order's money by its service: refunded, looked at, audited, voided, each by who may.
func TestService(t *testing.T) {
	c := serves(t)
	client := paymentpb.NewPaymentServiceClient(c.conn)
	id, intent := c.sell()
	captured, err := client.CapturePayment(c.as("capturepayment"), &paymentpb.CapturePaymentRequest{OrderId: id})
	if err != nil || captured.GetState() != orderpb.OrderPayment_CAPTURED {
		t.Fatalf("%v, %v", captured, err)
	}
	wanted := &paymentpb.RefundPaymentRequest{
		OrderId: id, RefundId: uuid.NewString(), Reason: "mouldy", Actor: user,
		Lines: []*orderpb.RefundLine{{ProductId: "apples", Quantity: 2}},
	}
	refund, err := client.RefundPayment(c.as("order"), wanted)
	if err != nil || refund.GetState() != paymentpb.Refund_DONE || refund.GetAmount().GetMinorUnits() != 200 || len(refund.GetLines()) != 1 {
		t.Fatalf("%v, %v", refund, err)
	}
	wanted.RefundId, wanted.Lines[0].Quantity = uuid.NewString(), 1
	_, err = client.RefundPayment(c.as("order"), wanted)
	wantReason(t, err, fault.RefundTooLarge)
	told := &paymentpb.ApplyProviderEventRequest{Event: &paymentpb.ProviderEvent{
		EventId: "evt_1", Type: "charge.refunded", CreateTime: timestamppb.New(time.Unix(1_795_000_000, 0)), IntentId: intent, OrderId: id,
	}}
	for _, first := range []bool{true, false} {
		got, err := client.ApplyProviderEvent(c.as("applypaymentevent"), told)
		if err != nil || got.GetApplied() != first || got.GetResumeCheckout() {
			t.Fatalf("%v, %v", got, err)
		}
	}

	var shown paymentpb.Payment
	if code, text := c.rest(identity.RoleOperator, http.MethodGet, "/v1/orders/"+id+"/payment", "", &shown); code != http.StatusOK ||
		shown.GetState() != orderpb.OrderPayment_PARTIALLY_REFUNDED || shown.GetIntentId() != intent || shown.GetAuthorized().GetMinorUnits() != whole ||
		shown.GetCaptured().GetMinorUnits() != whole || shown.GetRefunded().GetMinorUnits() != 200 || len(shown.GetRefunds()) != 1 ||
		shown.GetRefunds()[0].GetOperatorId() != user || who(&shown) != "shopper , shopper , system , operator "+user || len(shown.GetEvents()) != 1 || shown.GetEvents()[0].GetType() != "charge.refunded" || shown.GetEvents()[0].GetReceiveTime() == nil {
		t.Errorf("%d %s", code, text)
	}
	if code, text := c.rest(identity.RoleOperator, http.MethodGet, "/v1/orders/"+uuid.NewString()+"/payment", "", nil); code != http.StatusNotFound ||
		!strings.Contains(text, "ORDER_NOT_FOUND") {
		t.Errorf("%d %s", code, text)
	}

	c.byHand(intent, 100)
	c.now = time.Now().Add(time.Hour)
	var audit paymentpb.AuditPaymentsResponse
	if code, text := c.rest(identity.RoleOperator, http.MethodPost, "/v1/payments:audit", `{}`, &audit); code != http.StatusOK ||
		audit.GetChecked() != 1 || len(audit.GetFindings()) != 1 || audit.GetFindings()[0].GetKind() != paymentpb.PaymentFinding_AMOUNT_DIFFERS ||
		audit.GetFindings()[0].GetOrderId() != id || audit.GetFindings()[0].GetIntentId() != intent || audit.GetNextPageToken() != "" {
		t.Errorf("%d %s", code, text)
	}

	c.cancel(id, payment.PartiallyRefunded)
	voided, err := client.VoidPayment(c.as("voidpayment"), &paymentpb.VoidPaymentRequest{OrderId: id})
	if err != nil || voided.GetState() != orderpb.OrderPayment_VOIDED {
		t.Fatalf("%v, %v", voided, err)
	}
	c.want(id, payment.Voided, whole, whole)
}

// who are the actors of a payment's history, in words.
func who(p *paymentpb.Payment) string {
	var words []string
	for _, step := range p.GetHistory() {
		words = append(words, step.GetActor()+" "+step.GetOperatorId())
	}
	return strings.Join(words, ", ")
}

// An operator who captures is named, of the time that it is refused too.
func TestOperatorCaptures(t *testing.T) {
	c := serves(t)
	client := paymentpb.NewPaymentServiceClient(c.conn)
	operator := metadata.AppendToOutgoingContext(t.Context(), "authorization",
		"Bearer "+c.issuer.Token(t, identity.Caller{UserID: user, Roles: []string{identity.RoleOperator}}, time.Minute))
	id, _ := c.sell()
	refused, intent := c.sell()
	if _, err := c.provider.Cancel(t.Context(), intent); err != nil {
		t.Fatal(err)
	}
	if _, err := client.CapturePayment(operator, &paymentpb.CapturePaymentRequest{OrderId: id}); err != nil {
		t.Fatal(err)
	}
	_, err := client.CapturePayment(operator, &paymentpb.CapturePaymentRequest{OrderId: refused})
	wantReason(t, err, fault.PaymentNotCapturable)
	for _, order := range []string{id, refused} {
		var shown paymentpb.Payment
		if code, text := c.rest(identity.RoleOperator, http.MethodGet, "/v1/orders/"+order+"/payment", "", &shown); code != http.StatusOK ||
			!strings.HasSuffix(who(&shown), "operator "+user) {
			t.Errorf("%d %s", code, text)
		}
	}
}

// Whoever may not is refused before anything happens, and so is what is malformed.
func TestServiceRefuses(t *testing.T) {
	c := serves(t)
	client := paymentpb.NewPaymentServiceClient(c.conn)
	id, _ := c.take()
	all := &paymentpb.RefundPaymentRequest{OrderId: id, RefundId: uuid.NewString(), Reason: "r"}
	for name, call := range map[string]func() error{
		"a refund": func() error { _, err := client.RefundPayment(c.as("checkout"), all); return err },
		"voiding": func() error {
			_, err := client.VoidPayment(c.as("order"), &paymentpb.VoidPaymentRequest{OrderId: id})
			return err
		},
		"capture": func() error {
			_, err := client.CapturePayment(c.as("order"), &paymentpb.CapturePaymentRequest{OrderId: id})
			return err
		},
		"an event": func() error {
			_, err := client.ApplyProviderEvent(c.as("paymentwebhook"), &paymentpb.ApplyProviderEventRequest{})
			return err
		},
		"an audit": func() error {
			_, err := client.AuditPayments(c.as("order"), &paymentpb.AuditPaymentsRequest{})
			return err
		},
	} {
		if err := call(); !fault.Is(err, fault.PermissionDenied) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, path := range []struct{ method, path, body string }{
		{http.MethodGet, "/v1/orders/" + id + "/payment", ""},
		{http.MethodPost, "/v1/payments:audit", "{}"},
	} {
		if code, text := c.rest(identity.RoleShopper, path.method, path.path, path.body, nil); code != http.StatusForbidden {
			t.Errorf("a shopper's %s: %d %s", path.path, code, text)
		}
	}
	for name, request := range map[string]*paymentpb.RefundPaymentRequest{
		"no order":    {OrderId: "7", RefundId: all.GetRefundId(), Reason: "r"},
		"no id":       {OrderId: id, Reason: "r"},
		"no reason":   {OrderId: id, RefundId: all.GetRefundId()},
		"no units":    {OrderId: id, RefundId: all.GetRefundId(), Reason: "r", Lines: []*orderpb.RefundLine{{ProductId: "apples"}}},
		"no product":  {OrderId: id, RefundId: all.GetRefundId(), Reason: "r", Lines: []*orderpb.RefundLine{{Quantity: 1}}},
		"not of this": {OrderId: id, RefundId: all.GetRefundId(), Reason: "r", Lines: []*orderpb.RefundLine{{ProductId: "plums", Quantity: 1}}},
	} {
		if _, err := client.RefundPayment(c.as("order"), request); !fault.Is(err, fault.InvalidArgument) {
			t.Errorf("%s: %v", name, err)
		}
	}
	c.want(id, payment.Captured, whole, 0)
	processing, intent := c.initiate()
	c.confirm(processing, intent, "pm_card_processing")
	c.pay(processing, payment.Initiated, payment.Voiding)
	_, err := client.VoidPayment(c.as("checkout"), &paymentpb.VoidPaymentRequest{OrderId: processing})
	wantReason(t, err, fault.PaymentProcessing)
	c.control("/faults", `{"kind":"error","count":1000}`)
	_, err = client.VoidPayment(c.as("checkout"), &paymentpb.VoidPaymentRequest{OrderId: processing})
	if status.Code(err) != codes.Unavailable {
		t.Errorf("without the provider: %v", err)
	}
}
