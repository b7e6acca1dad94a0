// Package spanner keeps payments in Spanner, and exports the reads and mutations that checkout's transactions compose.
package spanner

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"time"

	"cloud.google.com/go/spanner"
	"google.golang.org/grpc/codes"

	"larder.dev/internal/fault"
	"larder.dev/internal/money"
	"larder.dev/internal/payment"
	"larder.dev/internal/pricing"
	"larder.dev/internal/spannerdb"
)

// maxReason is how many characters of a reason the history keeps.
const maxReason = 200

// Shards is how many parts PaymentsToAttend has.
const Shards = 8

var columns = []string{"OrderId", "State", "IntentId", "Amount", "Captured", "Refunded", "Currency", "Fingerprint", "Request", "CreateTime", "UpdateTime", "Receipt"}

// Read returns an order's payment, nil where there is none.
func Read(ctx context.Context, txn spannerdb.Reader, order string) (*payment.Record, error) {
	row, err := txn.ReadRow(ctx, "Payments", spanner.Key{order}, columns)
	if spanner.ErrCode(err) == codes.NotFound {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read payment of %s: %w", order, err)
	}
	var record payment.Record
	var state, currency string
	var amount, captured, refunded int64
	var request, receipt spanner.NullJSON
	err = row.Columns(&record.OrderID, &state, &record.IntentID, &amount, &captured, &refunded, &currency,
		&record.Fingerprint, &request, &record.CreateTime, &record.UpdateTime, &receipt)
	if err != nil {
		return nil, fmt.Errorf("read payment of %s: %w", order, err)
	}
	record.State = payment.State(state)
	record.Amount, record.Captured, record.Refunded = money.Of(amount, currency), money.Of(captured, currency), money.Of(refunded, currency)
	if record.Request, err = json.Marshal(request.Value); err != nil {
		return nil, fmt.Errorf("read request of %s: %w", order, err)
	}
	if receipt.Valid {
		record.Receipt = &pricing.Receipt{}
		if err := json.Unmarshal([]byte(receipt.String()), record.Receipt); err != nil {
			return nil, fmt.Errorf("read receipt of %s: %w", order, err)
		}
	}
	return &record, nil
}

// SetReceipt tells a payment what was picked: what is to be captured, and may be refunded.
func SetReceipt(order string, receipt pricing.Receipt) *spanner.Mutation {
	return spanner.UpdateMap("Payments", map[string]any{"OrderId": order, "Receipt": spanner.NullJSON{Value: receipt, Valid: true}})
}

// InsertInitiated freezes a checkout before any money moves (rule 10). The reconciler attends to it from a time on.
func InsertInitiated(r payment.Record, attendAfter time.Time) []*spanner.Mutation {
	row := spanner.InsertMap("Payments", map[string]any{
		"OrderId": r.OrderID, "State": string(payment.Initiated), "IntentId": r.IntentID,
		"Amount": r.Amount.Minor, "Captured": int64(0), "Refunded": int64(0), "Currency": r.Amount.Currency,
		"Fingerprint": r.Fingerprint, "Request": spanner.NullJSON{Value: json.RawMessage(r.Request), Valid: true},
		"CreateTime": spanner.CommitTimestamp, "UpdateTime": spanner.CommitTimestamp,
		"AttendAfter": spanner.NullTime{Time: attendAfter, Valid: true}, "Shard": shard(r.OrderID),
	})
	return []*spanner.Mutation{row, reached(r.OrderID, payment.Step{To: payment.Initiated, By: payment.Shopper})}
}

// UpdateState moves a payment on, and notes it in its history. An open state is attended to from the given time on; else the payment leaves
// the reconciler's list. A transaction takes one step of a payment. Errors: PAYMENT_STATE_CONFLICT.
func UpdateState(order string, from payment.State, step payment.Step, attendAfter time.Time) ([]*spanner.Mutation, error) {
	if err := payment.Next(from, step); err != nil {
		return nil, fmt.Errorf("payment of %s: %w", order, err)
	}
	return []*spanner.Mutation{
		spanner.UpdateMap("Payments", map[string]any{
			"OrderId": order, "State": string(step.To), "UpdateTime": spanner.CommitTimestamp,
			"AttendAfter": spanner.NullTime{Time: attendAfter, Valid: step.To.Open()},
		}),
		reached(order, step),
	}, nil
}

// reached is a row of a payment's history.
func reached(order string, step payment.Step) *spanner.Mutation {
	reason := []rune(step.Reason)
	return spanner.InsertMap("PaymentHistory", map[string]any{
		"OrderId": order, "Time": spanner.CommitTimestamp, "State": string(step.To), "Actor": string(step.By),
		"Reason":     string(reason[:min(len(reason), maxReason)]),
		"OperatorId": spanner.NullString{StringVal: step.OperatorID, Valid: step.OperatorID != ""},
	})
}

func shard(order string) int64 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(order)) // never fails
	return int64(h.Sum32() % Shards)
}

// Order is what a payment needs to know of its order.
type Order struct {
	// Open: sold and not cancelled. Packed: it is known what was picked.
	Open, Packed bool
}

// OpenAmong tells a transaction how some orders stand; the order room's adapter provides it.
type OpenAmong func(ctx context.Context, txn *spanner.ReadOnlyTransaction, orders []string) (map[string]Order, error)

// Store implements payment.Store.
type Store struct {
	client *spanner.Client
	open   OpenAmong
}

var _ payment.Store = (*Store)(nil)

// NewStore makes one.
func NewStore(client *spanner.Client, open OpenAmong) *Store {
	return &Store{client: client, open: open}
}

// Read implements payment.Store.
func (s *Store) Read(ctx context.Context, order string) (payment.Record, error) {
	return mustRead(ctx, s.client.Single(), order)
}

// mustRead is Read for whom an order without a payment is none.
func mustRead(ctx context.Context, txn spannerdb.Reader, order string) (payment.Record, error) {
	record, err := Read(ctx, txn, order)
	if err != nil {
		return payment.Record{}, err
	}
	if record == nil {
		return payment.Record{}, fault.OrderNotFound.New("there is no such order")
	}
	return *record, nil
}

// Capturable implements payment.Store.
func (s *Store) Capturable(ctx context.Context, order string) (record payment.Record, ok bool, err error) {
	txn := s.client.ReadOnlyTransaction()
	defer txn.Close()
	found, err := mustRead(ctx, txn, order)
	if err != nil {
		return payment.Record{}, false, err
	}
	open, err := s.open(ctx, txn, []string{order})
	if err != nil {
		return payment.Record{}, false, err
	}
	return found, open[order].Open && open[order].Packed && (found.State == payment.Authorized || found.State == payment.CaptureFailed), nil
}

// Captured implements payment.Store.
func (s *Store) Captured(ctx context.Context, order string, step payment.Step, amount money.Money) (payment.State, error) {
	from := []payment.State{payment.Authorized, payment.CaptureFailed}
	step.To = payment.Captured
	return s.move(ctx, order, from, step, time.Time{}, map[string]any{"Captured": amount.Minor})
}

// CaptureFailed implements payment.Store.
func (s *Store) CaptureFailed(ctx context.Context, order string, step payment.Step, attendAfter time.Time) (payment.State, error) {
	step.To = payment.CaptureFailed
	return s.move(ctx, order, []payment.State{payment.Authorized}, step, attendAfter, nil)
}

// ForgetPerson takes the person out of a payment that was voided, or whose order has ended.
func ForgetPerson(record payment.Record) (*spanner.Mutation, error) {
	request, err := record.WithoutPerson()
	if err != nil {
		return nil, err
	}
	return spanner.UpdateMap("Payments", map[string]any{
		"OrderId": record.OrderID, "Request": spanner.NullJSON{Value: json.RawMessage(request), Valid: true},
	}), nil
}

// Voided implements payment.Store.
func (s *Store) Voided(ctx context.Context, order string, captured, refunded money.Money) (payment.State, error) {
	amounts := map[string]any{"Captured": captured.Minor, "Refunded": refunded.Minor}
	step := payment.Step{To: payment.Voided, By: payment.System, Reason: "cancelled at the provider"}
	if captured.Minor > 0 {
		step.Reason = "given back in full"
	}
	return s.move(ctx, order, []payment.State{payment.Voiding}, step, time.Time{}, amounts)
}

// move goes to a state from some, which allow it, and leaves any other (rules 7c and 12).
func (s *Store) move(ctx context.Context, order string, from []payment.State, step payment.Step, attendAfter time.Time, amounts map[string]any) (payment.State, error) {
	var state payment.State
	_, err := s.client.ReadWriteTransaction(ctx, func(ctx context.Context, txn *spanner.ReadWriteTransaction) error {
		record, err := mustRead(ctx, txn, order)
		if err != nil {
			return err
		}
		if state = record.State; !slices.Contains(from, state) {
			return nil
		}
		mutations, err := UpdateState(order, state, step, attendAfter)
		if err != nil {
			return err
		}
		state = step.To
		if amounts != nil {
			change := map[string]any{"OrderId": order}
			maps.Copy(change, amounts)
			mutations = append(mutations, spanner.UpdateMap("Payments", change))
		}
		if state == payment.Voided { // also of checkouts that never became orders, which nobody finds by their shopper
			forget, err := ForgetPerson(record)
			if err != nil {
				return err
			}
			mutations = append(mutations, forget)
		}
		return txn.BufferWrite(mutations)
	})
	if err != nil {
		return "", fmt.Errorf("move payment of %s to %s: %w", order, step.To, err)
	}
	return state, nil
}
