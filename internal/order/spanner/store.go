package spanner

import (
	"context"
	"encoding/json"
	"fmt"

	"cloud.google.com/go/spanner"
	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/encoding/protojson"

	typepb "larder.dev/api/type/v1"
	"larder.dev/internal/money"
	"larder.dev/internal/order"
	paymentspanner "larder.dev/internal/payment/spanner"
	"larder.dev/internal/pricing"
	"larder.dev/internal/spannerdb"
)

// Store implements order.Store. It reads by keys, never by SQL, so the emulator doesn't scan.
type Store struct{ client *spanner.Client }

var _ order.Store = (*Store)(nil)

// New makes a store.
func New(client *spanner.Client) *Store { return &Store{client: client} }

// Get implements order.Store.
func (s *Store) Get(ctx context.Context, id string) (order.Order, error) {
	txn := s.client.ReadOnlyTransaction()
	defer txn.Close()
	return Whole(ctx, txn, id)
}

// Versions implements order.Store.
func (s *Store) Versions(ctx context.Context, ids []string) (map[string]int64, error) {
	keys := make([]spanner.Key, len(ids))
	for i, id := range ids {
		keys[i] = spanner.Key{id}
	}
	versions := make(map[string]int64, len(ids))
	err := s.client.Single().Read(ctx, "Orders", spanner.KeySetFromKeys(keys...), []string{"OrderId", "Version"}).Do(func(row *spanner.Row) error {
		var id string
		var version int64
		err := row.Columns(&id, &version)
		versions[id] = version
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read versions: %w", err)
	}
	return versions, nil
}

// List implements order.Store.
func (s *Store) List(ctx context.Context, userID string, behind *order.Position, limit int) ([]order.Order, error) {
	txn := s.client.ReadOnlyTransaction()
	defer txn.Close()
	all := spanner.Key{userID}
	keys := all.AsPrefix()
	if behind != nil {
		// In the index's order, in which times descend.
		keys = spanner.KeyRange{Start: spanner.Key{userID, behind.CreateTime, behind.OrderID}, End: all, Kind: spanner.OpenClosed}
	}
	var ids []string
	err := txn.ReadWithOptions(ctx, "Orders", keys, []string{"OrderId"}, &spanner.ReadOptions{Index: "OrdersByUser", Limit: limit}).
		Do(func(row *spanner.Row) error {
			var id string
			err := row.Columns(&id)
			ids = append(ids, id)
			return err
		})
	if err != nil {
		return nil, fmt.Errorf("read the list of %s: %w", userID, err)
	}
	return load(ctx, txn, ids)
}

// load reads orders with all that belongs to them, as of the transaction's moment, the tables at once. What isn't there is left out.
func load(ctx context.Context, txn spannerdb.Reader, ids []string) ([]order.Order, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	var (
		heads    map[string]*order.Order
		lines    map[string][]order.Line
		events   map[string][]order.Event
		payments map[string]order.Payment
	)
	// The transaction begins with the first read: all others see its moment.
	group, reading := errgroup.WithContext(ctx)
	group.Go(func() (err error) { heads, err = readHeads(reading, txn, ids); return err })
	group.Go(func() (err error) { lines, err = readLines(reading, txn, ids); return err })
	group.Go(func() (err error) { events, err = readHistory(reading, txn, ids); return err })
	group.Go(func() (err error) { payments, err = readPayments(reading, txn, ids); return err })
	if err := group.Wait(); err != nil {
		return nil, err
	}
	orders := make([]order.Order, 0, len(ids))
	for _, id := range ids {
		if head := heads[id]; head != nil {
			head.Lines, head.History, head.Payment = lines[id], events[id], payments[id]
			orders = append(orders, *head)
		}
	}
	return orders, nil
}

func readHeads(ctx context.Context, txn spannerdb.Reader, ids []string) (map[string]*order.Order, error) {
	heads := make(map[string]*order.Order, len(ids))
	columns := []string{
		"OrderId", "UserId", "StoreId", "State", "Version", "Totals", "Address", "CreateTime", "UpdateTime", "SlotId", "SlotStart", "SlotEnd",
		"Receipt",
	}
	err := txn.Read(ctx, "Orders", prefixes(ids), columns).Do(func(row *spanner.Row) error {
		var head order.Order
		var totals, address, receipt spanner.NullJSON
		var slot spanner.NullString
		var start, end spanner.NullTime
		err := row.Columns(&head.ID, &head.UserID, &head.StoreID, (*string)(&head.State), &head.Version,
			&totals, &address, &head.CreateTime, &head.UpdateTime, &slot, &start, &end, &receipt)
		if err != nil {
			return err
		}
		if slot.Valid {
			head.Slot = &order.Slot{ID: slot.StringVal, Start: start.Time, End: end.Time}
		}
		if totals.Valid {
			if err := json.Unmarshal([]byte(totals.String()), &head.Totals); err != nil {
				return fmt.Errorf("totals of %s: %w", head.ID, err)
			}
		}
		if receipt.Valid {
			head.Receipt = &pricing.Receipt{}
			if err := json.Unmarshal([]byte(receipt.String()), head.Receipt); err != nil {
				return fmt.Errorf("receipt of %s: %w", head.ID, err)
			}
		}
		if address.Valid {
			head.Address = &typepb.Address{}
			// A later release may know more of an address.
			if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal([]byte(address.String()), head.Address); err != nil {
				return fmt.Errorf("address of %s: %w", head.ID, err)
			}
		}
		heads[head.ID] = &head
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read orders: %w", err)
	}
	return heads, nil
}

func readLines(ctx context.Context, txn spannerdb.Reader, ids []string) (map[string][]order.Line, error) {
	lines := make(map[string][]order.Line, len(ids))
	columns := []string{"OrderId", "ProductId", "Name", "Quantity", "UnitPrice", "Currency", "TaxRateBps", "PieceGrams", "Substitutable"}
	err := txn.Read(ctx, "OrderLines", prefixes(ids), columns).Do(func(row *spanner.Row) error {
		var id, currency string
		var price int64
		var grams spanner.NullInt64
		var substitutable spanner.NullBool
		var line pricing.Line
		err := row.Columns(&id, &line.ProductID, &line.Name, &line.Quantity, &price, &currency, &line.TaxRateBPS, &grams, &substitutable)
		line.UnitPrice, line.PieceGrams, line.Substitutable = money.Of(price, currency), grams.Int64, substitutable.Bool
		lines[id] = append(lines[id], line)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read lines: %w", err)
	}
	return lines, nil
}

func readHistory(ctx context.Context, txn spannerdb.Reader, ids []string) (map[string][]order.Event, error) {
	events := make(map[string][]order.Event, len(ids))
	columns := []string{"OrderId", "State", "Time", "Actor", "Reason", "OperatorId"}
	err := txn.Read(ctx, "OrderHistory", prefixes(ids), columns).Do(func(row *spanner.Row) error {
		var id string
		var event order.Event
		var operator spanner.NullString
		err := row.Columns(&id, (*string)(&event.State), &event.Time, (*string)(&event.Actor), &event.Reason, &operator)
		event.OperatorID = operator.StringVal
		events[id] = append(events[id], event)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read history: %w", err)
	}
	return events, nil
}

func readPayments(ctx context.Context, txn spannerdb.Reader, ids []string) (map[string]order.Payment, error) {
	records, err := paymentspanner.Standings(ctx, txn, ids)
	if err != nil {
		return nil, err
	}
	payments := make(map[string]order.Payment, len(records))
	for id, record := range records {
		// Whatever has an order was authorised for its whole amount when the order was committed.
		payments[id] = order.Payment{
			State: order.PaymentState(record.State), Authorized: record.Amount, Captured: record.Captured, Refunded: record.Refunded,
		}
	}
	return payments, nil
}

// prefixes is the rows of some orders, in any of the room's tables.
func prefixes(ids []string) spanner.KeySet {
	sets := make([]spanner.KeySet, len(ids))
	for i, id := range ids {
		sets[i] = spanner.Key{id}.AsPrefix()
	}
	return spanner.KeySets(sets...)
}
