package order

import (
	"context"
	"fmt"
)

// Who is forgotten is noted first. Orders that have ended by then are found by their list; one that ends later, also one that was bought
// with the last minutes of an access token, is looked at when its end is told (functions/forgetuser). So no order is missed, whichever comes
// first, and each of the steps may be taken again.

// ForgetUser takes a person who has deleted their account out of their orders that have ended, and notes it for the others.
func (s *Service) ForgetUser(ctx context.Context, userID string) error {
	if err := s.store.NoteForgotten(ctx, userID); err != nil {
		return fmt.Errorf("note that a person is forgotten: %w", err)
	}
	var behind *Position
	for {
		orders, err := s.store.List(ctx, userID, behind, MaxPageSize)
		if err != nil {
			return fmt.Errorf("list a forgotten person's orders: %w", err)
		}
		for _, o := range orders {
			if err := s.ForgetOrder(ctx, o.ID); err != nil {
				return err
			}
			behind = &Position{CreateTime: o.CreateTime, OrderID: o.ID}
		}
		if len(orders) < MaxPageSize {
			return nil
		}
	}
}

// ForgetOrder takes the person out of an order that has ended, if they are forgotten. Else, and for no order, nothing happens.
func (s *Service) ForgetOrder(ctx context.Context, id string) error {
	if err := s.store.Forget(ctx, id); err != nil {
		return fmt.Errorf("forget the person of order %s: %w", id, err)
	}
	return nil
}
