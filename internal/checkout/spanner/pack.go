package spanner

import (
	"context"

	"cloud.google.com/go/spanner"

	orderpb "larder.dev/api/order/v1"
	"larder.dev/internal/checkout"
	"larder.dev/internal/fault"
	"larder.dev/internal/order"
	orderspanner "larder.dev/internal/order/spanner"
	outboxspanner "larder.dev/internal/outbox/spanner"
	"larder.dev/internal/payment"
	paymentspanner "larder.dev/internal/payment/spanner"
	"larder.dev/internal/stock"
	stockspanner "larder.dev/internal/stock/spanner"
)

// Bought implements checkout.Books.
func (b *Books) Bought(ctx context.Context, id string) (order.Order, checkout.Frozen, error) {
	txn := b.client.ReadOnlyTransaction()
	defer txn.Close()
	found, err := orderspanner.Whole(ctx, txn, id)
	if err != nil {
		return order.Order{}, checkout.Frozen{}, err
	}
	if found.State == order.Abandoned {
		return order.Order{}, checkout.Frozen{}, order.ErrNotFound()
	}
	frozen, err := frozenOf(ctx, txn, id)
	return found, frozen, err
}

// Pack implements checkout.Books. Its reads lock the order with its payment and, where stock changes, shared with all commits of the store, the
// epoch. Of two packings of one order that meet, the second finds what the first entered.
func (b *Books) Pack(ctx context.Context, id string, packing checkout.Packing, under stock.Epoch) (entered, current stock.Epoch, err error) {
	entry := checkout.PackingID(id)
	_, err = b.client.ReadWriteTransaction(ctx, func(ctx context.Context, txn *spanner.ReadWriteTransaction) (err error) {
		entered, current = 0, 0
		bought, err := orderspanner.Whole(ctx, txn, id)
		if err != nil {
			return err
		}
		packed, taken, err := bought.Take(packing.Step, b.now())
		switch {
		case err != nil:
			return err
		case !taken && bought.Receipt != nil && !order.SameGoods(*bought.Receipt, packing.Receipt):
			return fault.OrderStateConflict.New("the order is packed already, with other goods").
				WithMetadata("from", string(bought.State)).WithMetadata("to", string(order.Packed))
		case !taken:
			entered, err = stockspanner.Exchanged(ctx, txn, bought.StoreID, entry)
			return err
		}
		if err := due(bought, packing); err != nil {
			return err
		}
		packed.Receipt = &packing.Receipt
		message := &orderpb.OrderPacked{Order: packed.Proto(), Version: packed.Version}
		mutations := append(orderspanner.UpdateState(packed, packing.Step), orderspanner.SetReceipt(id, packing.Receipt),
			paymentspanner.SetReceipt(id, packing.Receipt))
		if len(packing.Changes) > 0 {
			if current, err = stockspanner.Epoch(ctx, txn, bought.StoreID); err != nil || current == 0 || (under != 0 && under != current) {
				return err
			}
			entered = current
			mutations = append(mutations, stockspanner.Exchange(bought.StoreID, entry, id, current, packing.Changes, packing.For, packing.Reason)...)
			message.StockEntryId, message.StockEpoch = entry, int64(current)
			for _, change := range packing.Changes {
				message.StockChanges = append(message.StockChanges, &orderpb.StockChanged{ProductId: change.ProductID, Quantity: change.Quantity})
			}
		}
		told, err := orderspanner.Told(ctx, packed, message)
		if err != nil {
			return err
		}
		return txn.BufferWrite(append(mutations, outboxspanner.Insert(told)))
	})
	if err != nil {
		return 0, 0, err
	}
	return entered, current, nil
}

// due refuses to pack what was captured already for another amount; room payment captures nothing before an order is packed.
func due(bought order.Order, packing checkout.Packing) error {
	switch payment.State(bought.Payment.State) {
	case payment.Captured, payment.PartiallyRefunded, payment.Refunded:
		if bought.Payment.Captured != packing.Receipt.Totals.Total {
			return fault.OrderStateConflict.New("%s were captured before the order was packed", bought.Payment.Captured).
				WithMetadata("from", string(bought.State)).WithMetadata("to", string(order.Packed))
		}
	}
	return nil
}
