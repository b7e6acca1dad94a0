package spanner

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"cloud.google.com/go/spanner"

	orderpb "larder.dev/api/order/v1"
	"larder.dev/internal/event"
	"larder.dev/internal/money"
	"larder.dev/internal/outbox"
	outboxspanner "larder.dev/internal/outbox/spanner"
	"larder.dev/internal/payment"
	"larder.dev/internal/spannerdb"
)

// account reads a payment with its refunds. In a read-write transaction it locks them, and the place of those to come. Errors:
// ORDER_NOT_FOUND.
func account(ctx context.Context, txn spannerdb.Reader, order string) (payment.Account, error) {
	record, err := mustRead(ctx, txn, order)
	if err != nil {
		return payment.Account{}, err
	}
	refunds, err := readRefunds(ctx, txn, []string{order})
	if err != nil {
		return payment.Account{}, err
	}
	return payment.Account{Record: record, Refunds: in(record.Amount.Currency, refunds[order])}, nil
}

// in sets the currency of refunds, which is their payment's.
func in(currency string, refunds []payment.Refund) []payment.Refund {
	for i := range refunds {
		refunds[i].Amount.Currency = currency
	}
	return refunds
}

// readRefunds returns the refunds of some orders by order, oldest first, without their currency.
func readRefunds(ctx context.Context, txn spannerdb.Reader, orders []string) (map[string][]payment.Refund, error) {
	refunds := map[string][]payment.Refund{}
	columns := []string{"OrderId", "RefundId", "State", "Amount", "Lines", "Reason", "Actor", "Fingerprint", "CreateTime"}
	err := txn.Read(ctx, "Refunds", prefixes(orders), columns).Do(func(row *spanner.Row) error {
		var r payment.Refund
		var order string
		var lines spanner.NullJSON
		err := row.Columns(&order, &r.ID, (*string)(&r.State), &r.Amount.Minor, &lines, &r.Reason, &r.Actor, &r.Fingerprint, &r.CreateTime)
		if err != nil {
			return err
		}
		if err := json.Unmarshal([]byte(lines.String()), &r.Lines); err != nil {
			return fmt.Errorf("lines of refund %s: %w", r.ID, err)
		}
		refunds[order] = append(refunds[order], r)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read refunds: %w", err)
	}
	for _, of := range refunds {
		slices.SortFunc(of, func(a, b payment.Refund) int {
			return cmp.Or(a.CreateTime.Compare(b.CreateTime), cmp.Compare(a.ID, b.ID))
		})
	}
	return refunds, nil
}

func prefixes(orders []string) spanner.KeySet {
	sets := make([]spanner.KeySet, len(orders))
	for i, order := range orders {
		sets[i] = spanner.Key{order}.AsPrefix()
	}
	return spanner.KeySets(sets...)
}

// Request implements payment.Store.
func (s *Store) Request(ctx context.Context, order string, wanted payment.Refund, attendAfter time.Time) (record payment.Record, refund payment.Refund, err error) {
	committed, err := s.client.ReadWriteTransaction(ctx, func(ctx context.Context, txn *spanner.ReadWriteTransaction) error {
		found, err := account(ctx, txn, order)
		if err != nil {
			return err
		}
		record = found.Record
		var before bool
		if refund, before, err = found.Request(wanted); err != nil || before {
			return err
		}
		lines := refund.Lines
		if lines == nil {
			lines = []payment.RefundLine{}
		}
		return txn.BufferWrite([]*spanner.Mutation{spanner.InsertMap("Refunds", map[string]any{
			"OrderId": order, "RefundId": refund.ID, "State": string(refund.State), "Amount": refund.Amount.Minor,
			"Lines": spanner.NullJSON{Value: lines, Valid: true}, "Reason": refund.Reason, "Actor": refund.Actor,
			"Fingerprint": refund.Fingerprint, "CreateTime": spanner.CommitTimestamp, "UpdateTime": spanner.CommitTimestamp,
			"AttendAfter": attendAfter, "Shard": shard(order),
		})})
	})
	if err != nil {
		return payment.Record{}, payment.Refund{}, err
	}
	if refund.CreateTime.IsZero() {
		refund.CreateTime = committed
	}
	return record, refund, nil
}

// Requested implements payment.Store.
func (s *Store) Requested(ctx context.Context, order string) (payment.Record, []payment.Refund, error) {
	txn := s.client.ReadOnlyTransaction()
	defer txn.Close()
	found, err := account(ctx, txn, order)
	return found.Record, requested(found.Refunds), err
}

func requested(refunds []payment.Refund) []payment.Refund {
	var open []payment.Refund
	for _, r := range refunds {
		if r.State == payment.RefundRequested {
			open = append(open, r)
		}
	}
	return open
}

// Finish implements payment.Store. Of a payment that is VOIDED, the amount that voiding recorded has the refund in it.
func (s *Store) Finish(ctx context.Context, order, id string, outcome payment.RefundState) (refund payment.Refund, err error) {
	_, err = s.client.ReadWriteTransaction(ctx, func(ctx context.Context, txn *spanner.ReadWriteTransaction) error {
		found, err := account(ctx, txn, order)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(found.Refunds, func(r payment.Refund) bool { return r.ID == id })
		if i < 0 {
			return fmt.Errorf("there is no refund %s", id)
		}
		if refund = found.Refunds[i]; refund.State != payment.RefundRequested {
			return nil
		}
		refund.State = outcome
		mutations := []*spanner.Mutation{spanner.UpdateMap("Refunds", map[string]any{
			"OrderId": order, "RefundId": id, "State": string(outcome), "UpdateTime": spanner.CommitTimestamp,
			"AttendAfter": spanner.NullTime{},
		})}
		if outcome == payment.RefundDone {
			told, err := refundEvent(ctx, found.Record, refund)
			if err != nil {
				return err
			}
			mutations = append(mutations, outboxspanner.Insert(told))
			if found.State != payment.Voided {
				by := payment.Step{By: payment.Operator, OperatorID: refund.Actor, Reason: refund.Reason}
				more, err := addRefunded(found.Record, by, money.Of(found.Refunded.Minor+refund.Amount.Minor, found.Refunded.Currency))
				if err != nil {
					return err
				}
				mutations = append(mutations, more...)
			}
		}
		return txn.BufferWrite(mutations)
	})
	return refund, err
}

// Refunded implements payment.Store.
func (s *Store) Refunded(ctx context.Context, order string, refunded money.Money) error {
	_, err := s.client.ReadWriteTransaction(ctx, func(ctx context.Context, txn *spanner.ReadWriteTransaction) error {
		found, err := account(ctx, txn, order)
		if err != nil {
			return err
		}
		captured := found.State == payment.Captured || found.State == payment.PartiallyRefunded
		if !captured || refunded.Minor <= found.Refunded.Minor || len(requested(found.Refunds)) > 0 {
			return nil
		}
		mutations, err := addRefunded(found.Record, payment.Step{By: payment.Provides, Reason: "refunded at the provider"}, refunded)
		if err != nil {
			return err
		}
		return txn.BufferWrite(mutations)
	})
	return err
}

// addRefunded writes what was refunded in all; by tells who did it and why. A payment that is VOIDING stays so.
func addRefunded(record payment.Record, by payment.Step, refunded money.Money) ([]*spanner.Mutation, error) {
	amount := spanner.UpdateMap("Payments", map[string]any{
		"OrderId": record.OrderID, "Refunded": refunded.Minor, "UpdateTime": spanner.CommitTimestamp,
	})
	if record.State == payment.Voiding {
		return []*spanner.Mutation{amount}, nil
	}
	by.To = record.AfterRefund(refunded)
	state, err := UpdateState(record.OrderID, record.State, by, time.Time{})
	if err != nil {
		return nil, err
	}
	return append(state, amount), nil
}

// refundEvent tells of a refund that is done. The order's id and the first 18 characters of the refund's, 64 bits of it, make the event's.
func refundEvent(ctx context.Context, record payment.Record, refund payment.Refund) (outbox.Event, error) {
	frozen, err := record.Frozen()
	if err != nil {
		return outbox.Event{}, err
	}
	message := &orderpb.OrderRefunded{
		OrderId: record.OrderID, UserId: frozen.UserID, RefundId: refund.ID, Amount: refund.Amount.Proto(), Reason: refund.Reason,
	}
	for _, line := range refund.Lines {
		message.Lines = append(message.Lines, &orderpb.RefundLine{ProductId: line.ProductID, Quantity: int32(line.Quantity)})
	}
	id := record.OrderID + "-refund-" + refund.ID[:min(len(refund.ID), 18)]
	return outbox.New(id, event.OrderEvents, "orders/"+record.OrderID, event.TraceParent(ctx), message)
}
