package order_test

import (
	"fmt"
	"strings"
	"testing"

	"cloud.google.com/go/spanner"
	"github.com/google/uuid"

	"larder.dev/internal/identity"
	"larder.dev/internal/order"
	orderspanner "larder.dev/internal/order/spanner"
	"larder.dev/internal/payment"
)

// kept is all that the database holds of an order that could name a person.
func (r *rig) kept(t *testing.T, id string) string {
	t.Helper()
	read := func(table, column string) string {
		row, err := r.client.Single().ReadRow(t.Context(), table, spanner.Key{id}, []string{column})
		if err != nil {
			t.Fatal(err)
		}
		var text spanner.NullJSON
		if err := row.Columns(&text); err != nil {
			t.Fatal(err)
		}
		return text.String()
	}
	text := read("Orders", "Address") + read("Payments", "Request")
	rows := r.client.Single().Read(t.Context(), "OrderHistory", spanner.Key{id}.AsPrefix(), []string{"Reason"})
	err := rows.Do(func(row *spanner.Row) error {
		var reason string
		err := row.Columns(&reason)
		text += reason
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// names are what the orders of this test say about their person.
var names = []string{"Lovelace", "London", "SW1Y", "+4420", "my mother"}

func (r *rig) wantPerson(t *testing.T, what, id string, there bool) {
	t.Helper()
	kept := r.kept(t, id)
	found := 0
	for _, name := range names {
		if strings.Contains(kept, name) {
			found++
		}
	}
	if there != (found > 0) {
		t.Errorf("%s: %s", what, kept)
	}
}

// delivered takes an order to its end.
func (r *rig) deliver(t *testing.T, id string) {
	t.Helper()
	r.want(t, r.post(t, r.operator, id, "pick", `{}`), "PICKING", 2)
	r.want(t, r.post(t, r.operator, id, "pack", `{}`), "PACKED", 3)
	r.pay(t, id, payment.Authorized, payment.Captured)
	r.want(t, r.post(t, r.operator, id, "dispatch", `{}`), "DISPATCHED", 4)
	r.want(t, r.post(t, r.operator, id, "deliver", `{}`), "DELIVERED", 5)
}

// Orders that have ended lose the person at once, those on their way when they end, others' never. What was bought and paid stays.
func TestForgettingAPerson(t *testing.T) {
	r := open(t)
	service := order.New(orderspanner.New(r.client), nil, nil, nil)
	ended, cancelled, onItsWay := r.sell(t), r.sell(t), r.sell(t)
	r.deliver(t, ended)
	r.want(t, r.post(t, r.shopper, cancelled, "cancel", `{"reason":"my mother brings some"}`), "CANCELLED", 2)
	mine := r.user
	r.user = uuid.NewString()
	others := r.sell(t)
	r.deliver(t, others)
	r.user = mine

	for range 2 { // told twice
		if err := service.ForgetUser(t.Context(), mine); err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range []string{onItsWay, others, uuid.NewString()} {
		if err := service.ForgetOrder(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	r.wantPerson(t, "a delivered order", ended, false)
	r.wantPerson(t, "a cancelled order", cancelled, false)
	r.wantPerson(t, "an order on its way", onItsWay, true)
	r.wantPerson(t, "another's order", others, true)

	r.deliver(t, onItsWay)
	for range 2 {
		if err := service.ForgetOrder(t.Context(), onItsWay); err != nil {
			t.Fatal(err)
		}
	}
	r.wantPerson(t, "an order that has ended since", onItsWay, false)

	listed, _, err := service.List(t.Context(), identity.Caller{UserID: mine}, 0, "")
	if err != nil || len(listed) != 0 {
		t.Errorf("the list of a forgotten person: %d orders, %v", len(listed), err)
	}
	after, err := service.Get(t.Context(), identity.Caller{UserID: "o", Roles: []string{identity.RoleOperator}}, ended)
	if err != nil || len(after.Lines) != 2 || after.Totals.Total.Minor != 585 || after.Payment.Captured.Minor == 0 && after.Payment.State != order.PaymentState(payment.Captured) {
		t.Errorf("what is left of the order: %+v, %v", after, err)
	}
	if got := fmt.Sprint(after.Address.GetCountry(), after.Address.GetPostcode(), after.Address.GetRecipient()); got != "GB" {
		t.Errorf("what is left of the address is %q", got)
	}
}

// A person with more orders than a page of their list has.
func TestForgettingManyOrders(t *testing.T) {
	r := open(t)
	service := order.New(orderspanner.New(r.client), nil, nil, nil)
	const orders = order.MaxPageSize + 3
	ids := make([]string, 0, orders)
	for i := range orders {
		id := r.sell(t)
		ids = append(ids, id)
		state := order.Delivered
		if i%10 == 0 {
			state = order.Picking
		}
		r.apply(t, spanner.UpdateMap("Orders", map[string]any{"OrderId": id, "State": string(state)}))
	}
	if err := service.ForgetUser(t.Context(), r.user); err != nil {
		t.Fatal(err)
	}
	for i, id := range ids {
		r.wantPerson(t, fmt.Sprint("order ", i), id, i%10 == 0)
	}
}
