package product_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/types/known/timestamppb"

	productpb "larder.dev/api/product/v1"
	"larder.dev/internal/product"
)

// A report is kept once, the newest is told first, and one that is a week old goes when another comes.
func TestIndexAuditsAreKept(t *testing.T) {
	r := newRig(t)
	function := r.as(t, "auditindex")
	now := time.Now()
	keep := func(ago time.Duration, findings int64) string {
		t.Helper()
		id := uuid.NewString()
		for range 2 {
			_, err := function.RecordIndexAudit(t.Context(), &productpb.RecordIndexAuditRequest{Audit: &productpb.IndexAudit{
				AuditId: id, StartTime: timestamppb.New(now.Add(-ago - time.Second)), EndTime: timestamppb.New(now.Add(-ago)),
				Checked: 500, Findings: findings, LagMs: 700,
			}})
			if err != nil {
				t.Fatal(err)
			}
		}
		return id
	}
	keep(8*24*time.Hour, 9)
	older, newer := keep(time.Hour, 1), keep(time.Minute, 0)
	// One that runs is told of, with what it said last; what comes late, after its end, changes nothing.
	id := uuid.NewString()
	tell := func(checked int64, running bool) {
		t.Helper()
		_, err := function.RecordIndexAudit(t.Context(), &productpb.RecordIndexAuditRequest{Audit: &productpb.IndexAudit{
			AuditId: id, StartTime: timestamppb.New(now.Add(-2 * time.Hour)), EndTime: timestamppb.New(now.Add(-2*time.Hour + time.Duration(checked)*time.Millisecond)),
			Checked: checked, Documents: 1000, Running: running,
		}})
		if err != nil {
			t.Fatal(err)
		}
	}
	told := func() string {
		t.Helper()
		audits, _ := r.must(t, http.MethodGet, "/v1/products:audits?page_size=10", r.operator, "")["audits"].([]any)
		last, _ := audits[len(audits)-1].(map[string]any)
		return fmt.Sprint(last["checked"], " of ", last["documents"], " ", last["running"])
	}
	for _, step := range []struct {
		checked int64
		running bool
		want    string
	}{{500, true, "500 of 1000 true"}, {900, true, "900 of 1000 true"}, {1000, false, "1000 of 1000 false"}, {900, true, "1000 of 1000 false"}} {
		if tell(step.checked, step.running); told() != step.want {
			t.Errorf("after %d, running %v: %s, want %s", step.checked, step.running, told(), step.want)
		}
	}
	if _, err := r.pool.Exec(t.Context(), "delete from products.index_audits where audit_id = $1", id); err != nil {
		t.Fatal(err)
	}
	body := r.must(t, http.MethodGet, "/v1/products:audits?page_size=10", r.operator, "")
	audits, _ := body["audits"].([]any)
	if len(audits) != 2 {
		t.Fatalf("%v, want two", audits)
	}
	for i, want := range []string{newer, older} {
		if got, _ := audits[i].(map[string]any); got["audit_id"] != want || got["lag_ms"] != "700" {
			t.Errorf("audit %d is %v, want %s", i, got, want)
		}
	}
	if a := r.call(t, http.MethodGet, "/v1/products:audits", r.shopper, ""); a.status != http.StatusForbidden {
		t.Errorf("a shopper: %d", a.status)
	}
}

// What comes into the index while an audit looks on is in flight, and tells the lag.
func TestAuditMeasuresLag(t *testing.T) {
	r := newRig(t)
	r.create(t, "late", "")
	r.deliver(t)
	late := r.index.documents["late"]
	r.index.change("late", func(d *product.Indexed) { d.Revision-- })
	looks := 0
	r.index.meanwhile = func() {
		if looks++; looks == 2 {
			r.index.documents["late"] = late
		}
	}
	body := r.must(t, http.MethodPost, "/v1/products:audit", r.operator, `{}`)
	var lag time.Duration
	if text, ok := body["lag_ms"].(string); ok {
		lag, _ = time.ParseDuration(text + "ms")
	}
	if body["in_flight"] != 1.0 || lag < 400*time.Millisecond {
		t.Errorf("%v, want one in flight and its lag, two looks long", body)
	}
}
