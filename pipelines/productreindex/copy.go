package main

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync/atomic"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/register"
	"github.com/jackc/pgx/v5/pgxpool"

	"larder.dev/internal/pgdb"
	"larder.dev/internal/product/postgres"
	"larder.dev/pipelines/internal/bulk"
	"larder.dev/pipelines/internal/process"
	"larder.dev/pipelines/internal/secret"
)

func init() {
	for _, t := range []reflect.Type{reflect.TypeFor[idRange](), reflect.TypeFor[copyFn]()} {
		beam.RegisterType(t)
	}
	register.DoFn3x1[context.Context, idRange, func(int64), error](&copyFn{})
	register.Function2x0(count)
	register.Emitter1[int64]()
}

// rangeSize is how many documents a range has, which are read at once: 2 to 4 MiB.
const rangeSize = 2000

// idRange is a range of product ids, behind one and up to another; empty: to the last.
type idRange struct{ After, Until string }

// ranges divides the catalogue.
func ranges(ctx context.Context, catalogue *postgres.Store) ([]idRange, error) {
	bounds, err := catalogue.KeptBounds(ctx, rangeSize)
	if err != nil {
		return nil, err
	}
	all := make([]idRange, 0, len(bounds)+1)
	after := ""
	for _, bound := range bounds {
		all = append(all, idRange{After: after, Until: bound})
		after = bound
	}
	return append(all, idRange{After: after}), nil
}

// copyAll writes each kept document, deleted ones too, to the index, with its own revision for a version: so a change that the index's
// streaming pipeline has brought meanwhile stays, and a copy that was broken off is begun again.
func copyAll(s beam.Scope, all []idRange, to target) {
	// The reshuffle lets a runner with several workers give each of them ranges of its own.
	spread := beam.Reshuffle(s, beam.CreateList(s, all))
	copied := beam.ParDo(s.Scope("Copy"), &copyFn{Target: to}, spread)
	// Prism spins on a stage that nothing leaves, and takes half a core from what writes.
	beam.ParDo0(s.Scope("Count"), count, beam.Reshuffle(s, copied))
}

func count(ctx context.Context, n int64) {
	beam.NewCounter("productreindex", "copied").Inc(ctx, n)
}

// openCatalogue connects to the database of a URL, or of the secret that holds the URL.
func openCatalogue(ctx context.Context, setting string) (*pgxpool.Pool, error) {
	url, err := secret.Read(ctx, setting)
	if err != nil {
		return nil, err
	}
	return pgdb.Open(ctx, url)
}

// target goes to every worker, in the job's graph, which others can see: on Dataflow the first two are names of secrets.
type target struct {
	DatabaseURL   string
	Elasticsearch string
	Index         string
}

// copiedHere counts the documents that this process has copied, for people who wait for it. A package's variable, since Beam builds copyFn
// anew; on Dataflow the copying is elsewhere, and its own page tells.
var copiedHere atomic.Int64

// copyFn copies a range.
type copyFn struct {
	Target target

	writer *bulk.Writer
}

func (f *copyFn) Setup(ctx context.Context) error {
	es, err := bulk.Connect(ctx, f.Target.Elasticsearch)
	if err != nil {
		return err
	}
	f.writer = bulk.NewWriter(es, f.Target.Index)
	return nil
}

// ProcessElement returns when the range is written. A document that Elasticsearch will never take is an error: the generation would
// lack it.
func (f *copyFn) ProcessElement(ctx context.Context, r idRange, copied func(int64)) error {
	// Connected to anew for each range: nobody tells a function on prism when it is needed no more.
	pool, err := openCatalogue(ctx, f.Target.DatabaseURL)
	if err != nil {
		return err
	}
	defer pool.Close()
	var kept []postgres.Kept
	err = process.Retry(ctx, "read the catalogue", func(ctx context.Context) (err error) {
		kept, err = postgres.New(pool).Kept(ctx, r.After, r.Until)
		return err
	})
	if err != nil {
		return err
	}
	documents := make([]bulk.Document, len(kept))
	for i, k := range kept {
		documents[i] = bulk.Document{ID: k.ProductID, Version: k.Revision, Body: k.Document}
	}
	result, err := f.writer.Write(ctx, documents)
	for _, r := range result.Refused {
		err = errors.Join(err, fmt.Errorf("%s will never take %s: %s", f.Target.Index, kept[r.At].ProductID, r.Detail))
	}
	if err != nil {
		return err
	}
	copied(int64(len(kept)))
	copiedHere.Add(int64(len(kept)))
	return nil
}
