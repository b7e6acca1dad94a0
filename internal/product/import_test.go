package product_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"larder.dev/internal/fault"
	"larder.dev/internal/product"
)

const (
	ndjson    = "application/x-ndjson"
	csvFormat = "text/csv"
)

// upload sends a file as an import.
func (r *rig) upload(t *testing.T, key, format, token string, file io.Reader) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.url+"/v1/products:import", file)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{"Content-Type": format, "Idempotency-Key": key} {
		if value != "" {
			req.Header.Set(name, value)
		}
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answered = append(r.answered, string(text))
	return answer{res.StatusCode, string(text)}
}

// stand is an import as it is answered.
type stand struct {
	State                                      string
	Lines, Created, Changed, Unchanged, Failed int64 `json:",string"`
	Errors                                     []lineError
}

type lineError struct {
	Line                       int64 `json:",string"`
	Field, Reason, Description string
}

func (a answer) stand(t *testing.T) stand {
	t.Helper()
	var s stand
	if err := json.Unmarshal([]byte(a.text), &s); err != nil || a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.text)
	}
	return s
}

// counts is a stand without its errors' text: "DONE 5 lines, 1 created, 2 changed, 1 unchanged, 1 failed".
func (s stand) counts() string {
	return fmt.Sprintf("%s %d lines, %d created, %d changed, %d unchanged, %d failed", s.State, s.Lines, s.Created, s.Changed, s.Unchanged, s.Failed)
}

// traces is what a change leaves: products' versions, documents' revisions, the number of entries in the audit trail.
func (r *rig) traces(t *testing.T) string {
	t.Helper()
	var text string
	err := r.pool.QueryRow(t.Context(), `select concat(
		(select jsonb_object_agg(product_id, version) from products.products), (select jsonb_object_agg(product_id, revision) from products.catalog_documents),
		(select count(*) from products.changes), (select count(*) from products.prices))`).Scan(&text)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// sound checks that each kept document is what the tables give.
func (r *rig) sound(t *testing.T) {
	t.Helper()
	var spoilt int
	err := r.pool.QueryRow(t.Context(), `select count(*) from products.catalog_documents d
		where d.document - 'revision' is distinct from products.compute_document(d.product_id) or d.checksum <> products.checksum(d.document - 'revision')`).Scan(&spoilt)
	if err != nil || spoilt > 0 {
		t.Errorf("%d documents aren't what the tables give, %v", spoilt, err)
	}
}

func line(id, more string) string {
	return fmt.Sprintf(`{"product_id":%q,"name":"Name of %s","category_id":"citrus","price":{"currency":"GBP","minor_units":120}%s}`, id, id, more) + "\n"
}

func TestImport(t *testing.T) {
	r := newRig(t)
	r.create(t, "lemons", `{"description": "Sour", "store_ids": ["soho"]}`)
	r.create(t, "limes", ``)
	whole := `{"product_id":"oranges","name":"Oranges","brand_id":"greenlatch","category_id":"citrus","description":"Sweet","size":"5 pack","gtin":"50123452",` +
		`"tags":["vegan","organic"],"image_uri":"/images/oranges.webp","status":"ACTIVE","price":{"currency":"GBP","minor_units":199},"tax_rate_bps":0,` +
		`"cost":{"currency":"GBP","minor_units":` + cost + `},"store_ids":["camden"],"max_per_shopper":3,"family_id":"orange","more_image_uris":["/images/oranges-2.webp","https://cdn.example/o.webp"]}` + "\n"
	file := whole + line("pomelos", "") + "\n" +
		line("lemons", `,"brand_id":"hollinbeck","description":"Very sour"`) +
		line("limes", `,"brand_id":"greenlatch","status":"ACTIVE","brand":"read, not written","etag":"x"`)

	got := r.upload(t, "spring-range", ndjson, r.merchandiser, strings.NewReader(file)).stand(t)
	if want := "DONE 5 lines, 2 created, 1 changed, 1 unchanged, 0 failed"; got.counts() != want {
		t.Fatalf("%s, want %s: %v", got.counts(), want, got.Errors)
	}
	oranges := r.must(t, http.MethodGet, "/v1/products/oranges", "", "")
	for field, want := range map[string]any{
		"name": "Oranges", "brand": "Greenlatch", "description": "Sweet", "size": "5 pack", "gtin": "50123452", "tags": []any{"vegan", "organic"},
		"image_uri": "/images/oranges.webp", "status": "ACTIVE", "price": map[string]any{"currency": "GBP", "minor_units": "199"},
		"store_ids": []any{"camden"}, "max_per_shopper": 3.0, "family_id": "orange",
		"more_image_uris": []any{"/images/oranges-2.webp", "https://cdn.example/o.webp"},
	} {
		if !reflect.DeepEqual(oranges[field], want) {
			t.Errorf("oranges have %s %v, want %v", field, oranges[field], want)
		}
	}
	if pomelos := r.must(t, http.MethodGet, "/v1/products/pomelos", r.merchandiser, ""); pomelos["status"] != "DRAFT" ||
		!reflect.DeepEqual(pomelos["store_ids"], []any{"camden", "soho"}) {
		t.Errorf("a new product without status and stores is %v", pomelos)
	}
	lemons := r.must(t, http.MethodGet, "/v1/products/lemons", "", "")
	if lemons["status"] != "ACTIVE" || lemons["brand"] != "Hollinbeck" || lemons["description"] != "Very sour" || !reflect.DeepEqual(lemons["store_ids"], []any{"soho"}) {
		t.Errorf("what a line leaves out didn't stay, or what it says didn't come: %v", lemons)
	}
	var costs string
	if err := r.pool.QueryRow(t.Context(), `select string_agg(concat(product_id, ' ', cost), ', ' order by product_id) from products.products`).Scan(&costs); err != nil ||
		costs != "lemons 47119, limes 47119, oranges 47119, pomelos " {
		t.Errorf("costs %q, %v", costs, err)
	}
	var by string
	if err := r.pool.QueryRow(t.Context(), `select changed_by from products.changes where key ->> 'product_id' = 'oranges' limit 1`).Scan(&by); err != nil ||
		by != "merchandiser:7c0ff9a4-2b3b-4a6e-9a55-0d4f6f1f7a11" {
		t.Errorf("changed by %q, %v", by, err)
	}
	r.sound(t)

	// The same file again, by the same key, by another one, and as it is answered later.
	before := r.traces(t)
	if again := r.upload(t, "spring-range", ndjson, r.merchandiser, strings.NewReader(file)).stand(t); !reflect.DeepEqual(again, got) {
		t.Errorf("the same key answers %+v, before %+v", again, got)
	}
	if later := r.call(t, http.MethodGet, "/v1/imports/spring-range", r.merchandiser, "").stand(t); !reflect.DeepEqual(later, got) {
		t.Errorf("later the import is %+v, before %+v", later, got)
	}
	again := r.upload(t, "spring-range-2", ndjson, r.merchandiser, strings.NewReader(strings.ReplaceAll(file, "\n", "\r\n"))).stand(t)
	if want := "DONE 5 lines, 0 created, 0 changed, 4 unchanged, 0 failed"; again.counts() != want {
		t.Errorf("the same file by another key: %s, want %s", again.counts(), want)
	}
	if after := r.traces(t); after != before {
		t.Errorf("the same file left traces: %s, before %s", after, before)
	}

	// A price alone is a change, and only of the price.
	dearer := r.upload(t, "spring-range-3", ndjson, r.merchandiser, strings.NewReader(strings.ReplaceAll(file, `199`, `205`))).stand(t)
	if want := "DONE 5 lines, 0 created, 1 changed, 3 unchanged, 0 failed"; dearer.counts() != want {
		t.Errorf("one price more: %s, want %s", dearer.counts(), want)
	}
	if price := r.must(t, http.MethodGet, "/v1/products/oranges", "", "")["price"].(map[string]any)["minor_units"]; price != "205" {
		t.Errorf("the price is %v", price)
	}
	r.sound(t)
}

// Bad lines of every sort, among good ones: told with line and field, and the good ones go in.
func TestImportBadLines(t *testing.T) {
	r := newRig(t)
	r.create(t, "gone", "")
	r.must(t, http.MethodDelete, "/v1/products/gone", r.merchandiser, "")
	long := strings.Repeat("x", product.MaxLine)
	var file strings.Builder
	file.WriteString("\ufeff" + line("first", ""))
	var want []string
	for n, c := range []struct{ line, want string }{
		{`not JSON`, "INVALID_ARGUMENT body"},
		{`{"product_id":"cut-off","name":"Cut`, "INVALID_ARGUMENT body"},
		{`[1]`, "INVALID_ARGUMENT body"},
		{`null`, "INVALID_ARGUMENT body"},
		{line("two", "")[:len(line("two", ""))-1] + line("values", ""), "INVALID_ARGUMENT body"},
		{"{\"product_id\":\"\xff\"}", "INVALID_ARGUMENT body"},
		{line("a-1", `,"colour":"red"`), "INVALID_ARGUMENT colour"},
		{line("a-2", `,"`+long[:5000]+`":1`), "INVALID_ARGUMENT " + long[:100] + "..."},
		{line("a-3", `,"name":"twice"`), "INVALID_ARGUMENT name"},
		{line("a-4", `,"tax_rate_bps":"many"`), "INVALID_ARGUMENT tax_rate_bps"},
		{line("a-5", `,"status":"SOLD"`), "INVALID_ARGUMENT status"},
		{line("a-6", `,"description":"`+long+`"`), "REQUEST_TOO_LARGE body"},
		{line("a-7", `,"description":"`+long[:4001]+`"`), "INVALID_ARGUMENT description"},
		{line("UPPER", ""), "INVALID_ARGUMENT product_id"},
		{line("a-8", `,"tax_rate_bps":10001,"gtin":"123"`), "INVALID_ARGUMENT gtin|INVALID_ARGUMENT tax_rate_bps"},
		{line("a-9", `,"tags":["a","a"]`), "INVALID_ARGUMENT tags"},
		{line("a-10", `,"image_uri":"javascript:alert(1)"`), "INVALID_ARGUMENT image_uri"},
		{line("a-11", `,"size":"\u0000"`), "INVALID_ARGUMENT size"},
		{line("a-12", `,"cost":{"currency":"GBP","minor_units":-1}`), "INVALID_ARGUMENT cost.minor_units"},
		{line("a-13", `,"cost":{"currency":"EUR","minor_units":1}`), "INVALID_ARGUMENT cost.currency"},
		{line("a-14", `,"max_per_shopper":100`), "INVALID_ARGUMENT max_per_shopper"},
		{`{"product_id":"a-15","name":" ","category_id":"citrus","price":{"currency":"GBP","minor_units":0}}`, "INVALID_ARGUMENT name|INVALID_ARGUMENT price.minor_units"},
		{`{"product_id":"a-16","name":"x","category_id":"citrus"}`, "INVALID_ARGUMENT price"},
		{`{}`, "INVALID_ARGUMENT product_id|INVALID_ARGUMENT name|INVALID_ARGUMENT category_id|INVALID_ARGUMENT price"},
		{strings.Replace(line("a-17", `,"brand_id":"nobody","store_ids":["soho","mars"]`), "citrus", "nowhere", 1), "BRAND_NOT_FOUND brand_id|CATEGORY_NOT_FOUND category_id|STORE_NOT_FOUND store_ids"},
		{line("gone", ""), "ALREADY_EXISTS product_id"},
		{line("first", `,"size":"another"`), "INVALID_ARGUMENT product_id"},
	} {
		number := 2*n + 2
		file.WriteString(strings.TrimSuffix(c.line, "\n") + "\n" + line(fmt.Sprintf("good-%d", n), ""))
		for _, w := range strings.Split(c.want, "|") {
			want = append(want, fmt.Sprintf("%d %s", number, w))
		}
	}
	file.WriteString(line("last", "")[:20]) // a file that ends in the middle of a line
	want = append(want, fmt.Sprintf("%d INVALID_ARGUMENT body", strings.Count(file.String(), "\n")+1))

	s := r.upload(t, "bad-lines", ndjson, r.merchandiser, strings.NewReader(file.String())).stand(t)
	if counts := "DONE 56 lines, 28 created, 0 changed, 0 unchanged, 28 failed"; s.counts() != counts {
		t.Errorf("%s, want %s", s.counts(), counts)
	}
	var got []string
	for _, e := range s.Errors {
		got = append(got, fmt.Sprintf("%d %s %s", e.Line, e.Reason, e.Field))
		if _, known := fault.All()[e.Reason]; !known || e.Description == "" {
			t.Errorf("%+v has no known reason or no description", e)
		}
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("errors\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if first := r.must(t, http.MethodGet, "/v1/products/first", r.merchandiser, ""); first["size"] != "" {
		t.Errorf("of two lines the second counted: %v", first)
	}
	r.sound(t)
}

func TestImportCSV(t *testing.T) {
	r := newRig(t)
	const columns = "product_id,name,category_id,brand_id,tags,store_ids,status,price.minor_units,cost.minor_units,cost.currency,tax_rate_bps,max_per_shopper\n"
	file := "\xef\xbb\xbf" + strings.TrimSuffix(columns, "\n") + "\r\n" +
		`lemons,"Lemons, ""waxed""",citrus,greenlatch,vegan organic,soho,ACTIVE,120,47119,GBP,2000,4` + "\r\n" +
		"limes,Limes,citrus,,,,,99,,,,\r\n" +
		"\r\n" +
		"a-1,Few,citrus\n" +
		`a-2,"open,citrus,,,,,99,,,,` + "\n" +
		`a-3,ba"re,citrus,,,,,99,,,,` + "\n" +
		"a-4,Number,citrus,,,,SOLD,1.5,x,,many,-\n" +
		"a-5,No price,citrus,,,,,,,,,\n" +
		"a-6,\xff,citrus,,,,,99,,,,\n" +
		"a-7,Nowhere,nowhere,,,mars,,99,,,,\n" +
		"pomelos,Pomelos,citrus,,,,DRAFT,250,,GBP,,"
	s := r.upload(t, "a-csv-file", csvFormat+"; charset=utf-8", r.merchandiser, strings.NewReader(file)).stand(t)
	var got []string
	for _, e := range s.Errors {
		got = append(got, fmt.Sprintf("%d %s %s", e.Line, e.Reason, e.Field))
	}
	want := []string{
		"5 INVALID_ARGUMENT body", "6 INVALID_ARGUMENT body", "7 INVALID_ARGUMENT body",
		"8 INVALID_ARGUMENT status", "8 INVALID_ARGUMENT price.minor_units", "8 INVALID_ARGUMENT cost.minor_units",
		"8 INVALID_ARGUMENT tax_rate_bps", "8 INVALID_ARGUMENT max_per_shopper", "9 INVALID_ARGUMENT price", "10 INVALID_ARGUMENT body",
		"11 CATEGORY_NOT_FOUND category_id", "11 STORE_NOT_FOUND store_ids",
	}
	if counts := "DONE 12 lines, 3 created, 0 changed, 0 unchanged, 7 failed"; s.counts() != counts || !reflect.DeepEqual(got, want) {
		t.Errorf("%s, want %s; errors\n%s\nwant\n%s", s.counts(), counts, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	lemons := r.must(t, http.MethodGet, "/v1/products/lemons", "", "")
	if lemons["name"] != `Lemons, "waxed"` || !reflect.DeepEqual(lemons["tags"], []any{"vegan", "organic"}) || !reflect.DeepEqual(lemons["store_ids"], []any{"soho"}) ||
		lemons["max_per_shopper"] != 4.0 || lemons["tax_rate_bps"] != 2000.0 {
		t.Errorf("lemons are %v", lemons)
	}

	for first, want := range map[string]string{
		"":                                  "INVALID_ARGUMENT body",
		"\n\n":                              "INVALID_ARGUMENT body",
		`a,"b`:                              "INVALID_ARGUMENT body",
		"product_id;name":                   "INVALID_ARGUMENT product_id;name product_id name category_id price.minor_units",
		"product_id,name,name":              "INVALID_ARGUMENT name category_id price.minor_units",
		columns[:len(columns)-1] + ",cost":  "INVALID_ARGUMENT cost",
		columns[:len(columns)-1] + ",brand": "INVALID_ARGUMENT brand",
	} {
		if got := r.upload(t, "bad-first-line", csvFormat, r.merchandiser, strings.NewReader(first)).refusal(t); got != want {
			t.Errorf("first line %q: %s, want %s", first, got, want)
		}
	}
	if got := r.call(t, http.MethodGet, "/v1/imports/bad-first-line", r.merchandiser, "").refusal(t); got != "IMPORT_NOT_FOUND" {
		t.Errorf("a file that can't be read began an import: %s", got)
	}
}

func TestImportRefusals(t *testing.T) {
	r := newRig(t)
	file := line("lemons", "")
	r.upload(t, "taken-key", ndjson, r.merchandiser, strings.NewReader(file)).stand(t)
	for _, c := range []struct{ name, key, format, token, file, want string }{
		{"nobody", "a-new-key", ndjson, "", file, "UNAUTHENTICATED"},
		{"an expired token", "a-new-key", ndjson, r.expired, file, "TOKEN_EXPIRED"},
		{"a shopper", "a-new-key", ndjson, r.shopper, file, "PERMISSION_DENIED"},
		{"an operator", "a-new-key", ndjson, r.operator, file, "PERMISSION_DENIED"},
		{"no key", "", ndjson, r.merchandiser, file, "IDEMPOTENCY_KEY_REQUIRED"},
		{"a bad key", "a b", ndjson, r.merchandiser, file, "IDEMPOTENCY_KEY_REQUIRED"},
		{"JSON", "a-new-key", "application/json", r.merchandiser, file, "UNSUPPORTED_MEDIA_TYPE"},
		{"no format", "a-new-key", "", r.merchandiser, file, "UNSUPPORTED_MEDIA_TYPE"},
		{"another file", "taken-key", ndjson, r.merchandiser, line("limes", ""), "IDEMPOTENCY_KEY_REUSED"},
		{"a longer file", "taken-key", ndjson, r.merchandiser, file + line("limes", ""), "IDEMPOTENCY_KEY_REUSED"},
		{"a shorter file", "taken-key", ndjson, r.merchandiser, "", "IDEMPOTENCY_KEY_REUSED"},
	} {
		if got := r.upload(t, c.key, c.format, c.token, strings.NewReader(c.file)).refusal(t); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	for path, want := range map[string]string{
		"GET /v1/imports/unknown-import":   "IMPORT_NOT_FOUND",
		"GET /v1/imports/x":                "INVALID_ARGUMENT import_id",
		"POST /v1/products:import?store=1": "INVALID_ARGUMENT store",
		"POST /v1/products:import?q=%zz":   "INVALID_ARGUMENT query",
		"PUT /v1/products:import":          "METHOD_NOT_ALLOWED",
	} {
		method, at, _ := strings.Cut(path, " ")
		if got := r.call(t, method, at, r.merchandiser, "").refusal(t); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
	for _, token := range []string{"", r.shopper} {
		if a := r.call(t, http.MethodGet, "/v1/imports/taken-key", token, ""); a.status < 400 {
			t.Errorf("a stranger sees an import: %s", a.text)
		}
	}
	var left int
	if err := r.pool.QueryRow(t.Context(), `select count(*) from products.products where product_id <> 'lemons'`).Scan(&left); err != nil || left > 0 {
		t.Errorf("refused imports left %d products, %v", left, err)
	}
}
