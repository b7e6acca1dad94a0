package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"cloud.google.com/go/pubsub/v2"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/runners"
	"github.com/elastic/go-elasticsearch/v8"
	"github.com/jackc/pgx/v5/pgxpool"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"larder.dev/internal/product"
	"larder.dev/internal/product/postgres"
	"larder.dev/internal/progress"
	"larder.dev/internal/search/elastic"
	"larder.dev/internal/search/index"
	"larder.dev/pipelines/internal/bulk"
	"larder.dev/pipelines/internal/process"
	"larder.dev/pipelines/internal/secret"
)

// maxFindings is how many findings an audit lists; it counts all.
const maxFindings = 20

// reindex has what the commands work with.
type reindex struct {
	config    config
	es        *elasticsearch.Client
	pool      *pgxpool.Pool
	catalogue *postgres.Store
	pubsub    *pubsub.Client
}

func open(ctx context.Context, c config) (*reindex, error) {
	r := &reindex{config: c}
	var err error
	if r.es, err = bulk.Connect(ctx, c.Elasticsearch); err != nil {
		return nil, err
	}
	if r.pool, err = openCatalogue(ctx, c.DatabaseURL); err != nil {
		return nil, err
	}
	r.catalogue = postgres.New(r.pool)
	if r.pubsub, err = pubsub.NewClient(ctx, c.Project); err != nil {
		r.pool.Close()
		return nil, fmt.Errorf("connect to Pub/Sub: %w", err)
	}
	return r, nil
}

func (r *reindex) close() {
	r.pool.Close()
	_ = r.pubsub.Close()
}

func (r *reindex) index(number int) string { return fmt.Sprintf("%s-%d", r.config.Alias, number) }

func (r *reindex) subscription(number int) string {
	return fmt.Sprintf("projects/%s/subscriptions/%s-%d", r.config.Project, r.config.Subscriptions, number)
}

func (r *reindex) topic(name string) string {
	return fmt.Sprintf("projects/%s/topics/%s", r.config.Project, name)
}

// generation is one as list prints it.
type generation struct {
	Generation   int    `json:"generation"`
	Index        string `json:"index"`
	Subscription string `json:"subscription"`
	Live         bool   `json:"live"`
	Current      bool   `json:"current"` // made by this program's definition of the index
	Documents    int64  `json:"documents"`
}

func (r *reindex) list(ctx context.Context) ([]generation, error) {
	found, err := index.Generations(ctx, r.es, r.config.Alias)
	if err != nil {
		return nil, err
	}
	list := make([]generation, len(found))
	for i, g := range found {
		list[i] = generation{
			Generation: g.Number, Index: r.index(g.Number), Subscription: r.subscription(g.Number),
			Live: g.Live, Current: g.Current, Documents: g.Documents,
		}
	}
	return list, nil
}

var errTooMany = errors.New("retire the generation that isn't needed first")

func describe(generations []index.Generation) string {
	words := make([]string, len(generations))
	for i, g := range generations {
		words[i] = fmt.Sprintf("%d", g.Number)
		if g.Live {
			words[i] += " is live"
		}
	}
	return "there are " + strings.Join(words, ", ")
}

// begin makes what a generation's streaming pipeline needs, and answers the generation. One that was begun and isn't live yet is gone on
// with. The subscription comes last: it keeps every change from now on.
func (r *reindex) begin(ctx context.Context) (*generation, error) {
	found, err := index.Generations(ctx, r.es, r.config.Alias)
	if err != nil {
		return nil, err
	}
	number := 1
	switch n := len(found); {
	case n == 0:
	case n == 1 && found[0].Live:
		number = found[0].Number + 1
	case n == 2 && found[0].Live && found[1].Current:
		number = found[1].Number // begun before
	default:
		return nil, fmt.Errorf("%w: %s", errTooMany, describe(found))
	}
	if err := index.EnsureIndex(ctx, r.es, r.index(number), index.Options{Alias: r.config.Alias, Replicas: r.config.Replicas}); err != nil {
		return nil, err
	}
	if err := r.subscribe(ctx, number); err != nil {
		return nil, err
	}
	return &generation{Generation: number, Index: r.index(number), Subscription: r.subscription(number), Current: true}, nil
}

// subscribe makes a generation's subscription, as Terraform makes the first one's.
func (r *reindex) subscribe(ctx context.Context, number int) error {
	_, err := r.pubsub.SubscriptionAdminClient.CreateSubscription(ctx, &pubsubpb.Subscription{
		Name:               r.subscription(number),
		Topic:              r.topic(r.config.Topic),
		AckDeadlineSeconds: 10,
		RetryPolicy:        &pubsubpb.RetryPolicy{MinimumBackoff: durationpb.New(100 * time.Millisecond), MaximumBackoff: durationpb.New(10 * time.Second)},
		DeadLetterPolicy:   &pubsubpb.DeadLetterPolicy{DeadLetterTopic: r.topic(r.config.DeadLetterTopic), MaxDeliveryAttempts: 100},
	})
	if err != nil && status.Code(err) != codes.AlreadyExists {
		return fmt.Errorf("create subscription %s: %w", r.subscription(number), err)
	}
	return nil
}

// copied is what copy prints.
type copied struct {
	Documents int64   `json:"documents"` // that the generation has now, those that its pipeline brought among them
	Seconds   float64 `json:"seconds"`
}

// copy runs the batch pipeline, on the runner that --runner names. Meanwhile the generation isn't refreshed, unless search reads it.
func (r *reindex) copy(ctx context.Context, number int) (_ *copied, err error) {
	if process.OnDataflow() {
		if err := errors.Join(secret.Check("DATABASE_URL", r.config.DatabaseURL), secret.Check("ELASTICSEARCH_URL", r.config.Elasticsearch)); err != nil {
			return nil, err
		}
	}
	all, err := ranges(ctx, r.catalogue)
	if err != nil {
		return nil, err
	}
	found, err := index.Generations(ctx, r.es, r.config.Alias)
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(found, func(g index.Generation) bool { return g.Number == number && !g.Live }) {
		if err := index.Rest(ctx, r.es, r.index(number), true); err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, r.wake(context.WithoutCancel(ctx), number)) }()
	}
	p, s := beam.NewPipelineWithRoot()
	copyAll(s, all, target{DatabaseURL: r.config.DatabaseURL, Elasticsearch: r.config.Elasticsearch, Index: r.index(number)})
	began := time.Now()
	told := tell(int64(len(all)) * rangeSize) // the last range has fewer
	_, err = beam.Run(ctx, cmp.Or(*runners.Runner, "prism"), p)
	told()
	if err != nil {
		return nil, err
	}
	c := &copied{Seconds: time.Since(began).Seconds()}
	if err := index.Refresh(ctx, r.es, r.index(number)); err != nil {
		return nil, err
	}
	// Counted where they are and not where they are written: under load prism loses what its workers counted.
	c.Documents, err = index.Count(ctx, r.es, r.index(number))
	return c, err
}

// tell draws how far the copy in this process is, until it is ended.
func tell(total int64) (end func()) {
	bar := progress.Start(os.Stderr, "copy", total)
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		ticker := time.NewTicker(time.Second)
		defer ticker.Stop()
		for {
			select {
			case <-stop:
				return
			case <-ticker.C:
				bar.Set(copiedHere.Load())
			}
		}
	}()
	return func() {
		close(stop)
		<-stopped
		bar.Set(copiedHere.Load())
		bar.End()
	}
}

// wake lets a generation be refreshed again.
func (r *reindex) wake(ctx context.Context, number int) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	return index.Rest(ctx, r.es, r.index(number), false)
}

// audited is what audit prints.
type audited struct {
	Index    string         `json:"index"`
	Checked  int            `json:"checked"`
	InFlight int            `json:"in_flight"` // differed, and was on its way
	Kinds    map[string]int `json:"findings"`
	Findings []string       `json:"examples,omitempty"`
}

var errDiffers = errors.New("the index differs from the catalogue")

// audit compares a generation's index, or what the alias points to, with the catalogue. It repairs nothing. Error: errDiffers.
func (r *reindex) audit(ctx context.Context, number int) (*audited, error) {
	name := r.config.Alias
	if number != 0 {
		name = r.index(number)
	}
	searching, err := elastic.New(elastic.Config{URL: r.config.Elasticsearch, Index: name, Timeout: 30 * time.Second, Pause: time.Second})
	if err != nil {
		return nil, err
	}
	auditor := product.NewAuditor(r.catalogue, indexed{searching})
	a := &audited{Index: name, Kinds: map[string]int{}}
	total, err := index.Count(ctx, r.es, name)
	if err != nil {
		return nil, err
	}
	bar := progress.Start(os.Stderr, "audit", total)
	defer bar.End()
	for token := ""; ; {
		page, err := auditor.Audit(ctx, auditPage, token, false)
		if err != nil {
			return nil, err
		}
		a.Checked += page.Checked
		a.InFlight += page.InFlight
		bar.Set(int64(a.Checked))
		for _, f := range page.Findings {
			a.Kinds[string(f.Kind)]++
			if len(a.Findings) < maxFindings {
				a.Findings = append(a.Findings, fmt.Sprintf("%s %s: revision %d, in the index %d", f.Kind, f.ProductID, f.Revision, f.IndexedRevision))
			}
		}
		if token = page.Next; token == "" {
			break
		}
	}
	if len(a.Kinds) > 0 {
		return a, errDiffers
	}
	return a, nil
}

// auditPage is how many documents are compared at once.
const auditPage = 1000

// indexed implements product.Index.
type indexed struct{ index *elastic.Index }

func (x indexed) Documents(ctx context.Context, after, until string, limit int) ([]product.Indexed, error) {
	found, err := x.index.Documents(ctx, after, until, limit)
	if err != nil {
		return nil, err
	}
	documents := make([]product.Indexed, len(found))
	for i, d := range found {
		documents[i] = product.Indexed(d)
	}
	return documents, nil
}

var _ product.Index = indexed{}

// switchTo lets search read a generation that holds what the catalogue holds, as of a few seconds before: what the audit finds
// to be on its way reaches both generations alike.
func (r *reindex) switchTo(ctx context.Context, number int) (*audited, error) {
	if err := r.wake(ctx, number); err != nil { // a copy that was killed didn't
		return nil, err
	}
	a, err := r.audit(ctx, number)
	if err != nil {
		return a, err
	}
	return a, index.Switch(ctx, r.es, r.config.Alias, number)
}

// retire deletes a generation. Its subscription goes first: its pipeline ends by that, and can't find the index missing.
func (r *reindex) retire(ctx context.Context, number int) error {
	found, err := index.Generations(ctx, r.es, r.config.Alias)
	if err != nil {
		return err
	}
	for _, g := range found {
		if g.Number == number && g.Live {
			return fmt.Errorf("%w: %s", index.ErrLive, r.index(number))
		}
	}
	err = r.pubsub.SubscriptionAdminClient.DeleteSubscription(ctx, &pubsubpb.DeleteSubscriptionRequest{Subscription: r.subscription(number)})
	if err != nil && status.Code(err) != codes.NotFound {
		return fmt.Errorf("delete subscription %s: %w", r.subscription(number), err)
	}
	return index.Retire(ctx, r.es, r.config.Alias, number)
}
