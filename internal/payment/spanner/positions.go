package spanner

import (
	"context"
	"slices"

	"golang.org/x/sync/errgroup"

	"larder.dev/internal/payment"
)

// Positions implements payment.Store: the tables as of one moment.
func (s *Store) Positions(ctx context.Context, orders []string) (map[string]payment.Position, error) {
	orders = slices.Compact(slices.Sorted(slices.Values(orders)))
	txn := s.client.ReadOnlyTransaction()
	defer txn.Close()
	var (
		records map[string]payment.Record
		open    map[string]Order
		refunds map[string][]payment.Refund
	)
	// The transaction begins with the first read: all others see its moment.
	group, reading := errgroup.WithContext(ctx)
	group.Go(func() (err error) { records, err = Standings(reading, txn, orders); return err })
	group.Go(func() (err error) { open, err = s.open(reading, txn, orders); return err })
	group.Go(func() (err error) { refunds, err = readRefunds(reading, txn, orders); return err })
	if err := group.Wait(); err != nil {
		return nil, err
	}
	positions := make(map[string]payment.Position, len(records))
	for order, record := range records {
		positions[order] = payment.Position{
			Payment: &record, Open: open[order].Open, Requested: requested(in(record.Amount.Currency, refunds[order])),
		}
	}
	for order, open := range open {
		if _, known := positions[order]; !known {
			positions[order] = payment.Position{Open: open.Open}
		}
	}
	return positions, nil
}
