package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"
)

// Ids of the workload's products begin with prefix, and stand before behind.
const (
	prefix = "fid-"
	behind = "fid."
)

const (
	workers  = 8    // each writes products of its own, so that it knows what was committed last
	products = 2000 // at first
	fewest   = 200  // products of a worker, below which it deletes none
	roots    = 4    // categories at the top
	leaves   = 12   // below them
	brands   = 10
)

// openCategory has the products of transactions that stay open, and is never renamed: that would wait for them, and much else for that.
const openCategory = prefix + "open"

var stores = []string{"fid-north", "fid-south", "fid-west"}

// computeFirst are triggers in the wrong order.
//
//go:embed compute_first.sql
var computeFirst string

// shelf changes the catalogue, and notes in the journal what it has committed.
type shelf struct {
	pool     *pgxpool.Pool
	journal  *journal
	importer *importer
	workers  []*worker

	changes, renames, imports atomic.Int64
}

// worker has products of its own.
type worker struct {
	shelf *shelf
	rng   *rand.Rand
	name  string
	next  int
	ids   []string // of products that live
}

func openShelf(ctx context.Context, p *platform, j *journal, lockless bool) (*shelf, error) {
	config, err := pgxpool.ParseConfig(p.env["DATABASE_URL"])
	if err != nil {
		return nil, err
	}
	config.MaxConns = workers + 8
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	s := &shelf{pool: pool, journal: j}
	if s.importer, err = openImporter(ctx, p); err == nil {
		err = s.fill(ctx)
	}
	if err == nil && lockless {
		_, err = pool.Exec(ctx, computeFirst)
	}
	if err != nil {
		pool.Close()
		return nil, fmt.Errorf("fill the shelf: %w", err)
	}
	return s, nil
}

func (s *shelf) close() { s.pool.Close() }

// fill makes what the workload starts from.
func (s *shelf) fill(ctx context.Context) error {
	for _, store := range stores {
		if _, err := s.pool.Exec(ctx, `insert into products.stores (store_id, name, currency, delivery_fee) values ($1::text, $1::text, 'GBP', 100)`, store); err != nil {
			return err
		}
	}
	for i := range brands {
		id := fmt.Sprintf("%sbrand-%d", prefix, i)
		if _, err := s.pool.Exec(ctx, `insert into products.brands (brand_id, name) values ($1::text, $1::text)`, id); err != nil {
			return err
		}
		s.journal.putBrand(id, id)
	}
	for i := range roots + leaves {
		id, c := fmt.Sprintf("%scategory-%d", prefix, i), category{name: fmt.Sprintf("Category %d", i)}
		if i >= roots {
			c.parent = fmt.Sprintf("%scategory-%d", prefix, i%roots)
		}
		_, err := s.pool.Exec(ctx, `insert into products.categories (category_id, name, parent_id) values ($1, $2, nullif($3, ''))`, id, c.name, c.parent)
		if err != nil {
			return err
		}
		s.journal.putCategory(id, c)
	}
	if _, err := s.pool.Exec(ctx, `insert into products.categories (category_id, name) values ($1, 'Open')`, openCategory); err != nil {
		return err
	}
	s.journal.putCategory(openCategory, category{name: "Open"})
	group, ctx := errgroup.WithContext(ctx)
	for i := range workers {
		w := &worker{shelf: s, rng: rand.New(rand.NewPCG(uint64(i), 1)), name: fmt.Sprintf("%s%d-", prefix, i)}
		s.workers = append(s.workers, w)
		group.Go(func() error {
			for range products / workers {
				if err := w.create(ctx, w.fresh()); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return group.Wait()
}

// work makes changes at a rate until ctx ends. With tell it changes names of products only, and tells of each right after its commit.
func (s *shelf) work(ctx context.Context, changes float64, seed uint64, tell func(*product)) error {
	limit := rate.NewLimiter(rate.Limit(changes), 1)
	group, ctx := errgroup.WithContext(ctx)
	loop := func(limit *rate.Limiter, do func(context.Context) error) {
		group.Go(func() error {
			for limit.Wait(ctx) == nil {
				// What was begun is finished, so that it is known what was committed.
				if err := do(context.WithoutCancel(ctx)); err != nil {
					return err
				}
			}
			return nil
		})
	}
	for i, w := range s.workers {
		w.rng = rand.New(rand.NewPCG(seed, uint64(i)))
		loop(limit, func(ctx context.Context) error { return w.step(ctx, tell) })
	}
	if tell == nil {
		rng := rand.New(rand.NewPCG(seed, workers))
		loop(rate.NewLimiter(2, 1), func(ctx context.Context) error { return s.rename(ctx, rng) })
		loop(rate.NewLimiter(rate.Every(15*time.Second), 1), s.importLines)
	}
	return group.Wait()
}

// commit runs statements in a transaction, again where PostgreSQL has broken it off for another's sake.
func (s *shelf) commit(ctx context.Context, do func(tx pgx.Tx) error) error {
	for {
		err := pgx.BeginFunc(ctx, s.pool, do)
		var refused *pgconn.PgError
		if err == nil {
			s.changes.Add(1)
			return nil
		}
		if !errors.As(err, &refused) || (refused.Code != "40P01" && refused.Code != "40001") {
			return err
		}
	}
}

// step does one of the things that are done with products.
func (w *worker) step(ctx context.Context, tell func(*product)) error {
	if tell != nil {
		p := w.any().clone()
		p.name = w.words()
		if err := w.save(ctx, p, `update products.products set name = $2 where product_id = $1`, p.id, p.name); err != nil {
			return err
		}
		tell(p)
		return nil
	}
	switch n := w.rng.IntN(100); {
	case n < 12:
		return w.create(ctx, w.fresh())
	case n < 20 && len(w.ids) > fewest:
		return w.remove(ctx)
	case n < 45:
		return w.describe(ctx)
	case n < 55:
		return w.move(ctx)
	case n < 70:
		return w.price(ctx)
	case n < 78:
		return w.assort(ctx)
	case n < 90:
		return w.stock(ctx)
	case n < 94:
		return w.several(ctx)
	default:
		return w.at2(ctx)
	}
}

// save runs one statement and notes the product.
func (w *worker) save(ctx context.Context, p *product, sql string, args ...any) error {
	err := w.shelf.commit(ctx, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, sql, args...)
		return err
	})
	if err != nil {
		return fmt.Errorf("%s: %w", sql, err)
	}
	w.shelf.journal.put(p)
	return nil
}

func (w *worker) any() *product { return w.shelf.journal.product(w.ids[w.rng.IntN(len(w.ids))]) }

func (w *worker) words() string {
	words := []string{"Apple", "Bread", "Crème", "Dates", "Eggs & Ham", "Figs", "O'Grady's", "Honey \"Pure\"", "Ice", "Jam", "Kale", "Lentils"}
	picked := make([]string, 1+w.rng.IntN(4))
	for i := range picked {
		picked[i] = words[w.rng.IntN(len(words))]
	}
	return fmt.Sprintf("%s %08x", strings.Join(picked, " "), w.rng.Uint32())
}

func (w *worker) category() string {
	return fmt.Sprintf("%scategory-%d", prefix, w.rng.IntN(roots+leaves))
}

func (w *worker) brand() string {
	if w.rng.IntN(4) == 0 {
		return ""
	}
	return fmt.Sprintf("%sbrand-%d", prefix, w.rng.IntN(brands))
}

// fresh is a product that isn't there yet.
func (w *worker) fresh() *product {
	w.next++
	p := &product{
		id: fmt.Sprintf("%s%d", w.name, w.next), name: w.words(), brand: w.brand(), category: w.category(), description: w.words(),
		size: "1 kg", tags: []string{"vegan"}, image: "/images/x.svg", status: "active", cost: int64(w.rng.IntN(300)),
		everyday: int64(100 + w.rng.IntN(900)), tax: int64(w.rng.IntN(3)) * 1000, prices: map[string]int64{}, sold: map[string]bool{},
		available: map[string]bool{},
	}
	for _, store := range stores[:w.rng.IntN(len(stores)+1)] {
		p.sold[store] = true
	}
	return p
}

// create adds a product with its price and stores in one transaction.
func (w *worker) create(ctx context.Context, p *product) error {
	err := w.shelf.commit(ctx, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `insert into products.products
			(product_id, name, brand_id, category_id, description, size, gtin, tags, image_uri, status, tax_rate_bps, cost)
			values ($1, $2, nullif($3, ''), $4, $5, $6, $7, $8, $9, $10, $11, nullif($12, 0))`,
			p.id, p.name, p.brand, p.category, p.description, p.size, p.gtin, p.tags, p.image, p.status, p.tax, p.cost)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `insert into products.prices (product_id, minor_units) values ($1, $2)`, p.id, p.everyday); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `insert into products.store_products (product_id, store_id) select $1::text, unnest($2::text[])`,
			p.id, slices.Collect(maps.Keys(p.sold)))
		return err
	})
	if err != nil {
		return fmt.Errorf("create %s: %w", p.id, err)
	}
	w.shelf.journal.put(p)
	w.ids = append(w.ids, p.id)
	return nil
}

// remove deletes a product, as the service does or the row itself; and lets one of those rows come back.
func (w *worker) remove(ctx context.Context) error {
	at := w.rng.IntN(len(w.ids))
	p := &product{id: w.ids[at], deleted: true}
	sql, whole := `update products.products set delete_time = now() where product_id = $1`, w.rng.IntN(2) == 0
	if whole {
		sql = `delete from products.products where product_id = $1`
	}
	if err := w.save(ctx, p, sql, p.id); err != nil {
		return err
	}
	w.ids = slices.Delete(w.ids, at, at+1)
	if whole && w.rng.IntN(2) == 0 {
		again := w.fresh()
		again.id = p.id
		return w.create(ctx, again)
	}
	return nil
}

func (w *worker) describe(ctx context.Context) error {
	p := w.any().clone()
	p.name, p.description = w.words(), w.words()
	p.size = fmt.Sprintf("%d x %d g", 1+w.rng.IntN(6), 50*(1+w.rng.IntN(10)))
	p.gtin = fmt.Sprintf("%013d", w.rng.Int64N(1e13))
	p.tags = []string{"vegan", "organic", "new"}[:w.rng.IntN(4)]
	p.status = []string{"active", "active", "retired", "draft"}[w.rng.IntN(4)]
	p.cost, p.tax = int64(1+w.rng.IntN(300)), int64(w.rng.IntN(3))*500
	return w.save(ctx, p, `update products.products
		set name = $2, description = $3, size = $4, gtin = $5, tags = $6, status = $7, cost = $8, tax_rate_bps = $9 where product_id = $1`,
		p.id, p.name, p.description, p.size, p.gtin, p.tags, p.status, p.cost, p.tax)
}

// move puts a product into another category and brand, while those may be being renamed.
func (w *worker) move(ctx context.Context) error {
	p := w.any().clone()
	p.category, p.brand = w.category(), w.brand()
	return w.save(ctx, p, `update products.products set category_id = $2, brand_id = nullif($3, '') where product_id = $1`, p.id, p.category, p.brand)
}

func (w *worker) price(ctx context.Context) error {
	p := w.any().clone()
	minor, store := int64(100+w.rng.IntN(900)), ""
	if w.rng.IntN(2) == 0 {
		store = stores[w.rng.IntN(len(stores))]
		p.prices[store] = minor
	} else {
		p.everyday = minor
	}
	return w.save(ctx, p, `insert into products.prices (product_id, store_id, minor_units) values ($1, nullif($2, ''), $3)`, p.id, store, minor)
}

// assort takes a product into a store, or out of it.
func (w *worker) assort(ctx context.Context) error {
	p, store := w.any().clone(), stores[w.rng.IntN(len(stores))]
	sql := `insert into products.store_products (product_id, store_id) values ($1, $2)`
	if p.sold[store] {
		sql = `delete from products.store_products where product_id = $1 and store_id = $2`
		delete(p.sold, store)
	} else {
		p.sold[store] = true
	}
	return w.save(ctx, p, sql, p.id, store)
}

func (w *worker) stock(ctx context.Context) error {
	p, store := w.any().clone(), stores[w.rng.IntN(len(stores))]
	p.available[store] = !p.available[store]
	return w.save(ctx, p, `insert into products.availability (product_id, store_id, available, epoch, sequence) values ($1, $2, $3, 1, 1)
		on conflict (product_id, store_id) do update set available = excluded.available, sequence = products.availability.sequence + 1`,
		p.id, store, p.available[store])
}

// several changes many products by one statement.
func (w *worker) several(ctx context.Context) error {
	popularity := int64(w.rng.IntN(1001))
	changed := map[string]*product{}
	for range 20 {
		p := w.any().clone()
		p.popularity = popularity
		changed[p.id] = p
	}
	err := w.shelf.commit(ctx, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `update products.products set popularity = $2 where product_id = any ($1)`, slices.Sorted(maps.Keys(changed)), popularity)
		return err
	})
	if err != nil {
		return fmt.Errorf("change several: %w", err)
	}
	w.shelf.journal.put(slices.Collect(maps.Values(changed))...)
	return nil
}

// at2 changes one product in two transactions at once: its price in one, its availability in the other.
func (w *worker) at2(ctx context.Context) error {
	p, store := w.any().clone(), stores[w.rng.IntN(len(stores))]
	p.everyday = int64(100 + w.rng.IntN(900))
	p.available[store] = !p.available[store]
	var both sync.WaitGroup
	var failed [2]error
	for i, sql := range []string{
		`insert into products.prices (product_id, minor_units) values ($1, $2)`,
		`insert into products.availability (product_id, store_id, available, epoch, sequence) values ($1, $2, $3, 1, 1)
			on conflict (product_id, store_id) do update set available = excluded.available`,
	} {
		args := [][]any{{p.id, p.everyday}, {p.id, store, p.available[store]}}[i]
		both.Go(func() {
			failed[i] = w.shelf.commit(ctx, func(tx pgx.Tx) error {
				_, err := tx.Exec(ctx, sql, args...)
				return err
			})
		})
	}
	both.Wait()
	w.shelf.journal.put(p)
	return errors.Join(failed[0], failed[1])
}

// rename changes a category's or a brand's name, or hangs a category elsewhere: the documents of all products below follow.
func (s *shelf) rename(ctx context.Context, rng *rand.Rand) error {
	name := fmt.Sprintf("Name %08x", rng.Uint32())
	s.renames.Add(1)
	if rng.IntN(3) == 0 {
		id := fmt.Sprintf("%sbrand-%d", prefix, rng.IntN(brands))
		err := s.commit(ctx, func(tx pgx.Tx) error {
			_, err := tx.Exec(ctx, `update products.brands set name = $2 where brand_id = $1`, id, name)
			return err
		})
		s.journal.putBrand(id, name)
		return err
	}
	i := rng.IntN(roots + leaves)
	id, c := fmt.Sprintf("%scategory-%d", prefix, i), category{name: name}
	if i >= roots {
		c.parent = fmt.Sprintf("%scategory-%d", prefix, rng.IntN(roots))
	}
	err := s.commit(ctx, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `update products.categories set name = $2, parent_id = nullif($3, '') where category_id = $1`, id, c.name, c.parent)
		return err
	})
	s.journal.putCategory(id, c)
	return err
}

// open changes a product in a transaction that stays open for a while, over whatever happens meanwhile.
func (s *shelf) open(ctx context.Context, number int, lasts time.Duration) error {
	p := &product{
		id: fmt.Sprintf("%sopen-%d", prefix, number), name: fmt.Sprint("Open ", number), category: openCategory, size: "1 kg",
		status: "active", sold: map[string]bool{}, prices: map[string]int64{}, available: map[string]bool{},
	}
	insert := `insert into products.products (product_id, name, category_id, size, status) values ($1, $2, $3, $4, $5)`
	err := s.commit(ctx, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, insert, p.id, p.name, p.category, p.size, p.status)
		return err
	})
	if err != nil {
		return fmt.Errorf("open %s: %w", p.id, err)
	}
	p = p.clone()
	p.name += " changed"
	err = s.commit(ctx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `update products.products set name = $2 where product_id = $1`, p.id, p.name); err != nil {
			return err
		}
		time.Sleep(lasts)
		return nil
	})
	s.journal.put(p)
	return err
}
