package spanner

import (
	"context"
	"fmt"
	"time"

	"cloud.google.com/go/spanner"

	orderpb "larder.dev/api/order/v1"
	"larder.dev/internal/checkout"
	"larder.dev/internal/order"
	orderspanner "larder.dev/internal/order/spanner"
	outboxspanner "larder.dev/internal/outbox/spanner"
	"larder.dev/internal/payment"
	paymentspanner "larder.dev/internal/payment/spanner"
	"larder.dev/internal/spannerdb"
	"larder.dev/internal/stock"
	stockspanner "larder.dev/internal/stock/spanner"
)

// Cancel implements checkout.Books (rule 8). Its reads lock the order with its payment and, shared with all commits of the store, the
// epoch. What the ledger gets back is what the order holds: the frozen checkout's lines, less what wasn't picked. The event's times are this process's: the commit's
// own is known only afterwards.
func (b *Books) Cancel(ctx context.Context, id string, cancellation checkout.Cancellation, attendAfter time.Time) error {
	_, err := b.client.ReadWriteTransaction(ctx, func(ctx context.Context, txn *spanner.ReadWriteTransaction) error {
		sold, err := orderspanner.Whole(ctx, txn, id)
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
		epoch, err := stockspanner.Epoch(ctx, txn, sold.StoreID)
		if err != nil {
			return err
		}
		if epoch == 0 {
			return checkout.ErrNoEpoch(sold.StoreID)
		}
		mutations := orderspanner.UpdateState(cancelled, cancellation.Step)
		switch was := payment.State(sold.Payment.State); was {
		case payment.Voiding, payment.Voided:
		default:
			voiding, err := paymentspanner.UpdateState(id, was, payment.Step{
				// Both tables have the same names of actors.
				To: payment.Voiding, By: payment.Actor(cancellation.By), OperatorID: cancellation.OperatorID, Reason: cancellation.Reason,
			}, attendAfter)
			if err != nil {
				return err
			}
			mutations = append(mutations, voiding...)
			cancelled.Payment.State = order.PaymentState(payment.Voiding)
		}
		lines, err := heldLines(ctx, txn, sold)
		if err != nil {
			return err
		}
		mutations = append(mutations, stockspanner.Cancellation(sold.StoreID, id, epoch, lines, cancellation.For, cancellation.Reason)...)
		told, err := orderspanner.Told(ctx, cancelled, &orderpb.OrderCancelled{
			Order: cancelled.Proto(), Version: cancelled.Version, Reason: cancellation.Reason,
			StockEntryId: stockspanner.CancellationID(id), StockEpoch: int64(epoch), StockTaken: takenProto(lines),
		})
		if err != nil {
			return err
		}
		return txn.BufferWrite(append(mutations, outboxspanner.Insert(told)))
	})
	return err
}

// heldLines are what an order's commit took from the ledger, and its packing.
func heldLines(ctx context.Context, txn *spanner.ReadWriteTransaction, o order.Order) ([]stock.Line, error) {
	frozen, err := frozenOf(ctx, txn, o.ID)
	return frozen.Taken(o), err
}

// frozenOf reads the checkout that an order was sold by.
func frozenOf(ctx context.Context, txn spannerdb.Reader, id string) (checkout.Frozen, error) {
	row, err := paymentspanner.Read(ctx, txn, id)
	if err != nil {
		return checkout.Frozen{}, err
	}
	if row == nil {
		return checkout.Frozen{}, fmt.Errorf("order %s has no payment", id)
	}
	return checkout.Thaw(row)
}

func takenProto(lines []stock.Line) []*orderpb.StockTaken {
	all := make([]*orderpb.StockTaken, 0, len(lines))
	for _, line := range lines {
		all = append(all, &orderpb.StockTaken{ProductId: line.ProductID, Quantity: line.Quantity})
	}
	return all
}
