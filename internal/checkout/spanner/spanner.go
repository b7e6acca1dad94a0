// Package spanner has checkout's transactions. Each is composed of the reads and mutations of the rooms that own the tables, and
// calls nobody inside: a transaction function may run several times.
package spanner

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"cloud.google.com/go/spanner"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protojson"

	orderpb "larder.dev/api/order/v1"
	typepb "larder.dev/api/type/v1"
	"larder.dev/internal/chaos"
	"larder.dev/internal/checkout"
	"larder.dev/internal/money"
	"larder.dev/internal/order"
	orderspanner "larder.dev/internal/order/spanner"
	outboxspanner "larder.dev/internal/outbox/spanner"
	"larder.dev/internal/payment"
	paymentspanner "larder.dev/internal/payment/spanner"
	"larder.dev/internal/spannerdb"
	"larder.dev/internal/stock"
	stockspanner "larder.dev/internal/stock/spanner"
)

// Books implements checkout.Books and checkout.Orders.
type Books struct {
	client *spanner.Client
	orders *orderspanner.Store
	now    func() time.Time
}

var (
	_ checkout.Books  = (*Books)(nil)
	_ checkout.Orders = (*Books)(nil)
)

// NewBooks makes one.
func NewBooks(client *spanner.Client, now func() time.Time) *Books {
	return &Books{client: client, orders: orderspanner.New(client), now: now}
}

// Order implements checkout.Orders.
func (b *Books) Order(ctx context.Context, id string) (*orderpb.Order, error) {
	found, err := b.orders.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	return found.Proto(), nil
}

// Look implements checkout.Books. The two rows are read at once, each by itself, so they may be of two moments. That does no harm: what
// they show together, a process that read them in one moment and slept could take for true as well, and each step that follows is
// decided by a transaction or a script of its own.
func (b *Books) Look(ctx context.Context, id string) (checkout.Standing, error) {
	return look(ctx, func() spannerdb.Reader { return b.client.Single() }, id)
}

// look reads both rows at once, each by what reader returns. In a read-write transaction it locks them, or their absence.
func look(ctx context.Context, reader func() spannerdb.Reader, id string) (standing checkout.Standing, err error) {
	group, reading := errgroup.WithContext(ctx)
	group.Go(func() error {
		record, err := orderspanner.Read(reading, reader(), id)
		if err == nil && record != nil {
			standing.Order = &checkout.Order{
				UserID: record.UserID, StoreID: record.StoreID, State: record.State, Fingerprint: record.Fingerprint, Refusal: record.Refusal,
			}
			if record.Sold() {
				standing.Order.Sold = stock.Hold{Epoch: stock.EpochAt(record.Epoch), Token: record.HoldToken}
			}
		}
		return err
	})
	group.Go(func() (err error) {
		standing.Payment, err = paymentspanner.Read(reading, reader(), id)
		return err
	})
	err = group.Wait()
	return standing, err
}

// lookIn looks by a transaction.
func lookIn(ctx context.Context, txn spannerdb.Reader, id string) (checkout.Standing, error) {
	return look(ctx, func() spannerdb.Reader { return txn }, id)
}

// Initiate implements checkout.Books (rule 10). It is one call, which commits the row or finds one there. It doesn't look at Orders once
// more: a tombstone that came meanwhile is met by the commit, which finds it before there is an order, and by the reconciler. An
// insert whose answer was lost is sent again, and then finds its own row.
func (b *Books) Initiate(ctx context.Context, id string, frozen checkout.Frozen, intent string, fingerprint []byte, attendAfter time.Time) (checkout.Standing, error) {
	request, err := json.Marshal(frozen)
	if err != nil {
		return checkout.Standing{}, fmt.Errorf("freeze checkout %s: %w", id, err)
	}
	row := payment.Record{
		OrderID: id, State: payment.Initiated, IntentID: intent, Amount: frozen.Totals.Most(), Fingerprint: fingerprint, Request: request,
	}
	_, err = b.client.Apply(ctx, paymentspanner.InsertInitiated(row, attendAfter), spanner.ApplyAtLeastOnce())
	switch {
	case spanner.ErrCode(err) == codes.AlreadyExists:
		return b.Look(ctx, id)
	case err != nil:
		return checkout.Standing{}, fmt.Errorf("insert the payment: %w", err)
	default:
		return checkout.Standing{Payment: &row}, nil
	}
}

// AwaitAction implements checkout.Books.
func (b *Books) AwaitAction(ctx context.Context, id string, attendAfter time.Time) error {
	_, err := b.client.ReadWriteTransaction(ctx, func(ctx context.Context, txn *spanner.ReadWriteTransaction) error {
		row, err := paymentspanner.Read(ctx, txn, id)
		if err != nil || row == nil || row.State != payment.Initiated {
			return err
		}
		return move(txn, row, payment.Step{To: payment.RequiresAction, By: payment.Shopper}, attendAfter)
	})
	return err
}

// Commit implements checkout.Books (rule 5). It is two calls: one reads the epoch, which it locks, shared with all other commits of the
// store; the other commits, and fails if there is an order or a tombstone. The payment needs no look: its row is there (rule 10), and
// is INITIATED or REQUIRES_ACTION for as long as there is no row in Orders, since whoever moves it on inserts that too.
func (b *Books) Commit(ctx context.Context, id string, frozen checkout.Frozen, fingerprint []byte, hold stock.Hold) (standing checkout.Standing, epoch stock.Epoch, err error) {
	sold, err := Confirmed(id, frozen, b.now())
	if err != nil {
		return checkout.Standing{}, 0, err
	}
	told, err := orderspanner.Told(ctx, sold, &orderpb.OrderConfirmed{
		Order: sold.Proto(), CartId: frozen.CartID, CartEtag: frozen.CartETag, Version: sold.Version,
	})
	if err != nil {
		return checkout.Standing{}, 0, err
	}
	authorized, err := paymentspanner.UpdateState(id, payment.Initiated, payment.Step{To: payment.Authorized, By: payment.Shopper}, time.Time{})
	if err != nil {
		return checkout.Standing{}, 0, err
	}
	mutations := append(orderspanner.InsertConfirmed(orderspanner.NewOrder{
		OrderID: id, UserID: frozen.UserID, StoreID: frozen.StoreID, Epoch: hold.Epoch.Time(), HoldToken: hold.Token,
		Fingerprint: fingerprint, Lines: frozen.Lines, Totals: frozen.Totals, Address: frozen.Address, Slot: frozen.Slot,
	}), authorized...)
	if !chaos.Without(chaos.Outbox) {
		mutations = append(mutations, outboxspanner.Insert(told))
	}
	var fenced bool
	committed, err := b.client.ReadWriteTransaction(ctx, func(ctx context.Context, txn *spanner.ReadWriteTransaction) (err error) {
		if epoch, err = stockspanner.Epoch(ctx, txn, frozen.StoreID); err != nil {
			return err
		}
		if fenced = epoch == 0 || epoch != hold.Epoch && !chaos.Without(chaos.EpochCheck); fenced {
			standing, err = lookIn(ctx, txn, id) // sold or abandoned comes first
			return err
		}
		sale := stockspanner.Sale(frozen.StoreID, id, epoch, frozen.StockLines(), frozen.UserID)
		return txn.BufferWrite(slices.Concat(mutations, sale))
	})
	switch {
	case spanner.ErrCode(err) == codes.AlreadyExists:
		standing, err = b.Look(ctx, id)
		return standing, epoch, err
	case err != nil || fenced:
		return standing, epoch, err
	}
	shown, err := Confirmed(id, frozen, committed)
	if err != nil {
		return checkout.Standing{}, 0, err
	}
	return checkout.Standing{Order: &checkout.Order{
		UserID: frozen.UserID, StoreID: frozen.StoreID, State: order.Confirmed, Sold: hold, Fingerprint: fingerprint, Made: shown.Proto(),
	}}, epoch, nil
}

// Confirmed is an order as its commit makes it. In the event of the commit its times are this process's: the commit's own is known only
// afterwards.
func Confirmed(id string, frozen checkout.Frozen, at time.Time) (order.Order, error) {
	var address typepb.Address
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(frozen.Address, &address); err != nil {
		return order.Order{}, fmt.Errorf("read the address of %s: %w", id, err)
	}
	most := frozen.Totals.Most()
	none := money.Of(0, most.Currency)
	return order.Order{
		ID: id, UserID: frozen.UserID, StoreID: frozen.StoreID, State: order.Confirmed, Version: 1, Lines: frozen.Lines,
		Totals: frozen.Totals, Address: &address, Slot: frozen.Slot, CreateTime: at, UpdateTime: at,
		Payment: order.Payment{State: order.PaymentState(payment.Authorized), Authorized: most, Captured: none, Refunded: none},
		History: []order.Event{{State: order.Confirmed, Time: at, Actor: order.Shopper}},
	}, nil
}

// Abandon implements checkout.Books (rule 7a). The first to abandon a checkout takes two calls, since the commit itself finds an order or a
// tombstone that is there; only then are both rows read.
func (b *Books) Abandon(ctx context.Context, id string, tombstone checkout.Order, attendAfter time.Time) (standing checkout.Standing, err error) {
	_, err = b.client.ReadWriteTransaction(ctx, func(ctx context.Context, txn *spanner.ReadWriteTransaction) (err error) {
		standing = checkout.Standing{Order: &tombstone}
		if standing.Payment, err = paymentspanner.Read(ctx, txn, id); err != nil {
			return err
		}
		inserted := orderspanner.InsertAbandoned(id, tombstone.UserID, tombstone.StoreID, tombstone.Fingerprint, tombstone.Refusal)
		if err := txn.BufferWrite(inserted); err != nil {
			return err
		}
		return voiding(txn, standing.Payment, attendAfter)
	})
	if spanner.ErrCode(err) != codes.AlreadyExists {
		return standing, err
	}
	_, err = b.client.ReadWriteTransaction(ctx, func(ctx context.Context, txn *spanner.ReadWriteTransaction) (err error) {
		if standing, err = lookIn(ctx, txn, id); err != nil || standing.Sold() {
			return err
		}
		return voiding(txn, standing.Payment, attendAfter)
	})
	return standing, err
}

// voiding moves a payment, if there is one, to VOIDING, unless it is that or VOIDED.
func voiding(txn *spanner.ReadWriteTransaction, row *payment.Record, attendAfter time.Time) error {
	if row == nil || row.State == payment.Voided || row.State == payment.Voiding {
		return nil
	}
	return move(txn, row, payment.Step{To: payment.Voiding, By: payment.System, Reason: "the checkout was given up"}, attendAfter)
}

// ToAttend implements checkout.Books.
func (b *Books) ToAttend(ctx context.Context, due payment.Due, limit int) ([]string, error) {
	return paymentspanner.ToAttend(ctx, b.client, due, limit)
}

// PutOff implements checkout.Books.
func (b *Books) PutOff(ctx context.Context, id string, due payment.Due, until time.Time) (bool, error) {
	return paymentspanner.PutOff(ctx, b.client, id, due, until)
}

// move writes a payment's step, and shows it in the row that was read.
func move(txn *spanner.ReadWriteTransaction, row *payment.Record, step payment.Step, attendAfter time.Time) error {
	mutations, err := paymentspanner.UpdateState(row.OrderID, row.State, step, attendAfter)
	if err != nil {
		return err
	}
	row.State = step.To
	return txn.BufferWrite(mutations)
}
