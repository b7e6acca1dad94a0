package checkouttest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	orderpb "larder.dev/api/order/v1"
	"larder.dev/internal/chaos"
	"larder.dev/internal/checkout"
	checkoutspanner "larder.dev/internal/checkout/spanner"
	"larder.dev/internal/fault"
	"larder.dev/internal/order"
	orderspanner "larder.dev/internal/order/spanner"
	"larder.dev/internal/outbox"
	"larder.dev/internal/payment"
	"larder.dev/internal/stock"
	stockspanner "larder.dev/internal/stock/spanner"
)

// Books are checkout's transactions.
type Books struct {
	db  *Database
	now func() time.Time
}

var (
	_ checkout.Books  = Books{}
	_ checkout.Orders = Books{}
)

// Books of the database.
func (db *Database) Books(now func() time.Time) Books { return Books{db, now} }

// Order implements checkout.Orders.
func (b Books) Order(_ context.Context, id string) (*orderpb.Order, error) {
	b.db.mu.Lock()
	defer b.db.mu.Unlock()
	found, err := b.db.whole(id)
	if err != nil {
		return nil, err
	}
	return found.Proto(), nil
}

// Look implements checkout.Books.
func (b Books) Look(_ context.Context, id string) (checkout.Standing, error) {
	b.db.mu.Lock()
	defer b.db.mu.Unlock()
	return b.db.look(id), nil
}

// Initiate implements checkout.Books (rule 10).
func (b Books) Initiate(_ context.Context, id string, frozen checkout.Frozen, intent string, fingerprint []byte, attendAfter time.Time) (checkout.Standing, error) {
	request, err := json.Marshal(frozen)
	if err != nil {
		return checkout.Standing{}, fmt.Errorf("freeze checkout %s: %w", id, err)
	}
	b.db.mu.Lock()
	defer b.db.mu.Unlock()
	if b.db.payments[id] == nil {
		at, amount := b.db.commit(), frozen.Totals.Most()
		none := amount
		none.Minor = 0
		b.db.payments[id] = &paymentRow{
			Record: payment.Record{
				OrderID: id, State: payment.Initiated, IntentID: intent, Amount: amount, Captured: none, Refunded: none,
				Fingerprint: fingerprint, Request: request, CreateTime: at, UpdateTime: at,
			},
			history:     []payment.HistoryEntry{{State: payment.Initiated, Time: at, Actor: payment.Shopper}},
			attendAfter: attendAfter,
		}
		return checkout.Standing{Payment: b.db.look(id).Payment}, nil
	}
	return b.db.look(id), nil
}

// AwaitAction implements checkout.Books.
func (b Books) AwaitAction(_ context.Context, id string, attendAfter time.Time) error {
	b.db.mu.Lock()
	defer b.db.mu.Unlock()
	row := b.db.payments[id]
	if row == nil || row.State != payment.Initiated {
		return nil
	}
	return row.pay(payment.Step{To: payment.RequiresAction, By: payment.Shopper}, b.db.commit(), attendAfter)
}

// Commit implements checkout.Books (rule 5).
func (b Books) Commit(ctx context.Context, id string, frozen checkout.Frozen, fingerprint []byte, hold stock.Hold) (checkout.Standing, stock.Epoch, error) {
	sold, err := checkoutspanner.Confirmed(id, frozen, b.now())
	if err != nil {
		return checkout.Standing{}, 0, err
	}
	told, err := orderspanner.Told(ctx, sold, &orderpb.OrderConfirmed{
		Order: sold.Proto(), CartId: frozen.CartID, CartEtag: frozen.CartETag, Version: sold.Version,
	})
	if err != nil {
		return checkout.Standing{}, 0, err
	}
	at, standing, epoch, err := b.commit(id, sold, frozen, fingerprint, hold, told)
	if err != nil || at.IsZero() {
		return standing, epoch, err
	}
	shown, err := checkoutspanner.Confirmed(id, frozen, at)
	if err != nil {
		return checkout.Standing{}, 0, err
	}
	standing.Order.Made = shown.Proto()
	return standing, epoch, nil
}

// commit is Commit's transaction; at is zero where nothing was committed.
func (b Books) commit(
	id string, sold order.Order, frozen checkout.Frozen, fingerprint []byte, hold stock.Hold, told outbox.Event,
) (at time.Time, _ checkout.Standing, epoch stock.Epoch, _ error) {
	b.db.mu.Lock()
	defer b.db.mu.Unlock()
	epoch = b.db.epochs[frozen.StoreID]
	if epoch == 0 || (epoch != hold.Epoch && !chaos.Without(chaos.EpochCheck)) || b.db.orders[id] != nil {
		return time.Time{}, b.db.look(id), epoch, nil
	}
	paid := b.db.payments[id]
	if paid == nil {
		return time.Time{}, checkout.Standing{}, 0, errors.New("a commit finds no payment")
	}
	at = b.db.commit()
	if err := paid.pay(payment.Step{To: payment.Authorized, By: payment.Shopper}, at, time.Time{}); err != nil {
		return time.Time{}, checkout.Standing{}, 0, err
	}
	sold.CreateTime, sold.UpdateTime, sold.History[0].Time = at, at, at
	b.db.insert(&orderRow{Order: sold, fingerprint: fingerprint, hold: hold})
	lines := frozen.StockLines()
	for i := range lines {
		lines[i].Quantity = -lines[i].Quantity
	}
	b.db.enter(frozen.StoreID, lines, stock.Entry{
		ID: "sale:" + id, Epoch: epoch, Kind: stock.KindSale, Reference: id, Actor: frozen.UserID, Time: at,
	})
	b.db.events = append(b.db.events, told)
	return at, checkout.Standing{Order: &checkout.Order{
		UserID: frozen.UserID, StoreID: frozen.StoreID, State: order.Confirmed, Sold: hold, Fingerprint: fingerprint,
	}}, epoch, nil
}

// Abandon implements checkout.Books (rule 7a).
func (b Books) Abandon(_ context.Context, id string, tombstone checkout.Order, attendAfter time.Time) (checkout.Standing, error) {
	b.db.mu.Lock()
	defer b.db.mu.Unlock()
	if row := b.db.orders[id]; row != nil && row.State != order.Abandoned {
		return b.db.look(id), nil
	}
	at, made := b.db.commit(), b.db.orders[id] == nil
	if made {
		b.db.insert(&orderRow{
			Order: order.Order{
				ID: id, UserID: tombstone.UserID, StoreID: tombstone.StoreID, State: order.Abandoned, Version: 1, CreateTime: at, UpdateTime: at,
			},
			fingerprint: tombstone.Fingerprint, refusal: tombstone.Refusal,
		})
	}
	if row := b.db.payments[id]; row != nil && row.State != payment.Voided && row.State != payment.Voiding {
		step := payment.Step{To: payment.Voiding, By: payment.System, Reason: "the checkout was given up"}
		if err := row.pay(step, at, attendAfter); err != nil {
			return checkout.Standing{}, err
		}
	}
	standing := b.db.look(id)
	if made {
		standing.Order = &tombstone
	}
	return standing, nil
}

// Cancel implements checkout.Books (rule 8).
func (b Books) Cancel(ctx context.Context, id string, cancellation checkout.Cancellation, attendAfter time.Time) error {
	b.db.mu.Lock()
	defer b.db.mu.Unlock()
	sold, err := b.db.whole(id)
	if err != nil {
		return err
	}
	if c := cancellation.OnlyIf; c != "" && c != payment.State(sold.Payment.State) {
		return nil
	}
	cancelled, taken, err := sold.Take(cancellation.Step, b.now())
	if err != nil || !taken {
		return err
	}
	epoch := b.db.epochs[sold.StoreID]
	if epoch == 0 {
		return checkout.ErrNoEpoch(sold.StoreID)
	}
	frozen, err := b.db.frozen(id)
	if err != nil {
		return err
	}
	lines := frozen.Taken(sold)
	row, was := b.db.payments[id], payment.State(sold.Payment.State)
	open := was != payment.Voiding && was != payment.Voided
	if open {
		cancelled.Payment.State = order.PaymentState(payment.Voiding)
	}
	entry := stockspanner.CancellationID(id)
	message := &orderpb.OrderCancelled{
		Order: cancelled.Proto(), Version: cancelled.Version, Reason: cancellation.Reason, StockEntryId: entry, StockEpoch: int64(epoch),
	}
	for _, line := range lines {
		message.StockTaken = append(message.StockTaken, &orderpb.StockTaken{ProductId: line.ProductID, Quantity: line.Quantity})
	}
	told, err := orderspanner.Told(ctx, cancelled, message)
	if err != nil {
		return err
	}
	at := b.db.commit()
	if open {
		step := payment.Step{To: payment.Voiding, By: payment.Actor(cancellation.By), Reason: cancellation.Reason}
		if err := row.pay(step, at, attendAfter); err != nil {
			return err
		}
	}
	b.db.step(cancelled, at)
	b.db.enter(sold.StoreID, lines, stock.Entry{
		ID: entry, Epoch: epoch, Kind: stock.KindCancellation, Reference: id, Actor: cancellation.For, Reason: cancellation.Reason, Time: at,
	})
	b.db.events = append(b.db.events, told)
	return nil
}

// frozen is the checkout that an order was sold by.
func (db *Database) frozen(id string) (checkout.Frozen, error) {
	row := db.payments[id]
	if row == nil {
		return checkout.Frozen{}, fmt.Errorf("order %s has no payment", id)
	}
	return checkout.Thaw(&row.Record)
}

// Bought implements checkout.Books.
func (b Books) Bought(_ context.Context, id string) (order.Order, checkout.Frozen, error) {
	b.db.mu.Lock()
	defer b.db.mu.Unlock()
	found, err := b.db.whole(id)
	if err != nil {
		return order.Order{}, checkout.Frozen{}, err
	}
	if found.State == order.Abandoned {
		return order.Order{}, checkout.Frozen{}, order.ErrNotFound()
	}
	frozen, err := b.db.frozen(id)
	return found, frozen, err
}

// Pack implements checkout.Books. What was captured already can't differ here: nobody captures anything of an order that isn't packed.
func (b Books) Pack(ctx context.Context, id string, packing checkout.Packing, under stock.Epoch) (entered, current stock.Epoch, err error) {
	b.db.mu.Lock()
	defer b.db.mu.Unlock()
	entry := checkout.PackingID(id)
	bought, err := b.db.whole(id)
	if err != nil {
		return 0, 0, err
	}
	packed, taken, err := bought.Take(packing.Step, b.now())
	switch {
	case err != nil:
		return 0, 0, err
	case !taken && bought.Receipt != nil && !order.SameGoods(*bought.Receipt, packing.Receipt):
		return 0, 0, fault.OrderStateConflict.New("the order is packed already, with other goods").
			WithMetadata("from", string(bought.State)).WithMetadata("to", string(order.Packed))
	case !taken:
		return b.db.adjustments[inStore{bought.StoreID, entry}].Epoch, 0, nil
	}
	packed.Receipt = &packing.Receipt
	message := &orderpb.OrderPacked{Order: packed.Proto(), Version: packed.Version}
	if len(packing.Changes) > 0 {
		if current = b.db.epochs[bought.StoreID]; current == 0 || (under != 0 && under != current) {
			return 0, current, nil
		}
		message.StockEntryId, message.StockEpoch = entry, int64(current)
		for _, change := range packing.Changes {
			message.StockChanges = append(message.StockChanges, &orderpb.StockChanged{ProductId: change.ProductID, Quantity: change.Quantity})
		}
	}
	told, err := orderspanner.Told(ctx, packed, message)
	if err != nil {
		return 0, 0, err
	}
	at := b.db.commit()
	b.db.step(packed, at)
	b.db.payments[id].Receipt = &packing.Receipt
	if current != 0 {
		entered = current
		b.db.enter(bought.StoreID, packing.Changes, stock.Entry{
			ID: entry, Epoch: current, Kind: stock.KindPicking, Reference: id, Actor: packing.For, Reason: packing.Reason, Time: at,
		})
		b.db.adjustments[inStore{bought.StoreID, entry}] = adjustment{
			Withdrawal: stock.Withdrawal{Epoch: current, Lines: slices.Clone(packing.Changes)}, fingerprint: make([]byte, 32),
		}
	}
	b.db.events = append(b.db.events, told)
	return entered, current, nil
}

// ToAttend implements checkout.Books.
func (b Books) ToAttend(_ context.Context, due payment.Due, limit int) ([]string, error) {
	b.db.mu.Lock()
	defer b.db.mu.Unlock()
	var waiting []*paymentRow
	for _, row := range b.db.payments {
		if !row.attendAfter.IsZero() && due.Past(row.attendAfter) {
			waiting = append(waiting, row)
		}
	}
	slices.SortFunc(waiting, func(a, b *paymentRow) int { return a.attendAfter.Compare(b.attendAfter) })
	ids := make([]string, 0, min(limit, len(waiting)))
	for _, row := range waiting[:min(limit, len(waiting))] {
		ids = append(ids, row.OrderID)
	}
	return ids, nil
}

// PutOff implements checkout.Books.
func (b Books) PutOff(_ context.Context, id string, due payment.Due, until time.Time) (bool, error) {
	b.db.mu.Lock()
	defer b.db.mu.Unlock()
	row := b.db.payments[id]
	if row == nil || !row.State.Open() || row.attendAfter.IsZero() || !due.Past(row.attendAfter) {
		return false, nil
	}
	row.attendAfter = until
	return true, nil
}

// Steps implements checkout.Books.
func (b Books) Steps(_ context.Context, ids []string) (map[string]checkout.Step, error) {
	b.db.mu.Lock()
	defer b.db.mu.Unlock()
	steps := make(map[string]checkout.Step, len(ids))
	for _, id := range ids {
		standing := b.db.look(id)
		var made order.State
		var paid payment.State
		if standing.Order != nil {
			made = standing.Order.State
		}
		if standing.Payment != nil {
			paid = standing.Payment.State
		}
		steps[id] = checkout.StepOf(made, paid)
	}
	return steps, nil
}
