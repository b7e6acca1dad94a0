package product_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/timestamppb"

	productpb "larder.dev/api/product/v1"
	typepb "larder.dev/api/type/v1"
	"larder.dev/internal/fault"
)

// planned is a request's body; an empty end: none.
func planned(store string, start time.Time, end string, minor int64) string {
	body := fmt.Sprintf(`{"store_id": %q, "price": {"currency": "GBP", "minor_units": %d}, "start_time": %q`, store, minor, start.Format(time.RFC3339Nano))
	if end != "" {
		body += fmt.Sprintf(`, "end_time": %q`, end)
	}
	return body + "}"
}

// prices lists a product's prices: "store amount from to", times in hours from a moment.
func (r *rig) prices(t *testing.T, id string, from time.Time) string {
	t.Helper()
	var lines []string
	for _, p := range r.must(t, "GET", "/v1/products/"+id+"/prices", r.merchandiser, "")["prices"].([]any) {
		p := p.(map[string]any)
		line := fmt.Sprintf("%v %v", p["store_id"], p["price"].(map[string]any)["minor_units"])
		for _, field := range []string{"start_time", "end_time"} {
			text, ok := p[field].(string)
			if !ok {
				continue
			}
			at, err := time.Parse(time.RFC3339Nano, text)
			if err != nil {
				t.Fatal(err)
			}
			line += fmt.Sprintf(" %+.0fh", at.Sub(from).Hours())
		}
		lines = append(lines, strings.TrimSpace(line))
	}
	return strings.Join(lines, ", ")
}

func TestPlannedPrices(t *testing.T) {
	r := newRig(t)
	r.create(t, "lemons", "")
	now := time.Now()
	r.exec(t, `update products.prices set valid_from = $1::timestamptz - interval '9 hours'`, now)
	start, end := now.Add(3*time.Hour), now.Add(5*time.Hour).Format(time.RFC3339Nano)

	plan := func(body string) map[string]any {
		t.Helper()
		return r.must(t, "POST", "/v1/products/lemons/prices", r.merchandiser, body)
	}
	first := plan(planned("", start, "", 99))
	if at, err := time.Parse(time.RFC3339Nano, fmt.Sprint(first["start_time"])); err != nil || !at.Equal(start.Truncate(time.Microsecond)) || first["end_time"] != nil {
		t.Errorf("planned %v (%v), want it from %v", first, err, start)
	}
	plan(planned("soho", start, end, 89))
	plan(planned("soho", now.Add(-30*time.Second), "", 110)) // "now" by a clock that is late
	plan(planned("camden", start, "", 95))
	plan(planned("", now.Add(9*time.Hour), "", 120))

	// The same again is no other price.
	for range 3 {
		if again := plan(planned("", start, "", 99)); fmt.Sprint(again) != fmt.Sprint(first) {
			t.Errorf("planned again: %v, want %v", again, first)
		}
	}
	var rows int
	if err := r.pool.QueryRow(t.Context(), `select count(*) from products.prices`).Scan(&rows); err != nil || rows != 6 {
		t.Errorf("%d prices, want 6; %v", rows, err)
	}

	if got, want := r.prices(t, "lemons", now), "120 -9h, 99 +3h, 120 +9h, camden 95 +3h, soho 110 -0h, soho 89 +3h +5h"; got != want {
		t.Errorf("prices\n %s, want\n %s", got, want)
	}

	// What is over is gone from the list, and what has been replaced for good; what comes back later is still there.
	r.exec(t, `delete from products.prices; delete from products.price_activations`)
	r.exec(t, `insert into products.prices (product_id, store_id, minor_units, valid_from, valid_to) values
		('lemons', null, 1, $1::timestamptz - interval '9 hours', null),
		('lemons', null, 2, $1::timestamptz - interval '8 hours', $1::timestamptz + interval '1 hour'),
		('lemons', null, 3, $1::timestamptz - interval '7 hours', $1::timestamptz - interval '1 hour'),
		('lemons', null, 4, $1::timestamptz - interval '6 hours', $1::timestamptz + interval '2 hours'),
		('lemons', 'soho', 5, $1::timestamptz - interval '5 hours', null),
		('lemons', 'soho', 6, $1::timestamptz - interval '4 hours', null),
		('lemons', 'soho', 7, $1::timestamptz + interval '4 hours', null)`, now)
	if got, want := r.prices(t, "lemons", now), "1 -9h, 4 -6h +2h, soho 6 -4h, soho 7 +4h"; got != want {
		t.Errorf("prices\n %s, want\n %s", got, want)
	}

	// Who planned it is written down.
	var by string
	if err := r.pool.QueryRow(t.Context(), `select distinct changed_by from products.changes where table_name = 'prices' and after ->> 'minor_units' = '95'`).Scan(&by); err != nil || !strings.HasPrefix(by, "merchandiser:") {
		t.Errorf("planned by %q, %v", by, err)
	}
}

func TestPricesThatCannotBePlanned(t *testing.T) {
	r := newRig(t)
	r.create(t, "lemons", "")
	r.create(t, "gone", "")
	r.must(t, "DELETE", "/v1/products/gone", r.merchandiser, "")
	now, m := time.Now(), r.merchandiser
	soon := now.Add(time.Hour)
	r.must(t, "POST", "/v1/products/lemons/prices", m, planned("soho", soon, "", 100))
	at := func(d time.Duration) string { return now.Add(d).Format(time.RFC3339Nano) }
	for _, c := range []struct {
		product, token, body string
		status               int
		refusal              string
	}{
		{"lemons", "", planned("", soon, "", 1), 401, "UNAUTHENTICATED"},
		{"lemons", r.shopper, planned("", soon, "", 1), 403, "PERMISSION_DENIED"},
		{"lemons", r.operator, planned("", soon, "", 1), 403, "PERMISSION_DENIED"},
		{"unknown", m, planned("", soon, "", 1), 404, "PRODUCT_NOT_FOUND"},
		{"gone", m, planned("", soon, "", 1), 404, "PRODUCT_NOT_FOUND"},
		{"lemons", m, planned("mars", soon, "", 1), 404, "STORE_NOT_FOUND price.store_id"},
		{"lemons", m, planned("soho", soon, "", 101), 409, "PRICE_NOT_PLANNABLE price.start_time"},
		{"lemons", m, planned("soho", soon, at(2*time.Hour), 100), 409, "PRICE_NOT_PLANNABLE price.start_time"},
		{"lemons", m, planned("", now.Add(-2*time.Minute), "", 1), 400, "INVALID_ARGUMENT price.start_time"},
		{"lemons", m, planned("", soon, at(time.Hour), 1), 400, "INVALID_ARGUMENT price.end_time"},
		{"lemons", m, planned("", soon, at(time.Minute), 1), 400, "INVALID_ARGUMENT price.end_time"},
		{"lemons", m, planned("", soon, "", 0), 400, "INVALID_ARGUMENT price.price.minor_units"},
		{"lemons", m, planned("", soon, "", -1), 400, "INVALID_ARGUMENT price.price.minor_units"},
		{"lemons", m, planned("", soon, "", 100_000_000), 400, "INVALID_ARGUMENT price.price.minor_units"},
		{"lemons", m, strings.Replace(planned("", soon, "", 1), "GBP", "EUR", 1), 400, "INVALID_ARGUMENT price.price.currency"},
		{"lemons", m, planned("So ho", soon, "", 1), 400, "INVALID_ARGUMENT price.store_id"},
		{"LEMONS", m, planned("", soon, "", 1), 400, "INVALID_ARGUMENT product_id"},
		{"lemons", m, `{"start_time": "tomorrow"}`, 400, "INVALID_ARGUMENT body"},
		{"lemons", m, `{"price": {"currency": "GBP", "minor_units": 1}}`, 400, "INVALID_ARGUMENT price.start_time"},
		{"lemons", m, `{"start_time": "2099-01-01T00:00:00Z"}`, 400, "INVALID_ARGUMENT price.price"},
		{"lemons", m, `{"colour": "green"}`, 400, "INVALID_ARGUMENT colour"},
		{"lemons", m, ``, 400, "INVALID_ARGUMENT price.price price.start_time"},
	} {
		got := r.call(t, "POST", "/v1/products/"+c.product+"/prices", c.token, c.body)
		if refusal := got.refusal(t); got.status != c.status || refusal != c.refusal {
			t.Errorf("%s %s:\n %d %s, want\n %d %s", c.product, c.body, got.status, refusal, c.status, c.refusal)
		}
	}
	for path, want := range map[string]string{"unknown": "404 PRODUCT_NOT_FOUND", "gone": "404 PRODUCT_NOT_FOUND", "UP": "400 INVALID_ARGUMENT product_id"} {
		got := r.call(t, "GET", "/v1/products/"+path+"/prices", m, "")
		if told := fmt.Sprint(got.status, " ", got.refusal(t)); told != want {
			t.Errorf("prices of %s: %s, want %s", path, told, want)
		}
	}
	if got := r.call(t, "GET", "/v1/products/lemons/prices", r.shopper, ""); got.status != http.StatusForbidden {
		t.Errorf("a shopper lists planned prices: %d", got.status)
	}
	r.hidden(t)
}

func TestFunctionsInputIsChecked(t *testing.T) {
	r := newRig(t)
	activate, popularity := r.as(t, "activateprices"), r.as(t, "updatepopularity")
	ctx := t.Context()
	price := func(from int64) *productpb.PlannedPrice {
		return &productpb.PlannedPrice{Price: &typepb.Money{Currency: "GBP", MinorUnits: 1}, StartTime: &timestamppb.Timestamp{Seconds: from}}
	}
	one := []*productpb.Popularity{{ProductId: "lemons", Popularity: 1}}
	for name, c := range map[string]struct {
		call func() error
		want fault.Reason
	}{
		"activation by another function": {func() error {
			_, err := popularity.ActivatePrices(ctx, &productpb.ActivatePricesRequest{})
			return err
		}, fault.PermissionDenied},
		"activation of too many": {func() error {
			_, err := activate.ActivatePrices(ctx, &productpb.ActivatePricesRequest{Limit: 5001})
			return err
		}, fault.InvalidArgument},
		"popularity by another function": {func() error {
			_, err := activate.UpdatePopularity(ctx, &productpb.UpdatePopularityRequest{Products: one})
			return err
		}, fault.PermissionDenied},
		"popularity of nothing": {func() error {
			_, err := popularity.UpdatePopularity(ctx, &productpb.UpdatePopularityRequest{})
			return err
		}, fault.InvalidArgument},
		"popularity too great": {func() error {
			_, err := popularity.UpdatePopularity(ctx, &productpb.UpdatePopularityRequest{Products: []*productpb.Popularity{{ProductId: "lemons", Popularity: 1001}}})
			return err
		}, fault.InvalidArgument},
		"a price by a function": {func() error {
			_, err := activate.PlanPrice(ctx, &productpb.PlanPriceRequest{ProductId: "lemons", Price: price(0)})
			return err
		}, fault.PermissionDenied},
		"a price from no time of ours": {func() error {
			person := metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+r.merchandiser)
			_, err := r.client.PlanPrice(person, &productpb.PlanPriceRequest{ProductId: "lemons", Price: price(1 << 60)})
			return err
		}, fault.InvalidArgument},
	} {
		if err := c.call(); !fault.Is(err, c.want) {
			t.Errorf("%s: %v, want %s", name, err, c.want.Name)
		}
	}
}

func TestPlannedPricesTakenBack(t *testing.T) {
	r := newRig(t)
	r.create(t, "lemons", "")
	soon := time.Now().Add(time.Hour)
	at := func(store string, start time.Time) string {
		return "/v1/products/lemons/prices?" + url.Values{"store_id": {store}, "start_time": {start.UTC().Format(time.RFC3339Nano)}}.Encode()
	}
	for _, store := range []string{"", "soho"} {
		r.must(t, "POST", "/v1/products/lemons/prices", r.merchandiser, planned(store, soon, "", 99))
	}
	document := r.text(t, `select document::text from products.catalog_documents`)
	r.must(t, "DELETE", at("soho", soon), r.merchandiser, "")
	if n := r.count(t, `select count(*) from products.prices where valid_from > now() and store_id is null`); n != 1 {
		t.Errorf("%d everyday prices are planned", n)
	}
	if n := r.count(t, `select count(*) from products.prices where store_id = 'soho'`); n != 0 {
		t.Errorf("%d prices of the store are left", n)
	}
	r.must(t, "DELETE", at("", soon), r.merchandiser, "")
	if got := r.text(t, `select document::text from products.catalog_documents`); got != document {
		t.Errorf("the document was\n %s, and is\n %s", document, got)
	}
	if got := r.changes(t, "product_id=lemons")[0]; !strings.HasPrefix(got, "merchandiser delete prices minor_units:99><nil>") {
		t.Errorf("the last change is %s", got)
	}

	begun, err := time.Parse(time.RFC3339Nano, r.text(t, `select to_char(valid_from, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') from products.prices`))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ path, token, want string }{
		{at("soho", soon), r.merchandiser, "PRICE_NOT_FOUND"},
		{at("", begun), r.merchandiser, "PRICE_BEGUN"},
		{at("soho", begun), r.merchandiser, "PRICE_NOT_FOUND"},
		{strings.Replace(at("", soon), "lemons", "unknown", 1), r.merchandiser, "PRODUCT_NOT_FOUND"},
		{"/v1/products/lemons/prices", r.merchandiser, "INVALID_ARGUMENT start_time"},
		{"/v1/products/lemons/prices?start_time=soon", r.merchandiser, "INVALID_ARGUMENT start_time"},
		{at("So ho", soon), r.merchandiser, "INVALID_ARGUMENT store_id"},
		{at("", begun), r.operator, "PERMISSION_DENIED"},
		{at("", begun), "", "UNAUTHENTICATED"},
	} {
		if got := r.call(t, http.MethodDelete, c.path, c.token, ""); got.refusal(t) != c.want {
			t.Errorf("%s: %d %s, want %s", c.path, got.status, got.text, c.want)
		}
	}
	if n := r.count(t, `select count(*) from products.prices`); n != 1 {
		t.Errorf("%d prices are left, want the one in force", n)
	}
}

func TestPopularity(t *testing.T) {
	r := newRig(t)
	for _, id := range []string{"lemons", "limes", "gone"} {
		r.create(t, id, "")
	}
	r.must(t, "DELETE", "/v1/products/gone", r.merchandiser, "")
	before := r.must(t, "GET", "/v1/products/lemons", "", "")
	changes := r.count(t, `select count(*) from products.changes`)
	counter := r.as(t, "updatepopularity")
	popular := func(words ...any) int32 {
		t.Helper()
		request := &productpb.UpdatePopularityRequest{}
		for i := 0; i < len(words); i += 2 {
			request.Products = append(request.Products, &productpb.Popularity{ProductId: words[i].(string), Popularity: int32(words[i+1].(int))})
		}
		answer, err := counter.UpdatePopularity(t.Context(), request)
		if err != nil {
			t.Fatal(err)
		}
		return answer.GetChanged()
	}
	revisions := func() string {
		return r.text(t, `select string_agg(product_id || ' ' || revision || ' ' || coalesce(document ->> 'popularity', '-'), ', ' order by product_id) from products.catalog_documents`)
	}
	if n := popular("limes", 7, "lemons", 1000, "unknown", 5, "gone", 5); n != 2 {
		t.Errorf("%d changed, want 2", n)
	}
	if got, want := revisions(), "gone 2 -, lemons 2 1000, limes 2 7"; got != want {
		t.Errorf("documents %s, want %s", got, want)
	}
	if n := popular("limes", 7, "lemons", 1000); n != 0 {
		t.Errorf("%d changed by the same again", n)
	}
	if n := popular("limes", 9, "lemons", 1000, "limes", 0); n != 1 { // the last word counts
		t.Errorf("%d changed, want 1", n)
	}
	if got, want := revisions(), "gone 2 -, lemons 2 1000, limes 3 0"; got != want {
		t.Errorf("documents %s, want %s", got, want)
	}

	// It comes between nobody and their change, and isn't in the audit trail; another change with it is.
	after := r.must(t, "GET", "/v1/products/lemons", "", "")
	if after["etag"] != before["etag"] || after["update_time"] != before["update_time"] {
		t.Errorf("popularity changed the etag or the time: %v, before %v", after, before)
	}
	if n := r.count(t, `select count(*) from products.changes`); n != changes {
		t.Errorf("%d changes recorded", n-changes)
	}
	r.exec(t, `update products.products set popularity = 1, size = '4 pack' where product_id = 'lemons'`)
	if got := r.text(t, `select after::text from products.changes order by change_id desc limit 1`); got != `{"size": "4 pack"}` {
		t.Errorf("recorded %s", got)
	}
	if now := r.must(t, "GET", "/v1/products/lemons", "", "")["etag"]; now == before["etag"] {
		t.Error("the etag is the same after a change of popularity and size")
	}
}

func (r *rig) text(t *testing.T, sql string, args ...any) (text string) {
	t.Helper()
	if err := r.pool.QueryRow(t.Context(), sql, args...).Scan(&text); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return text
}

func (r *rig) count(t *testing.T, sql string, args ...any) (n int) {
	t.Helper()
	if err := r.pool.QueryRow(t.Context(), sql, args...).Scan(&n); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return n
}
