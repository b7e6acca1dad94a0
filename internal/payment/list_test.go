package payment_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	orderpb "larder.dev/api/order/v1"
	paymentpb "larder.dev/api/payment/v1"
	"larder.dev/internal/fault"
	"larder.dev/internal/identity"
	"larder.dev/internal/payment"
)

// expire makes an order whose capture is refused.
func (b *till) expire() (id string) {
	b.t.Helper()
	id, intent := b.sell()
	if _, err := b.provider.Cancel(b.t.Context(), intent); err != nil {
		b.t.Fatal(err)
	}
	_, err := b.Capture(b.t.Context(), id, payment.Step{By: payment.System})
	wantReason(b.t, err, fault.PaymentNotCapturable)
	return id
}

// Each unsettled payment is in the list of its state, oldest first, once, while others come and go between the pages.
func TestList(t *testing.T) {
	b := open(t, nil)
	var failed []string
	for range 5 {
		failed = append(failed, b.expire())
		b.take()
	}
	sold, _ := b.sell()
	begun, _ := b.initiate()
	voiding, _ := b.sell()
	b.cancel(voiding, payment.Authorized)

	var got []string
	for token, pages := "", 0; ; pages++ {
		page, next, err := b.List(t.Context(), payment.CaptureFailed, 2, token)
		if err != nil || pages > 3 {
			t.Fatal(pages, err)
		}
		for _, record := range page {
			got = append(got, record.OrderID)
			if record.State != payment.CaptureFailed || record.IntentID == "" || record.Amount != gbp(whole) || record.CreateTime.IsZero() {
				t.Errorf("%+v", record)
			}
		}
		if pages == 0 {
			b.cancel(failed[0], payment.CaptureFailed)
			failed = append(failed, b.expire())
		}
		if token = next; token == "" {
			break
		}
	}
	if !slices.Equal(got, failed) {
		t.Errorf("listed %v, want %v", got, failed)
	}
	for state, want := range map[payment.State][]string{
		payment.Authorized: {sold}, payment.Initiated: {begun}, payment.RequiresAction: nil, payment.Voiding: {voiding, failed[0]},
	} {
		page, next, err := b.List(t.Context(), state, 0, "")
		if err != nil || next != "" {
			t.Fatal(state, err)
		}
		got = nil
		for _, record := range page {
			got = append(got, record.OrderID)
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s are %v, want %v", state, got, want)
		}
	}

	_, token, err := b.List(t.Context(), payment.CaptureFailed, 2, "")
	if err != nil || token == "" {
		t.Fatal(err)
	}
	_, _, err = b.List(t.Context(), payment.Voiding, 2, token)
	wantReason(t, err, fault.InvalidPageToken)
	_, _, err = b.List(t.Context(), payment.Voiding, 2, "e30x")
	wantReason(t, err, fault.InvalidPageToken)
	for _, state := range payment.States() {
		if state.Unsettled() {
			continue
		}
		if _, _, err = b.List(t.Context(), state, 2, ""); !fault.Is(err, fault.InvalidArgument) {
			t.Errorf("%s is listed: %v", state, err)
		}
	}
}

// A span begins behind its place and ends before its time.
func TestUnsettledSpan(t *testing.T) {
	b := open(t, nil)
	var all []payment.Record
	for range 3 {
		id, _ := b.sell()
		record, err := b.store.Read(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, record)
	}
	at := func(i int) payment.Place {
		return payment.Place{CreateTime: all[i].CreateTime, OrderID: all[i].OrderID}
	}
	for _, c := range []struct {
		name string
		span payment.Span
		want []int
	}{
		{"all", payment.Span{Limit: 9}, []int{0, 1, 2}},
		{"two", payment.Span{Limit: 2}, []int{0, 1}},
		{"behind the first", payment.Span{Behind: at(0), Limit: 9}, []int{1, 2}},
		{"from the second's time on", payment.Span{Behind: payment.Place{CreateTime: all[1].CreateTime}, Limit: 9}, []int{1, 2}},
		{"before the last", payment.Span{Before: all[2].CreateTime, Limit: 9}, []int{0, 1}},
		{"between", payment.Span{Behind: at(0), Before: all[2].CreateTime, Limit: 9}, []int{1}},
		{"nothing", payment.Span{Behind: at(2), Before: all[0].CreateTime, Limit: 9}, nil},
	} {
		c.span.State = payment.Authorized
		found, err := b.store.Unsettled(t.Context(), c.span)
		if err != nil {
			t.Fatal(c.name, err)
		}
		var got []int
		for _, record := range found {
			got = append(got, slices.IndexFunc(all, func(r payment.Record) bool { return r.OrderID == record.OrderID }))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// Operators see what can't be captured.
func TestListPayments(t *testing.T) {
	c := serves(t)
	id := c.expire()
	var page paymentpb.ListPaymentsResponse
	code, text := c.rest(identity.RoleOperator, http.MethodGet, "/v1/payments?state=CAPTURE_FAILED&page_size=5", "", &page)
	if code != http.StatusOK || len(page.GetPayments()) != 1 || page.GetNextPageToken() != "" {
		t.Fatalf("%d %s", code, text)
	}
	if p := page.GetPayments()[0]; p.GetOrderId() != id || p.GetState() != orderpb.OrderPayment_CAPTURE_FAILED || p.GetAuthorized().GetMinorUnits() != whole ||
		time.Since(p.GetUpdateTime().AsTime()) > time.Minute || p.GetCreateTime() == nil {
		t.Errorf("listed as %v", p)
	}
	for path, want := range map[string]string{"/v1/payments": "INVALID_ARGUMENT", "/v1/payments?state=CAPTURED": "INVALID_ARGUMENT"} {
		if code, text := c.rest(identity.RoleOperator, http.MethodGet, path, "", nil); code != http.StatusBadRequest || !strings.Contains(text, want) {
			t.Errorf("%s: %d %s", path, code, text)
		}
	}
}
