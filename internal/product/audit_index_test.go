package product_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/elastic/go-elasticsearch/v8"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	searchpb "larder.dev/api/search/v1"
	"larder.dev/internal/product"
	"larder.dev/internal/product/postgres"
	"larder.dev/internal/product/rpc"
	"larder.dev/internal/search"
	"larder.dev/internal/search/elastic"
	searchindex "larder.dev/internal/search/index"
	"larder.dev/internal/serve"
	"larder.dev/internal/serve/servetest"
)

// road is the way from the catalogue to an index of its own and back to the audit, all of it real but the transport: rows are
// carried to Elasticsearch by the test.
type road struct {
	*rig
	es      *elasticsearch.Client
	name    string
	auditor *product.Auditor
}

func newRoad(t *testing.T) road {
	t.Helper()
	address := os.Getenv("ELASTICSEARCH_URL")
	if address == "" {
		t.Fatal("ELASTICSEARCH_URL is not set; `make test` starts Elasticsearch and sets it")
	}
	es, err := elasticsearch.NewClient(elasticsearch.Config{Addresses: []string{address}})
	if err != nil {
		t.Fatal(err)
	}
	alias := "test-audit-" + uuid.NewString()
	r := road{rig: newRig(t), es: es, name: alias + "-1"}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		res, err := es.Indices.Delete([]string{r.name}, es.Indices.Delete.WithContext(ctx))
		if err != nil {
			t.Errorf("delete index %s: %v", r.name, err)
			return
		}
		defer res.Body.Close()
	})
	if err := searchindex.EnsureIndex(t.Context(), es, r.name, searchindex.Options{Alias: alias}); err != nil {
		t.Fatal(err)
	}
	x, err := elastic.New(elastic.Config{URL: address, Index: alias, Timeout: 10 * time.Second, Pause: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(x.Close)
	issuer := servetest.NewIssuer(t)
	server := issuer.Start(t, "search", func(ctx context.Context, app *serve.App) error {
		return app.Register(ctx, &searchpb.SearchService_ServiceDesc, search.NewServer(search.New(x)), nil)
	})
	conn, err := grpc.NewClient(strings.TrimPrefix(server.URL, "http://"), grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithUnaryInterceptor(sending(issuer.ServiceToken(t, "product"))))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	r.auditor = product.NewAuditor(postgres.New(r.pool), rpc.Index{Client: searchpb.NewSearchServiceClient(conn)})
	return r
}

// deliver carries every document to the index, as the pipeline does: version is the revision, and a conflict is no failure.
func (r road) deliver(t *testing.T) {
	t.Helper()
	rows, err := r.pool.Query(t.Context(), `select format(E'{"index":{"_id":"%s","version":%s,"version_type":"external"}}\n%s\n', product_id, revision, document)
		from products.catalog_documents`)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	r.bulk(t, strings.Join(lines, ""))
}

func (r road) bulk(t *testing.T, body string) {
	t.Helper()
	res, err := r.es.Bulk(strings.NewReader(body), r.es.Bulk.WithIndex(r.name), r.es.Bulk.WithRefresh("true"))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil || res.IsError() || strings.Contains(strings.ReplaceAll(string(answer), "version_conflict_engine_exception", ""), `"mapper`) {
		t.Fatalf("bulk: %v %.500s", err, answer)
	}
}

func (r road) audited(t *testing.T, repair bool, want string) {
	t.Helper()
	audit, err := r.auditor.Audit(t.Context(), 1000, "", repair)
	if err != nil {
		t.Fatal(err)
	}
	var findings []string
	for _, f := range audit.Findings {
		findings = append(findings, fmt.Sprintf("%s %s", f.Kind, f.ProductID))
	}
	if got := fmt.Sprintf("%d; %s; %d; %d", audit.Checked, strings.Join(findings, ", "), audit.InFlight, audit.Repaired); got != want {
		t.Errorf("audit %s, want %s", got, want)
	}
}

// What PostgreSQL keeps, and Elasticsearch gives back, is the same to the audit as long as it is the same.
func TestAuditOfElasticsearch(t *testing.T) {
	defer product.Hasten()()
	r := newRoad(t)
	for _, id := range []string{"lemons", "limes", "gone", "jam", "figs"} {
		r.create(t, id, `{"name": "Crème & <Jam> \u2028 \"`+id+`\"", "description": "½ 'x' \\ / 🍋", "tags": ["vegan", "new"], "tax_rate_bps": 2000}`)
	}
	r.exec(t, `insert into products.availability values ('lemons', 'soho', true, 1, 1)`)
	r.must(t, "DELETE", "/v1/products/gone", r.merchandiser, "")
	r.deliver(t)
	r.audited(t, true, "5; ; 0; 0")

	// Under its own version: by default a deletion takes the next one, and would outrank the first repair for a minute.
	d := r.es.Delete
	res, err := d(r.name, "lemons", d.WithRefresh("true"), d.WithVersion(2), d.WithVersionType("external_gte"))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	r.bulk(t, `{"index":{"_id":"limes","version":1,"version_type":"external_gte"}}
{"product_id":"limes","revision":1,"deleted":false,"name":"Limes of another hand"}
{"index":{"_id":"gone","version":2,"version_type":"external_gte"}}
{"product_id":"gone","revision":2,"deleted":false,"status":"active","name":"Back"}
{"index":{"_id":"nobodys"}}
{"product_id":"nobodys","revision":1,"deleted":false}
`)
	r.exec(t, `update products.catalog_documents set document = document || '{"price": 1}' where product_id = 'jam'`)
	r.audited(t, true, "6; stale gone, miscomputed jam, missing lemons, stale limes, extra nobodys; 0; 4")
	r.deliver(t)
	r.audited(t, true, "6; extra nobodys; 0; 0")
}
