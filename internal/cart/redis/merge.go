package redis

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/google/uuid"

	"larder.dev/internal/cart"
	"larder.dev/internal/fault"
)

// A merge touches two carts, which may be on two nodes of a cluster, so that no script can do it at once. It goes by steps, each
// one script of one cart, and each may be done again:
//
//  1. Take closes the guest cart and notes for whom. What was put in before is part of it, what comes later is refused.
//  2. Join puts its lines into the user's cart, which remembers the guest cart's id: joined again, nothing happens.
//  3. Drop ends the guest cart.
//
// Cut short after 1, a repetition goes on with 2; after 2, it only drops; after 3, the user's cart still knows the id.

// maxMerged bounds how many guest carts a user's cart remembers. Each is forgotten when the guest cart would have expired.
const maxMerged = 50

var (
	takeScript   = script("take.lua")
	joinScript   = script("join.lua")
	joinedScript = script("joined.lua")
	dropScript   = script("drop.lua")
)

// Taken is a guest cart on its way into a user's.
type Taken struct {
	GuestID, UserID string

	storeID string
	// lines are products and lines as stored, by turns, in their order.
	lines []any
}

// Merge implements cart.Store.
func (s *Store) Merge(ctx context.Context, guestID, userID string) (cart.Cart, error) {
	taken, err := s.Take(ctx, guestID, userID)
	if fault.Is(err, fault.CartNotFound) {
		return s.joined(ctx, guestID, userID)
	}
	if err != nil {
		return cart.Cart{}, err
	}
	merged, err := s.Join(ctx, taken)
	if err != nil {
		return cart.Cart{}, err
	}
	if err := s.Drop(ctx, taken); err != nil {
		// It is merged and can't be opened; it expires.
		slog.WarnContext(ctx, "a merged guest cart is still there", "error", err)
	}
	return merged, nil
}

// Take is a merge's first step. Errors: CART_NOT_FOUND if there is no such guest cart, or another user has taken it.
func (s *Store) Take(ctx context.Context, guestID, userID string) (Taken, error) {
	outcome, fields, err := s.call(ctx, takeScript, guestID, guestOwner, cart.GuestLifetime, userID)
	if err == nil {
		err = refused(outcome)
	}
	if err != nil {
		return Taken{}, err
	}
	taken := Taken{GuestID: guestID, UserID: userID}
	type positioned struct {
		product, line string
		position      int64
	}
	var lines []positioned
	for pair := range slices.Chunk(fields, 2) {
		field, _ := pair[0].(string)
		value, _ := pair[1].(string)
		if field == "store" {
			taken.storeID = value
		}
		product, ok := strings.CutPrefix(field, "line:")
		if !ok {
			continue
		}
		var line storedLine
		if err := json.Unmarshal([]byte(value), &line); err != nil {
			return Taken{}, fmt.Errorf("guest cart's line of %s: %w", product, err)
		}
		lines = append(lines, positioned{product, value, line.Position})
	}
	slices.SortFunc(lines, func(a, b positioned) int { return cmp.Compare(a.position, b.position) })
	for _, line := range lines {
		taken.lines = append(taken.lines, line.product, line.line)
	}
	return taken, nil
}

// Join is a merge's second step. It opens the user's cart if there is none.
func (s *Store) Join(ctx context.Context, taken Taken) (cart.Cart, error) {
	args := []any{
		taken.GuestID, taken.storeID, uuid.NewString()[:8], cart.MaxLines, cart.MaxQuantity,
		cart.GuestLifetime.Milliseconds(), maxMerged,
	}
	return s.run(ctx, joinScript, cart.Of(taken.UserID), append(args, taken.lines...)...)
}

// Drop is a merge's last step.
func (s *Store) Drop(ctx context.Context, taken Taken) error {
	outcome, _, err := s.call(ctx, dropScript, taken.GuestID, guestOwner, cart.GuestLifetime, taken.UserID)
	if err != nil {
		return err
	}
	return refused(outcome)
}

// joined reads a user's cart if a guest cart was merged into it, else CART_NOT_FOUND.
func (s *Store) joined(ctx context.Context, guestID, userID string) (cart.Cart, error) {
	return s.run(ctx, joinedScript, cart.Of(userID), guestID)
}
