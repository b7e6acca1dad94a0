package stock_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"cloud.google.com/go/spanner"
	"github.com/google/uuid"

	"larder.dev/internal/stock"
	stockspanner "larder.dev/internal/stock/spanner"
)

// sell enters a sale and, if it is to be cancelled, its cancellation, without the virtual stock.
func (s shop) sell(t *testing.T, cancelled bool, lines ...stock.Line) (order string) {
	t.Helper()
	order = uuid.NewString()
	epoch, err := s.ledger.Epoch(t.Context(), s.store)
	if err == nil {
		_, err = s.database.Apply(t.Context(), stockspanner.Sale(s.store, order, epoch, lines, "shopper"))
	}
	if err == nil && cancelled {
		_, err = s.database.Apply(t.Context(), stockspanner.Cancellation(s.store, order, epoch, lines, "shopper", "changed my mind"))
	}
	if err != nil {
		t.Fatal(err)
	}
	return order
}

func TestEntries(t *testing.T) {
	s := open(t)
	s.adjust(t, map[string]int64{"apples": 10, "pears": 1})
	var want []string // newest last
	for i := range 5 {
		order := s.sell(t, i%2 == 1, line("apples", 1))
		want = append(want, "sale:"+order)
		if i%2 == 1 {
			want = append(want, "cancellation:"+order)
		}
	}
	for _, size := range []int{1, 3, 7, 100} {
		var got []stock.Entry
		for than := stock.Newest; ; {
			page, err := s.Entries(t.Context(), s.store, "apples", than, size)
			if err != nil {
				t.Fatal(err)
			}
			if len(page) == 0 {
				break
			}
			got = append(got, page...)
			last := page[len(page)-1]
			than = stock.Position{Time: last.Time, ID: last.ID}
		}
		slices.Reverse(got)
		if first := got[0]; first.Kind != stock.KindAdjustment || first.Quantity != 10 || first.Actor != "test" || first.Reason != "test" {
			t.Errorf("in pages of %d the first entry is %+v", size, first)
		}
		var ids []string
		for _, entry := range got[1:] {
			ids = append(ids, entry.ID)
		}
		if !slices.Equal(ids, want) {
			t.Errorf("in pages of %d: %v, want %v", size, ids, want)
		}
	}
}

// Entries of one transaction have one time, and are told apart by their ids.
func TestEntriesOfOneTime(t *testing.T) {
	s := open(t)
	s.adjust(t, map[string]int64{"apples": 10})
	epoch, err := s.ledger.Epoch(t.Context(), s.store)
	if err != nil {
		t.Fatal(err)
	}
	var writes []*spanner.Mutation
	for i := range 7 {
		writes = append(writes, stockspanner.Sale(s.store, fmt.Sprint(i), epoch, []stock.Line{line("apples", 1)}, "shopper")...)
	}
	if _, err := s.database.Apply(t.Context(), writes); err != nil {
		t.Fatal(err)
	}
	var ids []string
	for than := stock.Newest; ; {
		page, err := s.Entries(t.Context(), s.store, "apples", than, 2)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		for _, entry := range page {
			ids = append(ids, entry.Reference)
		}
		than = stock.Position{Time: page[len(page)-1].Time, ID: page[len(page)-1].ID}
	}
	if !slices.Equal(ids[:7], []string{"6", "5", "4", "3", "2", "1", "0"}) || len(ids) != 8 {
		t.Errorf("listed %v", ids)
	}
}

func TestSales(t *testing.T) {
	s := open(t)
	s.adjust(t, map[string]int64{"apples": 100, "pears": 100, "plums": 100, "old": 100})
	s.mustPut(t, "noon", noon, 5)
	s.sell(t, false, line("old", 9))
	entries, err := s.Entries(t.Context(), s.store, "old", stock.Newest, 1)
	if err != nil {
		t.Fatal(err)
	}
	since := entries[0].Time.Add(time.Microsecond)
	s.sell(t, false, line("apples", 2), line("pears", 1), stock.SlotLine("noon"))
	s.sell(t, false, line("apples", 1), line("plums", 1))
	s.sell(t, true, line("pears", 50), line("plums", 2))
	s.adjust(t, map[string]int64{"pears": -40}) // a loss is no sale
	for limit, want := range map[int][]stock.Line{
		10: {line("apples", 3), line("pears", 1), line("plums", 1)},
		2:  {line("apples", 3), line("pears", 1)},
	} {
		sold, err := s.Sales(t.Context(), s.store, since, limit)
		if err != nil || !slices.Equal(sold, want) {
			t.Errorf("at most %d: %v, %v; want %v", limit, sold, err, want)
		}
	}
}

// fold folds all that there is up to a cutoff that only a test may choose.
func (s shop) fold(ctx context.Context, t *testing.T, limit int) (entries int64) {
	t.Helper()
	for {
		folded, err := s.ledger.FoldUntil(ctx, s.store, limit, 0)
		if err != nil {
			t.Fatal(err)
		}
		entries += folded.Entries
		if !folded.More {
			return entries
		}
	}
}

// plain sums all entries of a store up to a moment, folded or not.
func (s shop) plain(t *testing.T, at time.Time) map[string]int64 {
	t.Helper()
	sums := map[string]int64{}
	err := s.database.Single().WithTimestampBound(spanner.ReadTimestamp(at)).
		Read(t.Context(), "StockLedger", spanner.Key{s.store}.AsPrefix(), []string{"ProductId", "Quantity"}).
		Do(func(row *spanner.Row) error {
			var product string
			var quantity int64
			err := row.Columns(&product, &quantity)
			sums[product] += quantity
			return err
		})
	if err != nil {
		t.Error(err)
	}
	return sums
}

func TestFold(t *testing.T) {
	s := open(t)
	s.adjust(t, map[string]int64{"apples": 10, "pears": 5, "plums": 1})
	for range 3 {
		s.sell(t, false, line("apples", 1), line("pears", 1))
	}
	if folded, err := s.Fold(t.Context(), s.store, 100); err != nil || folded != (stock.Folded{}) {
		t.Errorf("fresh entries: %+v, %v; want nothing folded yet", folded, err)
	}
	first, err := s.ledger.FoldUntil(t.Context(), s.store, 2, 0)
	if err != nil || first.Products != 2 || !first.More {
		t.Errorf("folded %+v, %v; want two products and more to come", first, err)
	}
	if entries := first.Entries + s.fold(t.Context(), t, 100); entries != 9 {
		t.Errorf("%d entries are folded, want 9", entries)
	}
	if again := s.fold(t.Context(), t, 100); again != 0 {
		t.Errorf("%d entries are folded again", again)
	}
	s.sell(t, false, line("apples", 2))
	sums, err := s.ledger.Sum(t.Context(), s.store, time.Now())
	if want := map[string]int64{"apples": 5, "pears": 2, "plums": 1}; err != nil || !maps.Equal(sums.Quantities, want) || !maps.Equal(s.plain(t, sums.At), want) {
		t.Errorf("the sum is %v, %v; want %v", sums.Quantities, err, want)
	}
	if entries := s.fold(t.Context(), t, 100); entries != 1 {
		t.Errorf("%d entries are folded, want the one", entries)
	}
}

// Whatever is folded meanwhile, what is summed at an epoch's timestamp is the sum of all entries up to it, and stays that.
func TestFoldsRaceRebuilds(t *testing.T) {
	s := open(t)
	seed := uint64(time.Now().UnixNano())
	if given := os.Getenv("SEED"); given != "" {
		var err error
		if seed, err = strconv.ParseUint(given, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("SEED=%d", seed)
	products := []string{"apples", "pears", "plums", "figs"}
	s.adjust(t, map[string]int64{"apples": 1000})

	whole := t.Context() // what has begun goes on to its end
	ctx, stop := context.WithTimeout(whole, 6*time.Second)
	defer stop()
	var mu sync.Mutex
	loads := map[stock.Epoch]map[string]int64{}
	var entered, folded, raced int64
	var work sync.WaitGroup
	for w := range 3 {
		choice := rand.New(rand.NewPCG(seed, uint64(w)))
		work.Go(func() {
			for n := int64(0); ctx.Err() == nil; n++ {
				a := stock.Adjustment{ID: uuid.NewString(), StoreID: s.store, Actor: "test", Reason: "test", Fingerprint: make([]byte, 32)}
				a.Lines = []stock.Line{line(products[choice.IntN(len(products))], 1+choice.Int64N(9))}
				if _, err := s.ledger.Adjust(whole, a); err != nil {
					t.Error(err)
				}
				mu.Lock()
				entered++
				mu.Unlock()
			}
		})
	}
	for w := range 3 {
		choice := rand.New(rand.NewPCG(seed, uint64(100+w)))
		work.Go(func() {
			for ctx.Err() == nil {
				done, err := s.ledger.FoldUntil(whole, s.store, 1+choice.IntN(4), time.Duration(choice.IntN(3))*50*time.Millisecond)
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				folded += done.Entries
				if done.Entries == 0 {
					raced++
				}
				mu.Unlock()
			}
		})
	}
	work.Go(func() {
		for ctx.Err() == nil {
			epoch, err := s.ledger.Bump(whole, s.store, "test")
			if err != nil {
				t.Error(err)
				return
			}
			sum, err := s.ledger.SumAt(whole, s.store, epoch)
			if err != nil {
				t.Error(err)
			}
			loads[epoch] = sum
		}
	})
	work.Wait()
	for epoch, sum := range loads {
		if want := s.plain(t, epoch.Time()); !maps.Equal(sum, want) {
			t.Errorf("summed at %s: %v, want %v", epoch, sum, want)
		}
		if again, err := s.ledger.SumAt(t.Context(), s.store, epoch); err != nil || !maps.Equal(again, sum) {
			t.Errorf("summed at %s again: %v, %v; it was %v", epoch, again, err, sum)
		}
	}
	sums, err := s.ledger.Sum(t.Context(), s.store, time.Now())
	if err != nil || !maps.Equal(sums.Quantities, s.plain(t, sums.At)) {
		t.Errorf("at the end: %v, %v; want %v", sums.Quantities, err, s.plain(t, sums.At))
	}
	if entered == 0 || folded == 0 || len(loads) == 0 {
		t.Errorf("%d adjustments, %d folded entries, %d sums: nothing raced", entered, folded, len(loads))
	}
	t.Logf("%d adjustments, %d of them folded (%d folds found nothing), %d sums", entered, folded, raced, len(loads))
}
