package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/google/uuid"

	"larder.dev/internal/pgdb/pgtest"
	"larder.dev/internal/product/postgres"
	"larder.dev/internal/search/index"
	"larder.dev/pipelines/internal/bulk"
)

func TestMain(m *testing.M) {
	beam.Init()
	os.Exit(m.Run())
}

// rig is a catalogue, a topic and a family of indices that only one test uses.
type rig struct {
	*reindex
	t *testing.T
}

// shelf has 2,500 products, one in ten deleted; that makes two ranges.
const shelf = `
insert into products.categories (category_id, name) values ('fruit', 'Fruit');
insert into products.products (product_id, name, category_id, status)
	select 'p-' || n, 'Product ' || n, 'fruit', 'active' from generate_series(1, 2500) n;
update products.products set delete_time = now() where right(product_id, 1) = '0'`

func newRig(t *testing.T) *rig {
	t.Helper()
	if os.Getenv("PUBSUB_EMULATOR_HOST") == "" || os.Getenv("ELASTICSEARCH_URL") == "" {
		t.Fatal("PUBSUB_EMULATOR_HOST or ELASTICSEARCH_URL is not set; `make test` starts both and sets them")
	}
	id := uuid.NewString()
	open, err := open(t.Context(), config{
		Project: "larder-local", DatabaseURL: pgtest.URL(t, postgres.Schema()), Elasticsearch: os.Getenv("ELASTICSEARCH_URL"),
		Alias: "test-" + id, Topic: "cdc-" + id, DeadLetterTopic: "cdc-" + id, Subscriptions: "productindex-" + id,
	})
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{open, t}
	r.exec(shelf)
	if _, err := r.pubsub.TopicAdminClient.CreateTopic(t.Context(), &pubsubpb.Topic{Name: r.topic(r.config.Topic)}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx := context.Background()
		for n := range 4 {
			_ = r.pubsub.SubscriptionAdminClient.DeleteSubscription(ctx, &pubsubpb.DeleteSubscriptionRequest{Subscription: r.subscription(n + 1)})
			if res, err := r.es.Indices.Delete([]string{r.index(n + 1)}); err == nil {
				_ = res.Body.Close()
			}
		}
		_ = r.pubsub.TopicAdminClient.DeleteTopic(ctx, &pubsubpb.DeleteTopicRequest{Topic: r.topic(r.config.Topic)})
		r.close()
	})
	return r
}

func (r *rig) exec(sql string, args ...any) {
	r.t.Helper()
	if _, err := r.pool.Exec(r.t.Context(), sql, args...); err != nil {
		r.t.Fatalf("%s: %v", sql, err)
	}
}

// began begins a generation and wants it to have this number.
func (r *rig) began(number int) {
	r.t.Helper()
	for range 2 { // the second changes nothing
		g, err := r.begin(r.t.Context())
		if err != nil || g.Generation != number {
			r.t.Fatalf("began %+v, %v, want %d", g, err, number)
		}
		if number == 1 {
			return // it is live at once
		}
	}
}

func (r *rig) copied(number int, documents int64) {
	r.t.Helper()
	c, err := r.copy(r.t.Context(), number)
	if err != nil || c.Documents != documents {
		r.t.Fatalf("copied %+v, %v, want %d documents", c, err, documents)
	}
}

func (r *rig) live(number int) {
	r.t.Helper()
	list, err := r.list(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	for _, g := range list {
		if g.Live != (g.Generation == number) {
			r.t.Errorf("generations are %+v, want %d live", list, number)
		}
	}
}

// write writes a document as a streaming pipeline does.
func (r *rig) write(number int, id string, revision int64, document string) {
	r.t.Helper()
	result, err := bulk.NewWriter(r.es, r.index(number)).Write(r.t.Context(), []bulk.Document{{ID: id, Version: revision, Body: []byte(document)}})
	if err != nil || result.Written != 1 {
		r.t.Fatalf("wrote %+v, %v", result, err)
	}
	if err := index.Refresh(r.t.Context(), r.es, r.index(number)); err != nil {
		r.t.Fatal(err)
	}
}

// refreshed wants a generation's index to be refreshed at an interval.
func (r *rig) refreshed(number int, interval string) {
	r.t.Helper()
	res, err := r.es.Indices.GetSettings(r.es.Indices.GetSettings.WithIndex(r.index(number)))
	if err != nil {
		r.t.Fatal(err)
	}
	defer res.Body.Close()
	if text, err := io.ReadAll(res.Body); err != nil || !strings.Contains(string(text), `"refresh_interval":"`+interval+`"`) {
		r.t.Errorf("settings of generation %d are %s, %v, want the refresh interval %s", number, text, err, interval)
	}
}

func TestANewGeneration(t *testing.T) {
	r := newRig(t)
	r.began(1)
	r.live(1)
	r.copied(1, 2500)
	r.copied(1, 2500)
	r.began(2)
	r.live(1)
	if _, err := r.switchTo(t.Context(), 2); !errors.Is(err, errDiffers) {
		t.Errorf("switched to an empty one: %v", err)
	}
	r.live(1)
	// A change that the streaming pipeline brings before the copy comes by.
	r.exec(`update products.products set name = 'Changed' where product_id = 'p-7'`)
	var document string
	if err := r.pool.QueryRow(t.Context(), `select document::text from products.catalog_documents where product_id = 'p-7'`).Scan(&document); err != nil {
		t.Fatal(err)
	}
	r.write(2, "p-7", 2, document)
	r.copied(2, 2500)
	r.refreshed(2, "100ms")
	// A copy that is killed leaves the generation at rest; none becomes live so.
	if err := index.Rest(t.Context(), r.es, r.index(2), true); err != nil {
		t.Fatal(err)
	}
	r.refreshed(2, "-1")
	a, err := r.switchTo(t.Context(), 2)
	if err != nil || a.Checked != 2500 {
		t.Fatalf("switched after %+v, %v", a, err)
	}
	r.refreshed(2, "100ms")
	r.live(2)
	if _, err := r.begin(t.Context()); !errors.Is(err, errTooMany) {
		t.Errorf("began a third one while there are two: %v", err)
	}
	if err := r.retire(t.Context(), 2); !errors.Is(err, index.ErrLive) {
		t.Errorf("retired the live one: %v", err)
	}
	// Back, which takes that the old one has been streamed to: p-7 is missing there.
	if _, err := r.switchTo(t.Context(), 1); !errors.Is(err, errDiffers) {
		t.Errorf("went back to one that lacks a change: %v", err)
	}
	r.write(1, "p-7", 2, document)
	if _, err := r.switchTo(t.Context(), 1); err != nil {
		t.Errorf("went back: %v", err)
	}
	r.live(1)
	if _, err := r.switchTo(t.Context(), 2); err != nil {
		t.Errorf("and on: %v", err)
	}
	for range 2 {
		if err := r.retire(t.Context(), 1); err != nil {
			t.Errorf("retired: %v", err)
		}
	}
	r.live(2)
	r.began(3)
}

// The audit finds what a generation lacks, what it has of old, what it has too much and what is another.
func TestAuditFinds(t *testing.T) {
	r := newRig(t)
	r.began(1)
	r.copied(1, 2500)
	a, err := r.audit(t.Context(), 0)
	if err != nil || a.Checked != 2500 || len(a.Findings) > 0 {
		t.Fatalf("audited %+v, %v", a, err)
	}
	r.exec(`update products.products set name = 'Changed' where product_id = 'p-7'`)
	r.exec(`insert into products.products (product_id, name, category_id) values ('new', 'New', 'fruit')`)
	r.write(1, "stranger", 1, `{"product_id": "stranger", "revision": 1, "deleted": false}`)
	r.write(1, "p-9", 2, `{"product_id": "p-9", "revision": 2, "deleted": false, "name": "another"}`)
	a, err = r.audit(t.Context(), 1)
	if !errors.Is(err, errDiffers) || fmt.Sprint(a.Kinds) != "map[extra:1 missing:1 stale:2]" {
		t.Errorf("audited %+v, %v", a, err)
	}
}

// A document that the index won't ever take fails the copy: the generation would lack it.
func TestCopyOfWhatTheIndexRefuses(t *testing.T) {
	r := newRig(t)
	r.began(1)
	r.exec(`update products.catalog_documents set document = document || '{"prices": "dear"}' where product_id = 'p-8'`)
	if c, err := r.copy(t.Context(), 1); err == nil {
		t.Errorf("copied %+v", c)
	}
}

func TestCommands(t *testing.T) {
	for _, args := range [][]string{{}, {"copy"}, {"copy", "0"}, {"copy", "x"}, {"list", "1"}, {"begin", "1"}, {"switch"}, {"retire"}, {"drop", "1"}, {"copy", "1", "2"}} {
		if _, _, err := parse(args); !errors.Is(err, errUsage) {
			t.Errorf("%v: %v", args, err)
		}
	}
	for _, args := range [][]string{{"list"}, {"begin"}, {"copy", "2"}, {"audit"}, {"audit", "2"}, {"switch", "2"}, {"retire", "1"}} {
		if word, _, err := parse(args); err != nil || word != args[0] {
			t.Errorf("%v: %v", args, err)
		}
	}
}
