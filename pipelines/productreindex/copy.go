package main

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync/atomic"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/register"
	"golang.org/x/sync/errgroup"

	"larder.dev/internal/pgdb"
	"larder.dev/internal/product/postgres"
	"larder.dev/pipelines/internal/bulk"
	"larder.dev/pipelines/internal/process"
)

func init() {
	for _, t := range []reflect.Type{reflect.TypeFor[idRange](), reflect.TypeFor[copyFn]()} {
		beam.RegisterType(t)
	}
	register.DoFn2x1[context.Context, idRange, error](&copyFn{})
}

const (
	rangeSize = 2000 // documents of a range, read at once: 2 to 4 MiB
	bulkSize  = 500  // documents of a bulk request
	writers   = 4    // bulk requests at once
)

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
	beam.ParDo0(s.Scope("Copy"), &copyFn{Target: to}, spread)
}

// target goes to every worker.
type target struct {
	DatabaseURL   string
	Elasticsearch string
	Index         string
}

// copyFn copies a range.
type copyFn struct {
	Target target

	writer              *bulk.Writer
	written, superseded beam.Counter
}

func (f *copyFn) Setup(ctx context.Context) error {
	es, err := bulk.Connect(ctx, f.Target.Elasticsearch)
	if err != nil {
		return err
	}
	f.writer = bulk.NewWriter(es, f.Target.Index)
	f.written, f.superseded = beam.NewCounter(counters, "written"), beam.NewCounter(counters, "superseded")
	return nil
}

// ProcessElement returns when the range is written. A document that Elasticsearch will never take is an error: the generation would
// lack it.
func (f *copyFn) ProcessElement(ctx context.Context, r idRange) error {
	// Connected to anew for each range: nobody tells a function on prism when it is needed no more.
	pool, err := pgdb.Open(ctx, f.Target.DatabaseURL)
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
	// Counted here and not where it is written: Beam's counters are for one goroutine.
	var written, superseded atomic.Int64
	group, writing := errgroup.WithContext(ctx)
	group.SetLimit(writers)
	for len(kept) > 0 {
		part := kept[:min(bulkSize, len(kept))]
		kept = kept[len(part):]
		group.Go(func() error {
			result, err := f.write(writing, part)
			written.Add(int64(result.Written))
			superseded.Add(int64(result.Superseded))
			return err
		})
	}
	err = group.Wait()
	f.written.Inc(ctx, written.Load())
	f.superseded.Inc(ctx, superseded.Load())
	return err
}

func (f *copyFn) write(ctx context.Context, part []postgres.Kept) (bulk.Result, error) {
	documents := make([]bulk.Document, len(part))
	for i, k := range part {
		documents[i] = bulk.Document{ID: k.ProductID, Version: k.Revision, Body: k.Document}
	}
	result, err := f.writer.Write(ctx, documents)
	for _, r := range result.Refused {
		err = errors.Join(err, fmt.Errorf("%s will never take %s: %s", f.Target.Index, part[r.At].ProductID, r.Detail))
	}
	return result, err
}
