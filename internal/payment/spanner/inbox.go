package spanner

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"cloud.google.com/go/spanner"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc/codes"

	"larder.dev/internal/payment"
	"larder.dev/internal/spannerdb"
)

// maxEvents is how many events of a payment are shown.
const maxEvents = 100

// Look implements payment.Store.
func (s *Store) Look(ctx context.Context, order string) (payment.Account, error) {
	txn := s.client.ReadOnlyTransaction()
	defer txn.Close()
	found, err := account(ctx, txn, order)
	if err != nil {
		return payment.Account{}, err
	}
	columns := []string{"EventId", "IntentId", "Type", "EventTime", "ReceiveTime"}
	err = txn.Read(ctx, "ProviderEvents", prefixes([]string{order}), columns).Do(func(row *spanner.Row) error {
		e := payment.ReceivedEvent{Event: payment.Event{OrderID: order}}
		err := row.Columns(&e.ID, &e.IntentID, &e.Type, &e.Time, &e.ReceiveTime)
		found.Events = append(found.Events, e)
		return err
	})
	if err != nil {
		return payment.Account{}, fmt.Errorf("read events of %s: %w", order, err)
	}
	slices.SortFunc(found.Events, func(a, b payment.ReceivedEvent) int {
		return cmp.Or(a.ReceiveTime.Compare(b.ReceiveTime), cmp.Compare(a.ID, b.ID))
	})
	found.Events = found.Events[:min(len(found.Events), maxEvents)]
	found.History, err = readHistory(ctx, txn, order)
	return found, err
}

// readHistory returns the states that a payment reached, oldest first. They are few: only refunds repeat one.
func readHistory(ctx context.Context, txn spannerdb.Reader, order string) (history []payment.HistoryEntry, err error) {
	columns := []string{"State", "Time", "Actor", "Reason", "OperatorId"}
	err = txn.Read(ctx, "PaymentHistory", prefixes([]string{order}), columns).Do(func(row *spanner.Row) error {
		var e payment.HistoryEntry
		var operator spanner.NullString
		err := row.Columns((*string)(&e.State), &e.Time, (*string)(&e.Actor), &e.Reason, &operator)
		e.OperatorID = operator.StringVal
		history = append(history, e)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read history of the payment of %s: %w", order, err)
	}
	return history, nil
}

// Received implements payment.Store. The two rows are read at once, each by itself: what an event sets off may happen twice.
func (s *Store) Received(ctx context.Context, order, event string) (record payment.Record, before bool, err error) {
	group, reading := errgroup.WithContext(ctx)
	group.Go(func() (err error) { record, err = mustRead(reading, s.client.Single(), order); return err })
	group.Go(func() (err error) { before, err = s.seen(reading, order, event); return err })
	err = group.Wait()
	return record, before, err
}

// TakeIn implements payment.Store by one call, an insert. One whose answer was lost is sent again, and then finds its own row: the event
// is told as taken in before.
func (s *Store) TakeIn(ctx context.Context, e payment.Event) (taken bool, err error) {
	row := spanner.InsertMap("ProviderEvents", map[string]any{
		"OrderId": e.OrderID, "EventId": e.ID, "IntentId": e.IntentID, "Type": e.Type, "EventTime": e.Time,
		"ReceiveTime": spanner.CommitTimestamp,
	})
	_, err = s.client.Apply(ctx, []*spanner.Mutation{row}, spanner.ApplyAtLeastOnce())
	if spanner.ErrCode(err) == codes.AlreadyExists {
		return false, nil
	}
	return err == nil, err
}

// seen tells whether an event was taken in.
func (s *Store) seen(ctx context.Context, order, event string) (bool, error) {
	_, err := s.client.Single().ReadRow(ctx, "ProviderEvents", spanner.Key{order, event}, []string{"EventId"})
	if spanner.ErrCode(err) == codes.NotFound {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look for event %s: %w", event, err)
	}
	return true, nil
}
