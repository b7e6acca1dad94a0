package checkouttest

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	orderpb "larder.dev/api/order/v1"
	typepb "larder.dev/api/type/v1"
	"larder.dev/internal/order"
	orderspanner "larder.dev/internal/order/spanner"
)

// Orders are the room order's own reads and steps.
type Orders struct{ db *Database }

var _ order.Store = Orders{}

// Orders of the database.
func (db *Database) Orders() Orders { return Orders{db} }

// Get implements order.Store.
func (o Orders) Get(_ context.Context, id string) (order.Order, error) {
	o.db.mu.Lock()
	defer o.db.mu.Unlock()
	return o.db.whole(id)
}

// List implements order.Store. It begins at the end of the list, where the newest are.
func (o Orders) List(_ context.Context, userID string, behind *order.Position, limit int) ([]order.Order, error) {
	o.db.mu.Lock()
	defer o.db.mu.Unlock()
	var page []order.Order
	for _, id := range slices.Backward(o.db.byUser[userID]) {
		found, err := o.db.whole(id)
		if err != nil {
			return nil, err
		}
		if behind != nil && !found.CreateTime.Before(behind.CreateTime) { // no two orders have one time here
			continue
		}
		if page = append(page, found); len(page) == limit {
			break
		}
	}
	return page, nil
}

// ListInStore implements order.Store.
func (o Orders) ListInStore(_ context.Context, store string, state order.State, behind *order.Position, limit int) ([]order.Order, error) {
	o.db.mu.Lock()
	defer o.db.mu.Unlock()
	compare := func(a, b order.Position) int {
		byTime := a.CreateTime.Compare(b.CreateTime)
		if state.Ended() {
			byTime = -byTime
		}
		return cmp.Or(byTime, cmp.Compare(a.OrderID, b.OrderID))
	}
	var places []order.Position
	for _, row := range o.db.orders {
		place := order.Position{CreateTime: row.CreateTime, OrderID: row.ID}
		if row.StoreID == store && row.State == state && (behind == nil || compare(place, *behind) > 0) {
			places = append(places, place)
		}
	}
	slices.SortFunc(places, compare)
	page := make([]order.Order, 0, limit)
	for _, place := range places[:min(limit, len(places))] {
		found, err := o.db.whole(place.OrderID)
		if err != nil {
			return nil, err
		}
		page = append(page, found)
	}
	return page, nil
}

// ConfirmedSince implements order.Store.
func (o Orders) ConfirmedSince(_ context.Context, store string, since time.Time) ([]time.Time, error) {
	o.db.mu.Lock()
	defer o.db.mu.Unlock()
	var times []time.Time
	for _, row := range o.db.orders {
		if row.StoreID == store && row.State != order.Abandoned && !row.CreateTime.Before(since) {
			times = append(times, row.CreateTime)
		}
	}
	return times, nil
}

// Versions implements order.Store.
func (o Orders) Versions(_ context.Context, ids []string) (map[string]int64, error) {
	o.db.mu.Lock()
	defer o.db.mu.Unlock()
	versions := make(map[string]int64, len(ids))
	for _, id := range ids {
		if row := o.db.orders[id]; row != nil {
			versions[id] = row.Version
		}
	}
	return versions, nil
}

// Move implements order.Store.
func (o Orders) Move(ctx context.Context, id string, step order.Step, at time.Time) (order.Order, error) {
	o.db.mu.Lock()
	defer o.db.mu.Unlock()
	found, err := o.db.whole(id)
	if err != nil {
		return order.Order{}, err
	}
	after, taken, err := found.Take(step, at)
	if err != nil || !taken {
		return after, err
	}
	var message proto.Message
	switch p := after.Proto(); after.State {
	case order.Picking:
		message = &orderpb.OrderPicking{Order: p, Version: after.Version}
	case order.Dispatched:
		message = &orderpb.OrderDispatched{Order: p, Version: after.Version}
	case order.Delivered:
		message = &orderpb.OrderDelivered{Order: p, Version: after.Version}
	default:
		return order.Order{}, fmt.Errorf("move order %s: nobody is told that it is %s", id, after.State)
	}
	told, err := orderspanner.Told(ctx, after, message)
	if err != nil {
		return order.Order{}, err
	}
	o.db.step(after, o.db.commit())
	o.db.events = append(o.db.events, told)
	return o.db.whole(id)
}

// NoteForgotten implements order.Store.
func (o Orders) NoteForgotten(_ context.Context, userID string) error {
	o.db.mu.Lock()
	defer o.db.mu.Unlock()
	o.db.forgotten[userID] = true
	return nil
}

// Forget implements order.Store.
func (o Orders) Forget(_ context.Context, id string) error {
	o.db.mu.Lock()
	defer o.db.mu.Unlock()
	row := o.db.orders[id]
	if row == nil || !row.State.Ended() || !o.db.forgotten[row.UserID] {
		return nil
	}
	if paid := o.db.payments[id]; paid != nil {
		request, err := paid.WithoutPerson()
		if err != nil {
			return err
		}
		paid.Request = request
	}
	row.Address = &typepb.Address{Country: row.Address.GetCountry()}
	row.History = slices.Clone(row.History)
	for i := range row.History {
		if row.History[i].Actor == order.Shopper {
			row.History[i].Reason = ""
		}
	}
	listed := o.db.byUser[row.UserID]
	o.db.byUser[row.UserID] = slices.DeleteFunc(listed, func(other string) bool { return other == id })
	return nil
}
