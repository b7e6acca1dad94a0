package main

import (
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"larder.dev/internal/pgdb/pgtest"
	productpg "larder.dev/internal/product/postgres"
	"larder.dev/internal/spannerdb/spannertest"
	"larder.dev/internal/stock/spanner"
	"larder.dev/internal/user"
	userpg "larder.dev/internal/user/postgres"
	userredis "larder.dev/internal/user/redis"
	"larder.dev/local/seed/catalogue"
)

func TestSeedIsIdempotent(t *testing.T) {
	content, err := catalogue.Load()
	if err != nil {
		t.Fatal(err)
	}
	pool := pgtest.New(t, userpg.Schema(), productpg.Schema())
	s := &seeder{config: config{Passwords: user.DefaultParameters}, pool: pool, catalogue: content}
	for _, want := range []string{" loaded", ", there already"} {
		said, err := s.loadCatalogue(t.Context())
		if err != nil || !strings.HasSuffix(said, want) {
			t.Fatalf("%q, %v; want %q", said, err, want)
		}
		if _, err := s.provisionAccounts(t.Context()); err != nil {
			t.Fatal(err)
		}
	}

	var documents, revisions, wrong int
	err = pool.QueryRow(t.Context(), `select count(*), sum(revision), count(*) filter (where document - 'revision' <> products.compute_document(product_id))
		from products.catalog_documents`).Scan(&documents, &revisions, &wrong)
	if err != nil {
		t.Fatal(err)
	}
	if documents != len(content.Products) || revisions != documents || wrong != 0 {
		t.Errorf("%d documents of %d products, %d revisions, %d wrong", documents, len(content.Products), revisions, wrong)
	}

	store := productpg.New(pool)
	for _, shop := range content.Stores {
		var ids []string
		for _, p := range content.Products {
			ids = append(ids, p.ID)
		}
		_, offers, err := store.Offers(t.Context(), shop.ID, ids)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range offers {
			if sold := content.Sold(shop.ID, o.ProductID); o.Sold != sold || (sold && o.Price.Minor != content.Price(shop.ID, o.ProductID)) {
				t.Errorf("%s in %s: sold %v for %v, the seed says %v for %d", o.ProductID, shop.ID, o.Sold, o.Price, sold, content.Price(shop.ID, o.ProductID))
			}
		}
	}

	limits, err := userredis.Open(os.Getenv("CART_REDIS_ADDR"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = limits.Close() })
	people := user.Config{Passwords: user.DefaultParameters, Limits: user.LimitsConfig{SignIns: 10, Mails: 10, Calls: 10}}
	service := user.New(people, userpg.New(pool), userredis.New(limits, "seed-"+uuid.NewString()), "https://larder.dev", "larder", time.Now)
	for _, a := range accounts {
		if _, err := service.SignIn(t.Context(), "here", a.email, demoPassword); err != nil {
			t.Errorf("%s can't sign in: %v", a.email, err)
		}
	}
}

func TestStockIsEnteredOnce(t *testing.T) {
	content, err := catalogue.Load()
	if err != nil {
		t.Fatal(err)
	}
	s := &seeder{catalogue: content}
	ledger := spanner.NewLedger(spannertest.Open(t))
	var group sync.WaitGroup
	for range 2 {
		group.Go(func() {
			if _, err := s.enter(t.Context(), ledger); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if said, err := s.enter(t.Context(), ledger); err != nil || !strings.HasPrefix(said, "0 of ") {
		t.Errorf("entered again: %q, %v", said, err)
	}
	for _, shop := range content.Stores {
		epoch, err := ledger.Bump(t.Context(), shop.ID, "test")
		if err != nil {
			t.Fatal(err)
		}
		sums, err := ledger.SumAt(t.Context(), shop.ID, epoch)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range content.Products {
			if sums[p.ID] != content.Stock(shop.ID, p.ID) {
				t.Errorf("%s has %d of %s, want %d", shop.ID, sums[p.ID], p.ID, content.Stock(shop.ID, p.ID))
			}
		}
	}
}
