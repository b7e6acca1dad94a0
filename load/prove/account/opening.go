package account

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"larder.dev/load/prove/shop"
)

// errSold tells that books can't be taken over: an account begins before the first order.
var errSold = errors.New("something is sold already: an account begins before the first order")

// Opening is the stock that was there before anybody was listened to, such as a seed's, as adjustments of a history's: one for each store
// and reason, each entered in full. It believes the ledger; what comes after it is accounted for.
func (a *Account) Opening(ctx context.Context) ([]*shop.Adjustment, error) {
	txn := a.spanner.ReadOnlyTransaction()
	defer txn.Close()
	b := Books{Slots: map[Product]int64{}}
	if err := b.readLedger(ctx, txn); err != nil {
		return nil, err
	}
	return opening(b, time.Now())
}

func opening(b Books, now time.Time) ([]*shop.Adjustment, error) {
	told := func(began time.Time) []shop.Ask {
		return []shop.Ask{{Start: began, End: now, Answer: shop.Answer{Kind: shop.Done}}}
	}
	found := map[[2]string]*shop.Adjustment{}
	for _, e := range b.Ledger {
		switch {
		case e.Kind != "adjustment":
			return nil, errSold
		case strings.HasPrefix(e.Product, slotPrefix):
			continue
		}
		key := [2]string{e.Store, e.Reason}
		if found[key] == nil {
			found[key] = &shop.Adjustment{Deed: shop.Deed{Asks: told(e.Time.Add(-time.Second))}, Store: e.Store, Key: e.Reason, By: shop.ByOperator}
		}
		found[key].Lines = append(found[key].Lines, shop.Line{Product: e.Product, Quantity: e.Quantity})
	}
	for slot, capacity := range b.Slots {
		found[[2]string{slot.Store, slot.Product}] = &shop.Adjustment{
			Deed: shop.Deed{Asks: told(now)}, Store: slot.Store, Key: slot.Product, By: shop.BySlot, Capacity: capacity,
			Lines: []shop.Line{{Product: slot.Product, Quantity: capacity}},
		}
	}
	return slices.SortedFunc(maps.Values(found), func(x, y *shop.Adjustment) int {
		return cmp.Or(cmp.Compare(x.Store, y.Store), cmp.Compare(x.Key, y.Key))
	}), nil
}
