package product_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	productpb "larder.dev/api/product/v1"
	"larder.dev/internal/document"
	"larder.dev/internal/fault"
	"larder.dev/internal/product"
)

// index stands for the search service, at the interface that the audit has of it.
type index struct {
	mu        sync.Mutex
	documents map[string]product.Indexed
	away      error
	// meanwhile runs before each question after the first.
	meanwhile func()
	asked     int
}

// Documents implements product.Index.
func (x *index) Documents(_ context.Context, after, until string, limit int) ([]product.Indexed, error) {
	x.mu.Lock()
	x.asked++
	if x.asked > 1 && x.meanwhile != nil {
		x.meanwhile()
	}
	defer x.mu.Unlock()
	var found []product.Indexed
	for _, id := range slices.Sorted(maps.Keys(x.documents)) {
		if id > after && (until == "" || id <= until) && len(found) < limit {
			found = append(found, x.documents[id])
		}
	}
	return found, x.away
}

// deliver brings the catalogue's documents into the index, as the pipeline does: an older revision never wins.
func (r *rig) deliver(t *testing.T) {
	t.Helper()
	rows, err := r.pool.Query(t.Context(), `select product_id, revision, deleted, document from products.catalog_documents`)
	if err != nil {
		t.Fatal(err)
	}
	_, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (d product.Indexed, err error) {
		var text []byte
		if err := row.Scan(&d.ProductID, &d.Revision, &d.Deleted, &text); err != nil {
			return d, err
		}
		if d.Checksum, err = document.Checksum(text); err == nil && d.Revision > r.index.documents[d.ProductID].Revision {
			r.index.documents[d.ProductID] = d
		}
		return d, err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// change changes what the index holds of a product.
func (x *index) change(id string, change func(*product.Indexed)) {
	d := x.documents[id]
	d.ProductID = id
	change(&d)
	x.documents[id] = d
}

// told is an audit in one line: "checked; findings; in flight; repaired; whether there is more".
func told(a *productpb.AuditIndexResponse) string {
	var findings []string
	for _, f := range a.GetFindings() {
		findings = append(findings, fmt.Sprintf("%s %s %d/%d", f.GetKind(), f.GetProductId(), f.GetRevision(), f.GetIndexedRevision()))
	}
	return fmt.Sprintf("%d; %s; %d; %d; %t", a.GetChecked(), strings.Join(findings, ", "), a.GetInFlight(), a.GetRepaired(), a.GetNextPageToken() != "")
}

func (r *rig) audit(t *testing.T, want string, request *productpb.AuditIndexRequest) *productpb.AuditIndexResponse {
	t.Helper()
	r.index.mu.Lock()
	r.index.asked = 0
	r.index.mu.Unlock()
	got, err := r.as(t, "auditindex").AuditIndex(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	if text := told(got); text != want {
		t.Errorf("audit\n %s, want\n %s", text, want)
	}
	return got
}

func TestAuditFindsAndRepairs(t *testing.T) {
	defer product.Hasten()()
	r := newRig(t)
	for _, id := range []string{"content", "dropped", "fine", "lagging", "miscomputed", "newer", "removed", "resurrected", "spoilt", "unkept", "vanished"} {
		r.create(t, id, "")
	}
	for _, id := range []string{"removed", "resurrected"} {
		r.must(t, "DELETE", "/v1/products/"+id, r.merchandiser, "")
	}
	r.deliver(t)
	r.audit(t, "11; ; 0; 0; false", &productpb.AuditIndexRequest{})

	delete(r.index.documents, "dropped")
	delete(r.index.documents, "removed") // deleted, and forgotten: as good as marked deleted
	r.index.change("content", func(d *product.Indexed) { d.Checksum = strings.Repeat("0", 64) })
	r.index.change("lagging", func(d *product.Indexed) { d.Revision = 0 })
	r.index.change("newer", func(d *product.Indexed) { d.Revision = 7 })
	r.index.change("resurrected", func(d *product.Indexed) { d.Revision, d.Deleted, d.Checksum = 1, false, strings.Repeat("0", 64) })
	r.index.change("extra", func(d *product.Indexed) { d.Revision = 4 })
	r.index.change("zz-extra", func(d *product.Indexed) { d.Revision = 4 }) // behind the last product
	r.index.change("zz-gone", func(d *product.Indexed) { d.Revision, d.Deleted = 4, true })
	r.exec(t, `update products.catalog_documents set document = document || '{"name": "Other"}' where product_id = 'miscomputed'`)
	// Everything that is kept says the same wrong thing, and the index too.
	r.exec(t, `update products.catalog_documents set document = document || '{"price": 1}', checksum = products.checksum(document - 'revision' || '{"price": 1}'),
		revision = revision + 1 where product_id = 'spoilt'`)
	r.exec(t, `update products.catalog_documents set document = document || jsonb_build_object('revision', revision) where product_id = 'spoilt'`)
	r.exec(t, `delete from products.catalog_documents where product_id = 'unkept'`)
	r.exec(t, `update products.catalog_documents set document = '"none"' where product_id = 'vanished'`)

	const found = "STALE content 1/1, MISSING dropped 1/0, EXTRA extra 0/4, STALE lagging 1/0, MISCOMPUTED miscomputed 1/1, STALE newer 1/7, " +
		"STALE resurrected 2/1, MISCOMPUTED spoilt 2/1, MISCOMPUTED unkept 0/1, MISCOMPUTED vanished 1/1, EXTRA zz-extra 0/4"
	r.audit(t, "14; "+found+"; 0; 0; false", &productpb.AuditIndexRequest{})
	if n := r.count(t, `select count(*) from products.catalog_documents where revision > 2`); n != 0 {
		t.Errorf("an audit that doesn't repair has changed %d documents", n)
	}
	r.audit(t, "14; "+found+"; 0; 8; false", &productpb.AuditIndexRequest{Repair: true})
	r.deliver(t)
	r.audit(t, "14; EXTRA extra 0/4, STALE newer 1/7, EXTRA zz-extra 0/4; 0; 0; false", &productpb.AuditIndexRequest{Repair: true})

	// A repair sends documents, and changes nothing that people see.
	if version := r.count(t, `select version from products.products where product_id = 'spoilt'`); version != 1 {
		t.Errorf("a repair made the product's version %d", version)
	}
}

func TestAuditPages(t *testing.T) {
	defer product.Hasten()()
	r := newRig(t)
	for i := range 5 {
		r.create(t, fmt.Sprintf("p-%d", i), "")
	}
	r.create(t, "p1", "") // bytewise behind p-4, in a language's order perhaps not
	r.deliver(t)
	for _, id := range []string{"p-1a", "p-1b", "p-1c", "p-1d", "p-1e", "q"} { // more than a range takes
		r.index.change(id, func(d *product.Indexed) { d.Revision = 1 })
	}
	delete(r.index.documents, "p-4")

	for _, size := range []int32{1, 2, 3, 4, 6, 12, 1000} {
		var found []string
		checked, pages := 0, 0
		for token := ""; ; {
			page, err := r.as(t, "auditindex").AuditIndex(t.Context(), &productpb.AuditIndexRequest{PageSize: size, PageToken: token})
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range page.GetFindings() {
				found = append(found, f.GetKind().String()+" "+f.GetProductId())
			}
			checked += int(page.GetChecked())
			if page.GetChecked() > 2*size {
				t.Errorf("a page of %d has %d documents", size, page.GetChecked())
			}
			if pages++; pages > 20 {
				t.Fatal("paging doesn't end")
			}
			if token = page.GetNextPageToken(); token == "" {
				break
			}
		}
		want := "EXTRA p-1a, EXTRA p-1b, EXTRA p-1c, EXTRA p-1d, EXTRA p-1e, MISSING p-4, EXTRA q"
		if got := strings.Join(found, ", "); got != want || checked != 12 {
			t.Errorf("pages of %d: %d checked, %s, want 12, %s", size, checked, got, want)
		}
	}
}

// What is on its way when the audit looks first is no finding.
func TestAuditKnowsWhatIsInFlight(t *testing.T) {
	defer product.Hasten()()
	r := newRig(t)
	for _, id := range []string{"busy", "fresh", "lemons"} {
		r.create(t, id, "")
	}
	r.deliver(t)

	r.create(t, "new", "")
	r.must(t, "DELETE", "/v1/products/fresh", r.merchandiser, "")
	r.index.meanwhile = func() { r.deliver(t) }
	r.audit(t, "4; ; 2; 0; false", &productpb.AuditIndexRequest{Repair: true})

	// A product that is changed all the time, and whose changes don't arrive: the next audit will tell.
	r.index.meanwhile = func() { r.exec(t, `update products.products set name = name || '!' where product_id = 'busy'`) }
	r.exec(t, `update products.products set name = 'Busy' where product_id = 'busy'`)
	r.audit(t, "4; ; 1; 0; false", &productpb.AuditIndexRequest{Repair: true})
	r.index.meanwhile = nil
	r.audit(t, "4; STALE busy 3/1; 0; 0; false", &productpb.AuditIndexRequest{})
	r.deliver(t)

	// A price that begins now: its activation is still to come. If it doesn't come, it is a fault.
	r.exec(t, `alter table products.prices disable trigger user`)
	r.exec(t, `update products.prices set valid_from = now() - interval '1 day'`)
	r.exec(t, `insert into products.prices (product_id, minor_units, valid_from) values ('lemons', 1, now() - interval '1 second')`)
	r.exec(t, `alter table products.prices enable trigger user`)
	r.exec(t, `insert into products.price_activations (product_id, moment) values ('lemons', now() - interval '1 second')`)
	r.audit(t, "4; ; 1; 0; false", &productpb.AuditIndexRequest{Repair: true})
	r.exec(t, `update products.price_activations set moment = moment - interval '2 minutes'`)
	r.audit(t, "4; MISCOMPUTED lemons 1/1; 0; 1; false", &productpb.AuditIndexRequest{Repair: true})
	r.deliver(t)
	r.audit(t, "4; ; 0; 0; false", &productpb.AuditIndexRequest{})
}

func TestAuditsCallers(t *testing.T) {
	defer product.Hasten()()
	r := newRig(t)
	r.create(t, "lemons", "")
	r.create(t, "limes", "")
	for _, token := range []string{r.merchandiser, r.operator} {
		got := r.must(t, "POST", "/v1/products:audit", token, `{"page_size": 1}`)
		if got["checked"] != 1.0 || got["next_page_token"] == "" || len(got["findings"].([]any)) != 1 {
			t.Errorf("audit %v", got)
		}
	}
	list := r.must(t, "GET", "/v1/products?page_size=1", "", "")["next_page_token"]
	for _, c := range []struct {
		token, body string
		status      int
		refusal     string
	}{
		{"", `{}`, 401, "UNAUTHENTICATED"},
		{r.shopper, `{}`, 403, "PERMISSION_DENIED"},
		{r.expired, `{}`, 401, "TOKEN_EXPIRED"},
		{r.operator, `{"page_size": 1001}`, 400, "INVALID_ARGUMENT page_size"},
		{r.operator, `{"page_size": -1}`, 400, "INVALID_ARGUMENT page_size"},
		{r.operator, `{"page_token": "junk"}`, 400, "INVALID_PAGE_TOKEN page_token"},
		{r.operator, fmt.Sprintf(`{"page_token": %q}`, list), 400, "INVALID_PAGE_TOKEN page_token"}, // of another list
		{r.operator, `{"repair": "yes"}`, 400, "INVALID_ARGUMENT repair"},
		{r.operator, `{"product_id": "lemons"}`, 400, "INVALID_ARGUMENT product_id"},
	} {
		got := r.call(t, "POST", "/v1/products:audit", c.token, c.body)
		if refusal := got.refusal(t); got.status != c.status || refusal != c.refusal {
			t.Errorf("audit %s:\n %d %s, want\n %d %s", c.body, got.status, refusal, c.status, c.refusal)
		}
	}
	if _, err := r.client.AuditIndex(t.Context(), &productpb.AuditIndexRequest{}); !fault.Is(err, fault.PermissionDenied) {
		t.Errorf("as checkout: %v", err)
	}
	r.hidden(t)

	r.index.away = status.Error(codes.Unavailable, "no search")
	if got := r.call(t, "POST", "/v1/products:audit", r.operator, `{}`); got.status != http.StatusServiceUnavailable || got.refusal(t) != "UNAVAILABLE" {
		t.Errorf("without search: %d %s", got.status, got.text)
	}
}
