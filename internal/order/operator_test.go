package order_test

import (
	"bytes"
	"net/http"
	"strings"
	"testing"

	"cloud.google.com/go/spanner"
	"github.com/google/uuid"

	"larder.dev/internal/identity"
	"larder.dev/internal/payment"
)

// Which operator took a step is kept, of the money's steps too, and told to operators. Shoppers and listeners hear that it was an operator,
// and never which.
func TestWhoTookAStep(t *testing.T) {
	r := open(t)
	picker, driver, clerk := uuid.NewString(), uuid.NewString(), uuid.NewString()
	as := func(user string) string { return r.token(t, user, identity.RoleOperator) }

	delivered := r.sell(t)
	r.want(t, r.post(t, as(picker), delivered, "pick", `{}`), "PICKING", 2)
	r.want(t, r.post(t, as(clerk), delivered, "pick", `{}`), "PICKING", 2) // taken already: who did it stays
	r.want(t, r.post(t, as(picker), delivered, "pack", `{}`), "PACKED", 3)
	r.pay(t, delivered, payment.Authorized, payment.Captured)
	r.want(t, r.post(t, as(driver), delivered, "dispatch", `{}`), "DISPATCHED", 4)
	r.want(t, r.post(t, as(driver), delivered, "deliver", `{}`), "DELIVERED", 5)
	cancelled := r.sell(t)
	r.want(t, r.post(t, as(clerk), cancelled, "cancel", `{}`), "CANCELLED", 2)
	own := r.sell(t)
	r.want(t, r.post(t, r.shopper, own, "cancel", `{}`), "CANCELLED", 2)

	for id, want := range map[string]string{
		delivered: "shopper , operator " + picker + ", operator " + picker + ", operator " + driver + ", operator " + driver,
		cancelled: "shopper , operator " + clerk, own: "shopper , shopper ",
	} {
		status, body := get(t, r.url+"/v1/orders/"+id+"/history", r.operator)
		if got := steps(body); status != http.StatusOK || got != want {
			t.Errorf("operators see %d %q, want %q", status, got, want)
		}
		if status, body := get(t, r.url+"/v1/orders/"+id+"/history", r.shopper); status != http.StatusForbidden || reason(body) != "PERMISSION_DENIED" {
			t.Errorf("a shopper sees %d %v", status, body)
		}
	}
	if status, body := get(t, r.url+"/v1/orders/"+uuid.NewString()+"/history", r.operator); status != http.StatusNotFound || reason(body) != "ORDER_NOT_FOUND" {
		t.Errorf("no order's history is %d %v", status, body)
	}
	if got := r.voidedBy(t, cancelled); got != "operator "+clerk {
		t.Errorf("the payment's history has %q, want the clerk", got)
	}
	if got := r.voidedBy(t, own); got != "shopper " {
		t.Errorf("the payment's history has %q, want the shopper", got)
	}

	for _, id := range []string{delivered, cancelled, own} {
		for what, told := range map[string]string{
			"the order": text(t, r.url+"/v1/orders/"+id, r.shopper, ""), "the list": text(t, r.url+"/v1/orders", r.shopper, ""),
			"the watch": text(t, r.url+"/v1/orders/"+id+":watch", r.shopper, ""), "the stream": text(t, r.url+"/v1/orders/"+id+":watch", r.shopper, "text/event-stream"),
			"the list of the store": text(t, r.url+"/v1/stores/soho/orders?state=DELIVERED", r.operator, ""),
		} {
			for _, operator := range []string{picker, driver, clerk} {
				if !strings.Contains(told, "history") && !strings.Contains(told, "event") || strings.Contains(told, operator) {
					t.Errorf("%s tells %s: %s", what, operator, told)
				}
			}
		}
		events := r.events(t, id)
		for _, e := range events {
			for _, operator := range []string{picker, driver, clerk} {
				if strings.Contains(string(e.Data), operator) {
					t.Errorf("the event %s tells %s: %s", e.ID, operator, e.Data)
				}
			}
		}
		if len(events) == 0 {
			t.Errorf("nothing is told of %s", id)
		}
	}
}

// steps are a history's actors in words.
func steps(body map[string]any) string {
	var words []string
	all, _ := body["steps"].([]any)
	for _, step := range all {
		s, _ := step.(map[string]any)
		event, _ := s["event"].(map[string]any)
		actor, _ := event["actor"].(string)
		operator, _ := s["operator_id"].(string)
		words = append(words, actor+" "+operator)
	}
	return strings.Join(words, ", ")
}

// voidedBy is who set off that a payment is voided.
func (r *rig) voidedBy(t *testing.T, id string) (who string) {
	t.Helper()
	columns := []string{"State", "Actor", "OperatorId"}
	err := r.client.Single().Read(t.Context(), "PaymentHistory", spanner.Key{id}.AsPrefix(), columns).Do(func(row *spanner.Row) error {
		var state, actor string
		var operator spanner.NullString
		err := row.Columns(&state, &actor, &operator)
		if state == string(payment.Voiding) {
			who = actor + " " + operator.StringVal
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return who
}

// text is what a reader gets, to its end.
func text(t *testing.T, url, token, accept string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	if accept != "" {
		request.Header.Set("Accept", accept)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	var all bytes.Buffer
	if _, err := all.ReadFrom(response.Body); err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d %s, %v", url, response.StatusCode, all.String(), err)
	}
	return all.String()
}
