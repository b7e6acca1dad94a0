package product_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	productpb "larder.dev/api/product/v1"
	"larder.dev/internal/fault"
	"larder.dev/internal/identity"
	"larder.dev/internal/pgdb/pgtest"
	"larder.dev/internal/product"
	"larder.dev/internal/product/postgres"
	"larder.dev/internal/serve"
	"larder.dev/internal/serve/servetest"
)

// cost is what the tests' products cost the grocer: a number that nothing else in an answer has.
const cost = "47119"

// rig is the whole service in the test's process, over a database of its own. It remembers what was answered.
type rig struct {
	url          string
	pool         *pgxpool.Pool
	client       productpb.ProductServiceClient // as the service checkout
	issuer       *servetest.Issuer
	index        *index // what an audit finds there
	merchandiser string // access token
	operator     string
	shopper      string
	expired      string

	mu       sync.Mutex
	answered []string
}

func newRig(t *testing.T) *rig {
	t.Helper()
	pool := pgtest.New(t, postgres.Schema())
	shelf, err := os.ReadFile("testdata/shelf.sql")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := pool.Exec(t.Context(), string(shelf), pgx.QueryExecModeSimpleProtocol); err != nil {
		t.Fatal(err)
	}
	issuer := servetest.NewIssuer(t)
	index := &index{documents: map[string]product.Indexed{}}
	server := issuer.Start(t, "product", func(ctx context.Context, app *serve.App) error {
		catalogue := postgres.New(pool)
		server := product.NewServer(product.NewService(catalogue), product.NewAuditor(catalogue, index),
			product.NewImporter(catalogue, app.Validator()), app.Validator())
		app.Handle(product.ImportPattern, product.ImportHandler(app.Local()))
		return app.Register(ctx, &productpb.ProductService_ServiceDesc, server, product.Gateway)
	})
	person := func(role string, lasts time.Duration) string {
		return issuer.Token(t, identity.Caller{UserID: "7c0ff9a4-2b3b-4a6e-9a55-0d4f6f1f7a11", Roles: []string{role}}, lasts)
	}
	r := &rig{
		url: server.URL, pool: pool, issuer: issuer, index: index,
		merchandiser: person(identity.RoleMerchandiser, time.Hour), operator: person(identity.RoleOperator, time.Hour),
		shopper: person(identity.RoleShopper, time.Hour), expired: person(identity.RoleMerchandiser, -time.Minute),
	}
	r.client = r.as(t, "checkout")
	return r
}

// as is a client that calls as one of our services.
func (r *rig) as(t *testing.T, service string) productpb.ProductServiceClient {
	t.Helper()
	conn, err := grpc.NewClient(strings.TrimPrefix(r.url, "http://"), grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithUnaryInterceptor(sending(r.issuer.ServiceToken(t, service))))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return productpb.NewProductServiceClient(conn)
}

func sending(serviceToken string) grpc.UnaryClientInterceptor {
	return func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		return invoke(metadata.AppendToOutgoingContext(ctx, identity.ServiceTokenHeader, serviceToken), method, req, reply, cc, opts...)
	}
}

// exec runs SQL, as somebody who doesn't use the service.
func (r *rig) exec(t *testing.T, sql string, args ...any) {
	t.Helper()
	if _, err := r.pool.Exec(t.Context(), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

type answer struct {
	status int
	text   string
}

// call makes a REST call; an empty token: nobody's.
func (r *rig) call(t *testing.T, method, path, token, body string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, r.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
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

// must is a call that succeeds; it decodes the answer into a map.
func (r *rig) must(t *testing.T, method, path, token, body string) map[string]any {
	t.Helper()
	a := r.call(t, method, path, token, body)
	if a.status != http.StatusOK {
		t.Fatalf("%s %s: %d %s", method, path, a.status, a.text)
	}
	var decoded map[string]any
	if err := json.Unmarshal([]byte(a.text), &decoded); err != nil {
		t.Fatalf("%s %s answers no JSON: %s", method, path, a.text)
	}
	return decoded
}

// create adds an active product in the category citrus; more is laid over its JSON.
func (r *rig) create(t *testing.T, id, more string) map[string]any {
	t.Helper()
	fields := map[string]any{
		"product_id": id, "name": "Name of " + id, "category_id": "citrus", "brand_id": "greenlatch", "status": "ACTIVE",
		"price": map[string]any{"currency": "GBP", "minor_units": 120}, "cost": map[string]any{"currency": "GBP", "minor_units": cost},
	}
	if more != "" {
		if err := json.Unmarshal([]byte(more), &fields); err != nil {
			t.Fatal(err)
		}
	}
	body, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	return r.must(t, http.MethodPost, "/v1/products", r.merchandiser, string(body))
}

// refusal is an answer's reason and its violated fields: "INVALID_ARGUMENT product.name product.price".
func (a answer) refusal(t *testing.T) string {
	t.Helper()
	var body struct {
		Error struct {
			Code    int
			Details []struct {
				Reason          string
				Domain          string
				FieldViolations []struct{ Field string } `json:"field_violations"`
			}
		}
	}
	if err := json.Unmarshal([]byte(a.text), &body); err != nil {
		t.Fatalf("no JSON: %s", a.text)
	}
	var words []string
	for _, d := range body.Error.Details {
		if d.Reason != "" {
			if d.Domain != fault.Domain {
				t.Errorf("domain %q", d.Domain)
			}
			words = append(words, d.Reason)
		}
		for _, v := range d.FieldViolations {
			words = append(words, v.Field)
		}
	}
	if body.Error.Code != a.status {
		t.Errorf("code %d in an answer with status %d", body.Error.Code, a.status)
	}
	return strings.Join(words, " ")
}
