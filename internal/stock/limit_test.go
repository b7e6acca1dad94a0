package stock_test

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"larder.dev/internal/stock"
	stockspanner "larder.dev/internal/stock/spanner"
)

// day is one that is some days off.
func day(days int) string { return time.Now().UTC().AddDate(0, 0, days).Format(time.DateOnly) }

// basket is some apples of a shopper's, of whom nobody may buy more than four a day.
func basket(user, day string, quantity int64) []stock.Line {
	return []stock.Line{line("apples", quantity), stock.LimitLine(day, "apples", user, quantity, 4)}
}

func (s shop) isOverLimit(t *testing.T, lines []stock.Line, left int64) {
	t.Helper()
	_, err := s.reserve(t.Context(), uuid.NewString(), lines...)
	var short *stock.InsufficientError
	want := stock.Shortage{ProductID: lines[1].ProductID, Requested: lines[1].Quantity, Available: left}
	if !errors.As(err, &short) || len(short.Shortages) != 1 || short.Shortages[0] != want {
		t.Errorf("%+v: %v, want it short by the limit, with %d left", lines, err, left)
	}
}

func TestLimit(t *testing.T) {
	s := open(t)
	s.adjust(t, map[string]int64{"apples": 100})
	today := day(0)
	s.isOverLimit(t, basket("ann", today, 5), 4)

	first := uuid.NewString()
	hold, err := s.reserve(t.Context(), first, basket("ann", today, 3)...)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := s.reserve(t.Context(), first, basket("ann", today, 3)...); err != nil || again != hold {
		t.Errorf("the same again: %v, %v", again, err)
	}
	other := basket("ann", today, 3)
	other[1].Limit = 5
	if _, err := s.reserve(t.Context(), first, other...); !errors.Is(err, stock.ErrOtherLines) {
		t.Errorf("the same under another limit: %v, want ErrOtherLines", err)
	}
	s.isOverLimit(t, basket("ann", today, 2), 1)
	for _, free := range [][]stock.Line{basket("ben", today, 4), basket("ann", day(1), 4)} {
		order := uuid.NewString()
		if _, err := s.reserve(t.Context(), order, free...); err != nil {
			t.Errorf("another shopper or day: %v", err)
		}
		if err := s.Release(t.Context(), s.store, order); err != nil {
			t.Fatal(err)
		}
	}

	if err := s.commit(t.Context(), first, hold, basket("ann", today, 3)...); err != nil {
		t.Fatal(err)
	}
	if err := s.Settle(t.Context(), s.store, first, hold); err != nil {
		t.Fatal(err)
	}
	s.isOverLimit(t, basket("ann", today, 2), 1)
	s.flush(t)
	s.isOverLimit(t, basket("ann", today, 2), 1)
	if found := s.reconcile(t); len(found.Drifts) > 0 || found.Products != 2 {
		t.Errorf("reconciled: %+v, want apples and one limit without drift", found)
	}

	second := uuid.NewString()
	if hold, err = s.reserve(t.Context(), second, basket("ann", today, 1)...); err != nil {
		t.Fatal(err)
	}
	if err := s.commit(t.Context(), second, hold, basket("ann", today, 1)...); err != nil {
		t.Fatal(err)
	}
	s.isOverLimit(t, basket("ann", today, 1), 0)

	epoch, err := s.ledger.Epoch(t.Context(), s.store)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.database.Apply(t.Context(), stockspanner.Cancellation(s.store, first, epoch, basket("ann", today, 3), "ann", "")); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.Apply(t.Context(), s.store, stockspanner.CancellationID(first), epoch, basket("ann", today, 3)); err != nil {
			t.Fatal(err)
		}
	}
	s.isOverLimit(t, basket("ann", today, 4), 3)
}

func TestLimitAtOnce(t *testing.T) {
	s := open(t)
	s.adjust(t, map[string]int64{"apples": 100})
	var got atomic.Int64
	var all sync.WaitGroup
	for range 30 {
		all.Go(func() {
			var short *stock.InsufficientError
			switch _, err := s.reserve(t.Context(), uuid.NewString(), basket("ann", day(0), 1)...); {
			case err == nil:
				got.Add(1)
			case !errors.As(err, &short):
				t.Error(err)
			}
		})
	}
	all.Wait()
	if got.Load() != 4 {
		t.Errorf("%d of 30 carts at once got their apple, want the limit of 4", got.Load())
	}
	s.want(t, map[string]int64{"apples": 96})
}

// What was counted on days that are over is left behind by loads, by folds and by reconciling.
func TestLimitsOfDaysThatAreOver(t *testing.T) {
	s := open(t)
	s.adjust(t, map[string]int64{"apples": 100})
	for _, days := range []int{-5, -3, -1, 0} {
		s.sell(t, false, basket("ann", day(days), 2)...)
	}
	limits := func() (days []string) {
		t.Helper()
		fields, err := s.raw.HKeys(t.Context(), s.key()).Result()
		if err != nil {
			t.Fatal(err)
		}
		for _, field := range fields {
			if id, ok := strings.CutPrefix(field, "stock:"); ok {
				if product, ok := stock.LimitOf(id); ok && product == "apples" {
					days = append(days, strings.Split(id, ":")[1])
				}
			}
		}
		slices.Sort(days)
		return days
	}
	if _, _, err := s.Rebuild(t.Context(), s.store); err != nil {
		t.Fatal(err)
	}
	if got := limits(); !slices.Equal(got, []string{day(-1), day(0)}) {
		t.Errorf("limits were loaded of the days %v, want of yesterday and today", got)
	}
	// Of an order of such a day that is called off late.
	if err := s.virtual.Apply(t.Context(), s.store, "late", s.epoch(t), basket("ann", day(-5), 2)[1:]); err != nil {
		t.Fatal(err)
	}
	if got := limits(); len(got) != 3 {
		t.Fatalf("limits of the days %v", got)
	}
	if found := s.reconcile(t); len(found.Drifts) > 0 || found.Products != 3 {
		t.Errorf("reconciled: %+v, want apples and two limits without drift", found)
	}
	if got := limits(); !slices.Equal(got, []string{day(-1), day(0)}) {
		t.Errorf("after reconciling there are limits of the days %v", got)
	}

	balances := func() int {
		known, err := s.ledger.Stocked(t.Context(), s.store, []string{
			basket("ann", day(-5), 1)[1].ProductID, basket("ann", day(-3), 1)[1].ProductID,
			basket("ann", day(-1), 1)[1].ProductID, basket("ann", day(0), 1)[1].ProductID, "apples",
		})
		if err != nil {
			t.Fatal(err)
		}
		return len(known)
	}
	if balances() != 5 {
		t.Errorf("%d balances, want 5", balances())
	}
	folded, err := s.ledger.FoldUntil(t.Context(), s.store, 100, 0)
	if err != nil || folded.Products != 1 {
		t.Errorf("folded %+v, %v; want the apples alone", folded, err)
	}
	if balances() != 3 {
		t.Errorf("%d balances after folding, want those of apples, yesterday and today", balances())
	}
}

// Nobody is shown what is counted as a product and isn't any.
func TestLimitsAreNoProducts(t *testing.T) {
	s := open(t)
	s.adjust(t, map[string]int64{"apples": 2})
	if _, err := s.reserve(t.Context(), uuid.NewString(), basket("ann", day(0), 2)...); err != nil {
		t.Fatal(err)
	}
	s.sell(t, false, basket("ann", day(0), 2)...)
	if lines, err := s.List(t.Context(), s.store, "", 10); err != nil || len(lines) != 1 {
		t.Errorf("listed %v, %v", lines, err)
	}
	if sales, err := s.Sales(t.Context(), s.store, time.Now().Add(-time.Hour), 10); err != nil || len(sales) != 1 {
		t.Errorf("sold %v, %v", sales, err)
	}
	flips, err := s.virtual.Flips(t.Context(), s.store, 10)
	if err == nil && len(flips) == 0 { // the first reader makes the group
		flips, err = s.virtual.Flips(t.Context(), s.store, 10)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, flip := range flips {
		if strings.Contains(flip.ProductID, ":") {
			t.Errorf("told of %+v", flip)
		}
	}
	for id, want := range map[string]string{
		stock.LimitLine(day(0), "apples", "ann", 1, 2).ProductID: "apples", "apples": "", stock.SlotLine("noon").ProductID: "", "limit:": "",
	} {
		if product, ok := stock.LimitOf(id); product != want || ok != (want != "") {
			t.Errorf("%s is a limit of %q, %v", id, product, ok)
		}
	}
}

func (s shop) epoch(t *testing.T) stock.Epoch {
	t.Helper()
	epoch, err := s.ledger.Epoch(t.Context(), s.store)
	if err != nil {
		t.Fatal(err)
	}
	return epoch
}
