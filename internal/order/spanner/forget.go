package spanner

import (
	"context"
	"encoding/json"
	"fmt"

	"cloud.google.com/go/spanner"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protojson"

	typepb "larder.dev/api/type/v1"
	"larder.dev/internal/fault"
	"larder.dev/internal/order"
	paymentspanner "larder.dev/internal/payment/spanner"
)

// NoteForgotten implements order.Store.
func (s *Store) NoteForgotten(ctx context.Context, userID string) error {
	_, err := s.client.Apply(ctx, []*spanner.Mutation{
		spanner.InsertOrUpdateMap("ForgottenUsers", map[string]any{"UserId": userID, "ForgetTime": spanner.CommitTimestamp}),
	})
	return err
}

// Forget implements order.Store. Its reads lock the order, its payment and the note, or the note's absence: of an order's end and its person's
// deletion at once, the later one sees the other.
func (s *Store) Forget(ctx context.Context, id string) error {
	_, err := s.client.ReadWriteTransaction(ctx, func(ctx context.Context, txn *spanner.ReadWriteTransaction) error {
		found, err := Whole(ctx, txn, id)
		switch {
		case fault.Is(err, fault.OrderNotFound):
			return nil
		case err != nil:
			return err
		case !found.State.Ended():
			return nil
		}
		_, err = txn.ReadRow(ctx, "ForgottenUsers", spanner.Key{found.UserID}, []string{"UserId"})
		switch {
		case spanner.ErrCode(err) == codes.NotFound:
			return nil
		case err != nil:
			return fmt.Errorf("read whether a person is forgotten: %w", err)
		}
		mutations, err := withoutPerson(found)
		if err != nil {
			return err
		}
		payment, err := paymentspanner.Read(ctx, txn, id)
		if err != nil {
			return err
		}
		if payment != nil {
			forget, err := paymentspanner.ForgetPerson(*payment)
			if err != nil {
				return err
			}
			mutations = append(mutations, forget)
		}
		return txn.BufferWrite(mutations)
	})
	return err
}

// withoutPerson leaves of the address the country, and of the history what the shopper didn't write. The user's id stays: it is a random
// number that nothing leads from to a person any more.
func withoutPerson(o order.Order) ([]*spanner.Mutation, error) {
	address, err := protojson.Marshal(&typepb.Address{Country: o.Address.GetCountry()})
	if err != nil {
		return nil, fmt.Errorf("write the address of %s: %w", o.ID, err)
	}
	mutations := []*spanner.Mutation{spanner.UpdateMap("Orders", map[string]any{
		"OrderId": o.ID, "Address": spanner.NullJSON{Value: json.RawMessage(address), Valid: true}, "ListedFor": spanner.NullString{},
	})}
	for i, e := range o.History {
		if e.Actor == order.Shopper && e.Reason != "" {
			mutations = append(mutations, spanner.UpdateMap("OrderHistory", map[string]any{
				"OrderId": o.ID, "Version": int64(i + 1), "Reason": "", // each state has a row, from version 1
			}))
		}
	}
	return mutations, nil
}
