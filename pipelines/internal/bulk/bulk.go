// Package bulk writes documents to an index so that nothing is lost and no older document wins.
//
// A document's version is its product's revision, external: Elasticsearch keeps the higher one, whatever the
// order of arrival. A bulk request succeeds as a whole although single items failed, so each item's own status
// decides:
//
//	written, or a version conflict (the index has this revision or a newer one)  done
//	429, 5xx, 401, 403, 408, no answer                                           again, until it works
//	any other 4xx (a value doesn't fit its field)                                refused: never will work
//	the write alias is gone                                                      ErrIndexGone
//
// A request that is refused whole (400 for an id that is too long, 413) is divided, until only the item remains
// that is at fault.
package bulk

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/elastic/go-elasticsearch/v8"
	"github.com/elastic/go-elasticsearch/v8/esapi"
	"golang.org/x/sync/errgroup"

	"larder.dev/internal/search/index"
	"larder.dev/pipelines/internal/process"
	"larder.dev/pipelines/internal/secret"
)

// Part is the name under which a writer reports how it fares.
const Part = "elasticsearch"

// ErrIndexGone means that the index was deleted while it was written to.
var ErrIndexGone = errors.New("the index is gone")

// requestTimeout is longer than Elasticsearch itself waits for a shard (1 minute).
const requestTimeout = 75 * time.Second

// Document is what is written.
type Document struct {
	ID      string
	Version int64  // 1 and up
	Body    []byte // JSON object in one line
}

// Refusal is a document that Elasticsearch will never take.
type Refusal struct {
	At     int // place in the documents that were given to Write
	Detail string
}

// Result says what became of the documents: the three together are all of them.
type Result struct {
	Written, Superseded int
	Refused             []Refusal
}

// Writer writes to one index through its write alias. It has to exist.
type Writer struct {
	es    *elasticsearch.Client
	alias string
}

// Connect returns a client that leaves retries to its caller. The setting is a URL, or the name of the secret that holds it (package secret).
func Connect(ctx context.Context, setting string) (*elasticsearch.Client, error) {
	url, err := secret.Read(ctx, setting)
	if err != nil {
		return nil, err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = requests
	return elasticsearch.NewClient(elasticsearch.Config{Addresses: []string{url}, DisableRetry: true, Transport: transport,
		Instrumentation: index.Instrumentation(),
	})
}

// NewWriter returns a writer to an index.
func NewWriter(es *elasticsearch.Client, name string) *Writer {
	return &Writer{es: es, alias: index.WriteAlias(name)}
}

// A bulk request has at most so many documents, and so many are under way at once. Elasticsearch carries out each by one thread.
const (
	requestDocuments = 250
	requests         = 4
)

// Write returns when each document is written, superseded by a newer one, or refused for good; or when ctx ends or
// the index is gone, with an error, and then any of them may be missing. The order of documents doesn't matter, also of one product.
func (w *Writer) Write(ctx context.Context, docs []Document) (Result, error) {
	places := make([]int, len(docs))
	for i := range docs {
		places[i] = i
	}
	parts := slices.Collect(slices.Chunk(places, requestDocuments))
	results := make([]Result, len(parts))
	group, writing := errgroup.WithContext(ctx)
	group.SetLimit(requests)
	for i, part := range parts {
		group.Go(func() error { return w.write(writing, docs, part, &results[i]) })
	}
	err := group.Wait()
	var all Result
	for _, r := range results {
		all.Written += r.Written
		all.Superseded += r.Superseded
		all.Refused = append(all.Refused, r.Refused...)
	}
	return all, err
}

func (w *Writer) write(ctx context.Context, docs []Document, pending []int, r *Result) error {
	if len(pending) == 0 {
		return nil
	}
	var tooMuch *requestError
	err := process.Retry(ctx, "write to Elasticsearch", func(ctx context.Context) error {
		again, err := w.try(ctx, docs, pending, r)
		pending = again
		if errors.As(err, &tooMuch) && tooMuch.divisible() {
			return process.Permanent(err)
		}
		process.Report(Part, err)
		return err
	})
	if tooMuch == nil || !tooMuch.divisible() {
		return err
	}
	if len(pending) == 1 {
		r.Refused = append(r.Refused, Refusal{pending[0], tooMuch.Error()})
		return nil
	}
	half := len(pending) / 2
	if err := w.write(ctx, docs, pending[:half], r); err != nil {
		return err
	}
	return w.write(ctx, docs, pending[half:], r)
}

// try sends one request, and returns the documents that have to be sent again with the reason.
func (w *Writer) try(ctx context.Context, docs []Document, pending []int, r *Result) (again []int, err error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	demand := true
	res, err := esapi.BulkRequest{
		Instrument:   w.es.InstrumentationEnabled(),
		Index:        w.alias,
		RequireAlias: &demand,
		Body:         body(docs, pending),
		FilterPath:   []string{"items.index.status", "items.index.error.type", "items.index.error.reason"},
	}.Do(ctx, w.es)
	if err != nil {
		return pending, err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		return pending, err
	}
	if res.IsError() {
		return pending, &requestError{status: res.StatusCode, answer: string(answer[:min(len(answer), 300)])}
	}
	items, err := read(answer, len(pending))
	if err != nil {
		return pending, err
	}
	for i, item := range items {
		switch item.outcome() {
		case written:
			r.Written++
		case superseded:
			r.Superseded++
		case refused:
			r.Refused = append(r.Refused, Refusal{pending[i], item.detail()})
		case gone:
			return pending, process.Permanent(fmt.Errorf("%w: %s", ErrIndexGone, item.detail()))
		case retry:
			again = append(again, pending[i])
			err = fmt.Errorf("%d of %d documents not taken for now: %s", len(again), len(pending), item.detail())
		}
	}
	return again, err
}

func body(docs []Document, pending []int) *bytes.Reader {
	size := 0
	for _, i := range pending {
		size += len(docs[i].Body) + len(docs[i].ID) + 80
	}
	b := bytes.NewBuffer(make([]byte, 0, size))
	for _, i := range pending {
		id, _ := json.Marshal(docs[i].ID) // a string always encodes
		b.WriteString(`{"index":{"version_type":"external","version":`)
		b.WriteString(strconv.FormatInt(docs[i].Version, 10))
		b.WriteString(`,"_id":`)
		b.Write(id)
		b.WriteString("}}\n")
		b.Write(docs[i].Body)
		b.WriteByte('\n')
	}
	return bytes.NewReader(b.Bytes())
}
