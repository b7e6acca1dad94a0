package product_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/api/httpbody"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	productpb "larder.dev/api/product/v1"
	"larder.dev/internal/fault"
	"larder.dev/internal/identity"
)

// until polls a condition.
func until(t *testing.T, what string, met func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !met(); {
		if time.Now().After(deadline) {
			t.Fatalf("after a minute not yet: %s", what)
		}
	}
}

// file is lines of so many products.
func file(products int) string {
	var text strings.Builder
	for n := range products {
		text.WriteString(line(fmt.Sprintf("p-%05d", n), ""))
	}
	return text.String()
}

// A connection that ends in the middle of a line: what was whole stays, nothing of the rest goes in, and the same file goes on behind it.
func TestImportGoesOnAfterTheConnectionWasCut(t *testing.T) {
	r := newRig(t)
	whole := file(1600)
	cut := strings.Index(whole, "p-01300") + 3
	body, out := io.Pipe()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.url+"/v1/products:import", body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header = http.Header{"Content-Type": {ndjson}, "Idempotency-Key": {"cut-in-two"}, "Authorization": {"Bearer " + r.merchandiser}}
	sent := make(chan error)
	go func() {
		res, err := http.DefaultClient.Do(req)
		if err == nil {
			err = errors.Join(fmt.Errorf("answered %s", res.Status), res.Body.Close())
		}
		sent <- err
	}()
	if _, err := io.WriteString(out, whole[:cut]); err != nil {
		t.Fatal(err)
	}
	look := func() stand { return r.call(t, http.MethodGet, "/v1/imports/cut-in-two", r.merchandiser, "").stand(t) }
	until(t, "1,000 lines are done", func() bool {
		a := r.call(t, http.MethodGet, "/v1/imports/cut-in-two", r.merchandiser, "")
		return a.status == http.StatusOK && a.stand(t).Lines == 1000
	})
	gone := errors.New("the merchandiser's laptop is closed")
	out.CloseWithError(gone)
	if err := <-sent; !errors.Is(err, gone) {
		t.Fatalf("the request ended with %v", err)
	}
	if got, want := look().counts(), "RUNNING 1000 lines, 1000 created, 0 changed, 0 unchanged, 0 failed"; got != want {
		t.Errorf("after the cut %s, want %s", got, want)
	}

	// Another file can't go on with it, whether it differs in what is done or ends before that.
	for name, other := range map[string]string{"differs": strings.Replace(whole, "p-00007", "q-00007", 1), "is shorter": file(900)} {
		if got := r.upload(t, "cut-in-two", ndjson, r.merchandiser, strings.NewReader(other)).refusal(t); got != fault.IdempotencyKeyReused.Name {
			t.Errorf("a file that %s: %s", name, got)
		}
	}
	if got, want := r.upload(t, "cut-in-two", ndjson, r.merchandiser, strings.NewReader(whole)).stand(t).counts(),
		"DONE 1600 lines, 1600 created, 0 changed, 0 unchanged, 0 failed"; got != want {
		t.Errorf("sent again %s, want %s", got, want)
	}
	r.sound(t)
}

// The database ends the session that a part is being taken in by: all of the part or nothing.
func TestImportGoesOnAfterTheDatabaseWasAway(t *testing.T) {
	r := newRig(t)
	whole := file(900)
	r.upload(t, "first-range", ndjson, r.merchandiser, strings.NewReader(file(700))).stand(t)
	dearer := strings.ReplaceAll(whole, `"minor_units":120`, `"minor_units":130`)
	tx, err := r.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), `select from products.products where product_id = 'p-00600' for update`); err != nil {
		t.Fatal(err)
	}
	answered := make(chan answer)
	go func() { answered <- r.upload(t, "second-range", ndjson, r.merchandiser, strings.NewReader(dearer)) }()
	until(t, "the second part waits and is ended", func() bool {
		var ended int
		err := r.pool.QueryRow(t.Context(), `select count(*) filter (where pg_terminate_backend(pid)) from pg_stat_activity
			where datname = current_database() and wait_event_type = 'Lock'`).Scan(&ended)
		return err == nil && ended == 1
	})
	if got := (<-answered).refusal(t); got != fault.Unavailable.Name {
		t.Errorf("a part whose session ended: %s", got)
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, want := r.call(t, http.MethodGet, "/v1/imports/second-range", r.merchandiser, "").stand(t).counts(),
		"RUNNING 500 lines, 0 created, 500 changed, 0 unchanged, 0 failed"; got != want {
		t.Errorf("then %s, want %s", got, want)
	}
	if got, want := r.upload(t, "second-range", ndjson, r.merchandiser, strings.NewReader(dearer)).stand(t).counts(),
		"DONE 900 lines, 200 created, 700 changed, 0 unchanged, 0 failed"; got != want {
		t.Errorf("sent again %s, want %s", got, want)
	}
	r.sound(t)
}

// An import, single writes of the same products, renames of their category, and the same file a second time, all at once.
func TestImportBesideOthers(t *testing.T) {
	r := newRig(t)
	const products = 700
	// On a busy machine a wait for the others may be longer than a request's deadline: it is then sent again.
	late := func(a answer) bool {
		return a.status == http.StatusGatewayTimeout || a.status == http.StatusServiceUnavailable
	}
	r.upload(t, "first-range", ndjson, r.merchandiser, strings.NewReader(file(products))).stand(t)
	dearer := strings.ReplaceAll(file(products), `"minor_units":120`, `"minor_units":130`)
	done := make(chan struct{})
	var importing, others sync.WaitGroup
	for _, key := range []string{"dearer-by-one", "dearer-by-two"} {
		importing.Go(func() {
			a := r.upload(t, key, ndjson, r.merchandiser, strings.NewReader(dearer))
			for tries := 1; late(a) && tries < 10; tries++ {
				a = r.upload(t, key, ndjson, r.merchandiser, strings.NewReader(dearer))
			}
			if s := a.stand(t); s.State != "DONE" || s.Lines != products || s.Failed > 0 {
				t.Errorf("import %s: %s %v", key, s.counts(), s.Errors)
			}
		})
	}
	other := func(change func(n int) answer) {
		others.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-done:
					return
				default:
				}
				if a := change(n); a.status != http.StatusOK && !late(a) {
					t.Errorf("change %d: %d %s", n, a.status, a.text)
					return
				}
			}
		})
	}
	other(func(n int) answer {
		return r.call(t, http.MethodPatch, fmt.Sprintf("/v1/products/p-%05d", n*37%products), r.merchandiser, fmt.Sprintf(`{"max_per_shopper":%d,"store_ids":["soho"]}`, n%9))
	})
	other(func(n int) answer {
		return r.call(t, http.MethodPost, "/v1/products", r.merchandiser, strings.TrimSpace(line(fmt.Sprintf("new-%d", n), `,"status":"ACTIVE"`)))
	})
	others.Go(func() {
		for n := range 3 { // each of them writes all documents
			if _, err := r.pool.Exec(t.Context(), `update products.categories set name = $1 where category_id = 'citrus'`, fmt.Sprintf("Citrus %d", n)); err != nil {
				t.Error(err)
			}
		}
	})
	importing.Wait()
	close(done)
	others.Wait()
	var wrong int
	err := r.pool.QueryRow(t.Context(), `select count(*) from products.shown_products where product_id like 'p-%' and price <> 130`).Scan(&wrong)
	if err != nil || wrong > 0 {
		t.Errorf("%d products haven't the import's price, %v", wrong, err)
	}
	r.sound(t)
}

// A stream of 100,000 lines takes no more memory than a short one, though every second line is an error.
func TestImportMemory(t *testing.T) {
	const lines, bound = 100_000, 24 << 20 // bytes
	r := newRig(t)
	r.upload(t, "a-short-one", ndjson, r.merchandiser, strings.NewReader(file(10))).stand(t)
	live := func() uint64 {
		var memory runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&memory)
		return memory.HeapAlloc
	}
	before, most := live(), uint64(0)
	body, out := io.Pipe()
	var writing sync.WaitGroup
	writing.Go(func() {
		text := bufio.NewWriter(out)
		bad := line("no-tax", `,"tax_rate_bps":-1,"description":"`+strings.Repeat("x", 300)+`"`)
		for n := range lines {
			next := bad
			if n%2 == 1 {
				next = "\n"
			}
			if _, err := text.WriteString(next); err != nil {
				break
			}
			if n%5000 == 4999 {
				most = max(most, live())
			}
		}
		out.CloseWithError(text.Flush())
	})
	s := r.upload(t, "a-long-one", ndjson, r.merchandiser, body).stand(t)
	writing.Wait()
	if want := "DONE 100000 lines, 0 created, 0 changed, 0 unchanged, 50000 failed"; s.counts() != want || len(s.Errors) != 1000 {
		t.Errorf("%s with %d errors, want %s", s.counts(), len(s.Errors), want)
	}
	if grown := int64(most) - int64(before); grown > bound {
		t.Errorf("the heap grew by %d KiB", grown>>10)
	}
}

// On gRPC a small file is one message, under the same rules.
func TestImportByGRPC(t *testing.T) {
	r := newRig(t)
	conn, err := grpc.NewClient(strings.TrimPrefix(r.url, "http://"), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	client := productpb.NewProductServiceClient(conn)
	for _, c := range []struct{ name, token, key, format, want string }{
		{"a merchandiser", r.merchandiser, "by-message", ndjson, ""},
		{"the same again", r.merchandiser, "by-message", ndjson, ""},
		{"no key", r.merchandiser, "", ndjson, fault.IdempotencyKeyRequired.Name},
		{"another format", r.merchandiser, "by-message-2", "application/json", fault.UnsupportedMediaType.Name},
		{"a shopper", r.shopper, "by-message", ndjson, fault.PermissionDenied.Name},
	} {
		ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+c.token)
		if c.key != "" {
			ctx = metadata.AppendToOutgoingContext(ctx, "idempotency-key", c.key)
		}
		i, err := client.ImportProducts(ctx, &productpb.ImportProductsRequest{File: &httpbody.HttpBody{ContentType: c.format, Data: []byte(file(3))}})
		switch {
		case c.want == "" && (err != nil || i.GetCreated() != 3 || i.GetState() != productpb.Import_DONE):
			t.Errorf("%s: %v, %v", c.name, i, err)
		case c.want != "" && fault.From(fault.FromRPC(err)).Reason().Name != c.want:
			t.Errorf("%s: %v, want %s", c.name, err, c.want)
		}
	}
	_, err = client.ImportPart(metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+r.merchandiser), &productpb.ImportPartRequest{
		ImportId: "too-many-lines", Format: productpb.ImportPartRequest_NDJSON, Lines: []byte(strings.Repeat("\n", 1001)), Digest: make([]byte, 32),
	})
	if !fault.Is(err, fault.InvalidArgument) {
		t.Errorf("a part of 1,001 lines: %v", err)
	}
}

// Two merchandisers choose the same key: neither meets the other's file, nor sees how far it has come.
func TestImportsAreTheirMerchandisers(t *testing.T) {
	r := newRig(t)
	other := r.issuer.Token(t, identity.Caller{UserID: "7c0ff9a4-2b3b-4a6e-9a55-0d4f6f1f7a12", Roles: []string{identity.RoleMerchandiser}}, time.Hour)
	const key = "spring-range"
	mine := line("pomelos", "") + line("limes", "")
	for _, c := range []struct{ name, token, file, want string }{
		{"one", r.merchandiser, mine, "DONE 2 lines, 2 created, 0 changed, 0 unchanged, 0 failed"},
		{"another, with another file", other, line("lemons", ""), "DONE 1 lines, 1 created, 0 changed, 0 unchanged, 0 failed"},
		{"the first again", r.merchandiser, mine, "DONE 2 lines, 2 created, 0 changed, 0 unchanged, 0 failed"},
	} {
		if got := r.upload(t, key, ndjson, c.token, strings.NewReader(c.file)).stand(t).counts(); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
		if got := r.call(t, http.MethodGet, "/v1/imports/"+key, c.token, "").stand(t).counts(); got != c.want {
			t.Errorf("%s looks, and sees %s, want %s", c.name, got, c.want)
		}
	}
	if got := r.upload(t, "autumn-range", ndjson, other, strings.NewReader(mine)); got.status != http.StatusOK {
		t.Fatal(got)
	}
	if got := r.call(t, http.MethodGet, "/v1/imports/autumn-range", r.merchandiser, ""); got.status != http.StatusNotFound || strings.Contains(got.text, "/autumn") {
		t.Errorf("another's import: %d %s", got.status, got.text)
	}
}

// Operators see how far an import is while its file is on its way: bytes of bytes, whose it is, and no more.
func TestImportTellsHowFarItIs(t *testing.T) {
	r := newRig(t)
	whole := file(1600)
	cut := strings.Index(whole, "p-01300")
	body, out := io.Pipe()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.url+"/v1/products:import", body)
	if err != nil {
		t.Fatal(err)
	}
	req.ContentLength = int64(len(whole))
	req.Header = http.Header{"Content-Type": {ndjson}, "Idempotency-Key": {"watched-import"}, "Authorization": {"Bearer " + r.merchandiser}}
	sent := make(chan error)
	go func() {
		res, err := http.DefaultClient.Do(req)
		if err == nil {
			err = res.Body.Close()
		}
		sent <- err
	}()
	if _, err := io.WriteString(out, whole[:cut]); err != nil {
		t.Fatal(err)
	}
	type seen struct {
		ImportID  string `json:"import_id"`
		State     string
		Lines     int64  `json:",string"`
		Bytes     int64  `json:",string"`
		SizeBytes int64  `json:"size_bytes,string"`
		UserID    string `json:"user_id"`
		Errors    []any
	}
	look := func() (latest seen) {
		t.Helper()
		a := r.call(t, http.MethodGet, "/v1/imports?page_size=5", r.operator, "")
		var listed struct{ Imports []seen }
		if err := json.Unmarshal([]byte(a.text), &listed); err != nil || a.status != http.StatusOK {
			t.Fatalf("%d %s", a.status, a.text)
		}
		if len(listed.Imports) > 0 {
			latest = listed.Imports[0]
		}
		return latest
	}
	until(t, "1,000 lines are done", func() bool { return look().Lines == 1000 })
	got := look()
	if want := int64(strings.Index(whole, `{"product_id":"p-01000"`)); got.ImportID != "watched-import" || got.State != "RUNNING" || got.Bytes != want || got.SizeBytes != int64(len(whole)) ||
		got.UserID != "7c0ff9a4-2b3b-4a6e-9a55-0d4f6f1f7a11" || len(got.Errors) > 0 {
		t.Errorf("operators see %+v, want %d of %d bytes", got, want, len(whole))
	}
	if _, err := io.WriteString(out, whole[cut:]); err != nil {
		t.Fatal(err)
	}
	_ = out.Close()
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	if got := look(); got.State != "DONE" || got.Bytes != got.SizeBytes || got.Bytes != int64(len(whole)) {
		t.Errorf("in the end operators see %+v", got)
	}
	if a := r.call(t, http.MethodGet, "/v1/imports", r.merchandiser, ""); a.status != http.StatusForbidden {
		t.Errorf("a merchandiser sees everybody's imports: %d %s", a.status, a.text)
	}
}
