//go:build bench

package spanner_test

import (
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"cloud.google.com/go/spanner"
	"github.com/google/uuid"

	"larder.dev/internal/identity"
	"larder.dev/internal/order"
	orderspanner "larder.dev/internal/order/spanner"
	"larder.dev/internal/spannerdb/spannertest"
)

const (
	// historyOwn is how many orders the shopper has whose list is read. Those at its start and around its middle are whole.
	historyOwn, historyWhole = 1000, 40
	// historyBatch is how many of the other orders are written in one commit, each of a shopper of its own.
	historyBatch = 2000
	// historyReads of each page are timed.
	historyReads = 60
	// historyGrowth is how many times as long a page may take among all orders as among the shopper's own.
	historyGrowth = 2.0
)

// TestBenchHistory reads pages of a shopper's list, at its start and in its middle, while all orders grow to BENCH_ORDERS, a million if that
// isn't set. The list of one shopper isn't grown: the emulator copies all of a range that is read, whatever the limit; what is asked of
// Spanner there, TestPageCostsTheSameAmongMany holds.
func TestBenchHistory(t *testing.T) {
	most := 1_000_000
	if text := os.Getenv("BENCH_ORDERS"); text != "" {
		var err error
		if most, err = strconv.Atoi(text); err != nil || most < historyOwn {
			t.Fatalf("BENCH_ORDERS=%s, want %d or more", text, historyOwn)
		}
	}
	client := spannertest.Open(t)
	service := order.New(orderspanner.New(client), nil, nil, time.Now)
	me := identity.Caller{UserID: uuid.NewString(), Roles: []string{identity.RoleShopper}}
	mine := func() string { return me.UserID }

	write(t, client, mine, historyOwn/2-historyWhole, false)
	write(t, client, mine, historyWhole, true)
	middle, err := newest(t, client, me.UserID) // those behind it are whole too
	if err != nil {
		t.Fatal(err)
	}
	write(t, client, mine, historyOwn/2-historyWhole, false)
	write(t, client, mine, historyWhole, true)

	// page returns the median time of a page.
	page := func(token string) time.Duration {
		took := make([]time.Duration, historyReads)
		for i := range took {
			began := time.Now()
			orders, _, err := service.List(t.Context(), me, 10, token)
			took[i] = time.Since(began)
			if err != nil || len(orders) != 10 {
				t.Fatalf("%d orders, %v", len(orders), err)
			}
		}
		slices.Sort(took)
		return took[len(took)/2]
	}
	var first, firstDeep time.Duration
	for there, many := historyOwn, historyOwn; ; there, many = many, min(many*10, most) {
		began := time.Now()
		write(t, client, uuid.NewString, many-there, false)
		written := time.Since(began)
		start, deep := page(""), page(tokenBehind(t, me.UserID, middle))
		if first == 0 {
			first, firstDeep = start, deep
		}
		growth := max(start.Seconds()/first.Seconds(), deep.Seconds()/firstDeep.Seconds())
		t.Logf("bench: among %7d orders a shopper's first page takes %.1f ms at p50, one in the middle %.1f ms: %.2f times as long as among %d at most (written in %.0f s)",
			many, start.Seconds()*1e3, deep.Seconds()*1e3, growth, historyOwn, written.Seconds())
		if many == most {
			if growth > historyGrowth {
				t.Errorf("a page among %d orders takes %.2f times as long as among %d, want %.1f at most", many, growth, historyOwn, historyGrowth)
			}
			return
		}
	}
}

// write writes so many orders, the later ones newer: whole, or the rows alone that the list's index is made of.
func write(t *testing.T, client *spanner.Client, user func() string, many int, whole bool) {
	t.Helper()
	batch := historyBatch
	if whole {
		batch = 1 // a commit each: they have times of their own
	}
	for done := 0; done < many; done += batch {
		var mutations []*spanner.Mutation
		for range min(batch, many-done) {
			o := newOrder(t, user())
			rows := orderspanner.InsertConfirmed(o)
			if !whole {
				rows = rows[:1]
			} else {
				rows = append(rows, initiated(o)...)
			}
			mutations = append(mutations, rows...)
		}
		apply(t, client, mutations...)
	}
}

// newest is the place of a person's newest order.
func newest(t *testing.T, client *spanner.Client, user string) (place order.Position, err error) {
	t.Helper()
	err = client.Single().ReadWithOptions(t.Context(), "Orders", spanner.Key{user}.AsPrefix(), []string{"CreateTime", "OrderId"},
		&spanner.ReadOptions{Index: "OrdersByUser", Limit: 1}).
		Do(func(row *spanner.Row) error { return row.Columns(&place.CreateTime, &place.OrderID) })
	return place, err
}
