package order_test

import (
	"testing"

	"cloud.google.com/go/spanner"
	"github.com/google/uuid"

	orderpb "larder.dev/api/order/v1"
	"larder.dev/internal/fault"
	"larder.dev/internal/identity"
	"larder.dev/internal/payment"
)

func TestCancel(t *testing.T) {
	r := open(t)
	id := r.sell(t)
	stranger := r.token(t, uuid.NewString(), identity.RoleShopper)
	r.wantRefused(t, r.post(t, stranger, id, "cancel", `{}`), 404, "ORDER_NOT_FOUND")
	r.wantRefused(t, r.post(t, r.shopper, id, "cancel", `{"etag":"7"}`), 412, "ETAG_MISMATCH")
	for range 2 {
		cancelled := r.post(t, r.shopper, id, "cancel", `{"etag":"1","reason":"changed my mind"}`)
		r.want(t, cancelled, "CANCELLED", 2)
		if step := cancelled.body["history"].([]any)[1].(map[string]any); step["actor"] != "shopper" || step["reason"] != "changed my mind" {
			t.Errorf("the step is remembered as %v", step)
		}
		if state := cancelled.body["payment"].(map[string]any)["state"]; state != "VOIDING" {
			t.Errorf("the payment is %v", state)
		}
	}
	told := new(orderpb.OrderCancelled)
	r.told(t, id, 2, told)
	if told.GetStockEntryId() != "cancellation:"+id || told.GetStockEpoch() == 0 || told.GetReason() != "changed my mind" ||
		told.GetOrder().GetPayment().GetState() != orderpb.OrderPayment_VOIDING || told.GetOrder().GetUserId() != r.user {
		t.Errorf("told: %v", told)
	}
	if n := len(r.events(t, id)); n != 1 {
		t.Errorf("%d events", n)
	}
	entries := map[string]int64{}
	err := r.client.Single().Read(t.Context(), "StockLedger", spanner.AllKeys(), []string{"ProductId", "Quantity", "EntryId", "Epoch"}).
		Do(func(row *spanner.Row) error {
			var product, entry string
			var quantity int64
			var epoch spanner.NullTime
			err := row.Columns(&product, &quantity, &entry, &epoch)
			if entries[product] += quantity; entry != told.GetStockEntryId() || epoch.Time.UnixNano() != told.GetStockEpoch() {
				t.Errorf("an entry %s of epoch %s", entry, epoch)
			}
			return err
		})
	if err != nil || len(entries) != 3 || entries["milk"] != 3 || entries["oats"] != 1 || entries["slot:"+slot.ID] != 1 {
		t.Errorf("the ledger was given back %v, %v", entries, err)
	}
}

// A shopper cancels until picking begins, an operator until the van leaves; an operator's own order is an operator's.
func TestWhoCancels(t *testing.T) {
	r := open(t)
	picking := r.sell(t)
	r.want(t, r.post(t, r.operator, picking, "pick", `{}`), "PICKING", 2)
	r.wantRefused(t, r.post(t, r.shopper, picking, "cancel", `{}`), 409, "ORDER_STATE_CONFLICT")
	own := r.token(t, r.user, identity.RoleOperator)
	cancelled := r.post(t, own, picking, "cancel", `{"reason":"no milk"}`)
	r.want(t, cancelled, "CANCELLED", 3)
	if step := cancelled.body["history"].([]any)[2].(map[string]any); step["actor"] != "operator" {
		t.Errorf("the step is remembered as %v", step)
	}
	r.want(t, r.post(t, r.shopper, picking, "cancel", `{}`), "CANCELLED", 3)
	r.wantRefused(t, r.post(t, r.operator, picking, "pack", `{}`), 409, "ORDER_STATE_CONFLICT")

	packed := r.sell(t)
	r.want(t, r.post(t, r.operator, packed, "pick", `{}`), "PICKING", 2)
	r.want(t, r.post(t, r.operator, packed, "pack", `{}`), "PACKED", 3)
	r.pay(t, packed, payment.Authorized, payment.Captured)
	r.want(t, r.post(t, r.operator, packed, "cancel", `{}`), "CANCELLED", 4)
}

// A payment that is being voided already stays as it is.
func TestCancelWhileVoiding(t *testing.T) {
	r := open(t)
	id := r.sell(t)
	r.pay(t, id, payment.Authorized, payment.Voiding)
	r.pay(t, id, payment.Voiding, payment.Voided)
	cancelled := r.post(t, r.operator, id, "cancel", `{}`)
	r.want(t, cancelled, "CANCELLED", 2)
	if state := cancelled.body["payment"].(map[string]any)["state"]; state != "VOIDED" {
		t.Errorf("the payment is %v", state)
	}
}

// Without its store's epoch nothing commits, and a cancellation least of all: nobody could tell whether a load has its entry.
func TestCancelWithoutEpoch(t *testing.T) {
	r := open(t)
	id := r.sell(t)
	r.apply(t, spanner.Delete("Epochs", spanner.Key{"soho"}))
	r.wantRefused(t, r.post(t, r.shopper, id, "cancel", `{}`), 503, "UNAVAILABLE")
	if _, body := get(t, r.url+"/v1/orders/"+id, r.shopper); body["state"] != "CONFIRMED" {
		t.Errorf("the order is %v", body["state"])
	}
}

func TestRefund(t *testing.T) {
	r := open(t)
	id := r.sell(t)
	const line = `{"lines":[{"product_id":"milk","quantity":2}],"reason":"sour"}`
	r.wantRefused(t, r.post(t, r.shopper, id, "refund", line, "Idempotency-Key", "refund-01"), 403, "PERMISSION_DENIED")
	r.wantRefused(t, r.post(t, r.operator, id, "refund", line), 400, "IDEMPOTENCY_KEY_REQUIRED")
	r.wantRefused(t, r.post(t, r.operator, id, "refund", `{"lines":[{"product_id":"milk","quantity":2}]}`, "Idempotency-Key", "refund-01"), 400, "INVALID_ARGUMENT")
	r.wantRefused(t, r.post(t, r.operator, id, "refund",
		`{"lines":[{"product_id":"milk","quantity":1},{"product_id":"oats","quantity":1},{"product_id":"milk","quantity":1}],"reason":"sour"}`,
		"Idempotency-Key", "refund-01"), 400, "INVALID_ARGUMENT")
	if len(r.refunds.asked) != 0 {
		t.Fatalf("refused requests were passed on: %v", r.refunds.asked)
	}

	for _, key := range []string{"refund-01", "refund-01", "refund-02"} {
		r.want(t, r.post(t, r.operator, id, "refund", line, "Idempotency-Key", key), "CONFIRMED", 1)
	}
	other := r.sell(t)
	r.want(t, r.post(t, r.operator, other, "refund", `{"reason":"all of it"}`, "Idempotency-Key", "refund-01"), "CONFIRMED", 1)
	asked := r.refunds.asked
	if len(asked) != 4 || asked[0].ID != asked[1].ID || asked[0].ID == asked[2].ID || asked[0].ID == asked[3].ID {
		t.Fatalf("asked for %v", asked)
	}
	if first := asked[0]; first.OrderID != id || first.Reason != "sour" || len(first.Lines) != 1 || first.Lines[0].ProductID != "milk" ||
		first.Lines[0].Quantity != 2 || uuid.Validate(first.Actor) != nil || uuid.Validate(first.ID) != nil {
		t.Errorf("asked for %+v", first)
	}
	if len(asked[3].Lines) != 0 || asked[3].OrderID != other {
		t.Errorf("asked for %+v", asked[3])
	}
	r.refunds.err = fault.RefundTooLarge.New("more than was bought")
	r.wantRefused(t, r.post(t, r.operator, id, "refund", line, "Idempotency-Key", "refund-03"), 409, "REFUND_TOO_LARGE")
}
