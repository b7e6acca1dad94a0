package order_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"

	orderpb "larder.dev/api/order/v1"
	"larder.dev/internal/identity"
	"larder.dev/internal/money"
	"larder.dev/internal/order"
	orderspanner "larder.dev/internal/order/spanner"
	"larder.dev/internal/pricing"
	"larder.dev/internal/serve"
	"larder.dev/internal/serve/servetest"
	"larder.dev/internal/spannerdb/spannertest"
)

func get(t *testing.T, url, token string) (status int, body map[string]any) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &body); err != nil {
		t.Fatalf("%s answered %s", url, text)
	}
	return response.StatusCode, body
}

func reason(body map[string]any) string {
	told, _ := body["error"].(map[string]any)
	details, _ := told["details"].([]any)
	for _, detail := range details {
		if text, ok := detail.(map[string]any)["reason"].(string); ok {
			return text
		}
	}
	return ""
}

func TestREST(t *testing.T) {
	client := spannertest.Open(t)
	issuer := servetest.NewIssuer(t)
	url := issuer.Start(t, "order", func(ctx context.Context, app *serve.App) error {
		return app.Register(ctx, &orderpb.OrderService_ServiceDesc, order.NewServer(order.New(orderspanner.New(client), nil, nil, time.Now)),
			func(ctx context.Context, mux *runtime.ServeMux, conn grpc.ClientConnInterface) error {
				return orderpb.RegisterOrderServiceHandlerClient(ctx, mux, orderpb.NewOrderServiceClient(conn))
			})
	}).URL
	user, other := uuid.NewString(), uuid.NewString()
	token := func(user, role string, lasts time.Duration) string {
		return issuer.Token(t, identity.Caller{UserID: user, Roles: []string{role}}, lasts)
	}
	mine, operator := token(user, identity.RoleShopper, time.Minute), token(uuid.NewString(), identity.RoleOperator, time.Minute)
	theirs := token(other, identity.RoleShopper, time.Minute)

	lines := []pricing.Line{{ProductID: "milk", Name: "Whole milk", Quantity: 3, UnitPrice: money.Of(125, "GBP")}}
	totals, err := pricing.Total("GBP", lines, pricing.Delivery{})
	if err != nil {
		t.Fatal(err)
	}
	insert := func(user string) string {
		id := uuid.NewString()
		_, err := client.Apply(t.Context(), orderspanner.InsertConfirmed(orderspanner.NewOrder{
			OrderID: id, UserID: user, StoreID: "soho", Epoch: time.Now(), HoldToken: 1, Fingerprint: make([]byte, 32),
			Lines: lines, Totals: totals, Address: json.RawMessage(`{"recipient":"A","city":"London"}`),
		}))
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	oldest, newest, foreign := insert(user), insert(user), insert(other)
	abandoned := uuid.NewString()
	if _, err := client.Apply(t.Context(), orderspanner.InsertAbandoned(abandoned, user, "soho", nil, nil)); err != nil {
		t.Fatal(err)
	}

	status, body := get(t, url+"/v1/orders/"+oldest, mine)
	line := body["lines"].([]any)[0].(map[string]any)
	if status != 200 || body["state"] != "CONFIRMED" || body["etag"] != "1" || line["line_total"].(map[string]any)["minor_units"] != "375" ||
		body["address"].(map[string]any)["city"] != "London" || body["create_time"] == "" {
		t.Errorf("order: %d %v", status, body)
	}
	if body["payment"] != nil {
		t.Errorf("an order without a payment shows %v", body["payment"])
	}
	if status, body = get(t, url+"/v1/orders/"+foreign, operator); status != 200 || body["user_id"] != other {
		t.Errorf("an operator sees %d %v", status, body)
	}
	status, body = get(t, url+"/v1/orders?page_size=1", mine)
	orders := body["orders"].([]any)
	if status != 200 || len(orders) != 1 || orders[0].(map[string]any)["order_id"] != newest {
		t.Errorf("first page: %d %v", status, body)
	}
	next := body["next_page_token"].(string)
	status, body = get(t, url+"/v1/orders?page_size=1&page_token="+next, mine)
	orders = body["orders"].([]any)
	if status != 200 || len(orders) != 1 || orders[0].(map[string]any)["order_id"] != oldest || body["next_page_token"] != "" {
		t.Errorf("second page: %d %v", status, body)
	}
	if status, body = get(t, url+"/v1/orders", operator); status != 200 || len(body["orders"].([]any)) != 0 {
		t.Errorf("an operator's own orders: %d %v", status, body)
	}

	forged := base64.RawURLEncoding.EncodeToString([]byte(`{"u":"` + user + `","t":9223372036854775807,"o":"x"}`))
	for _, test := range []struct {
		name, path, token string
		status            int
		reason            string
	}{
		{"another's", "/v1/orders/" + foreign, mine, 404, "ORDER_NOT_FOUND"},
		{"a tombstone", "/v1/orders/" + abandoned, mine, 404, "ORDER_NOT_FOUND"},
		{"a tombstone, as operator", "/v1/orders/" + abandoned, operator, 404, "ORDER_NOT_FOUND"},
		{"unknown", "/v1/orders/" + uuid.NewString(), mine, 404, "ORDER_NOT_FOUND"},
		{"no UUID", "/v1/orders/1", mine, 400, "INVALID_ARGUMENT"},
		{"no token", "/v1/orders", "", 401, "UNAUTHENTICATED"},
		{"expired", "/v1/orders", token(user, identity.RoleShopper, -time.Minute), 401, "TOKEN_EXPIRED"},
		{"negative page", "/v1/orders?page_size=-1", mine, 400, "INVALID_ARGUMENT"},
		{"large page", "/v1/orders?page_size=101", mine, 400, "INVALID_ARGUMENT"},
		{"page of a word", "/v1/orders?page_size=all", mine, 400, "INVALID_ARGUMENT"},
		{"no page token", "/v1/orders?page_token=%21%21", mine, 400, "INVALID_PAGE_TOKEN"},
		{"garbage in a page token", "/v1/orders?page_token=bm90aGluZw", mine, 400, "INVALID_PAGE_TOKEN"},
		{"another's page token", "/v1/orders?page_token=" + next, theirs, 400, "INVALID_PAGE_TOKEN"},
		{"endless page token", "/v1/orders?page_token=" + strings.Repeat("a", 1001), mine, 400, "INVALID_ARGUMENT"},
		{"forged page token of the far future", "/v1/orders?page_token=" + forged, mine, 200, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			status, body := get(t, url+test.path, test.token)
			if status != test.status || reason(body) != test.reason {
				t.Errorf("got %d %s, want %d %s: %v", status, reason(body), test.status, test.reason, body)
			}
			if strings.Contains(fmt.Sprint(body), other) {
				t.Errorf("another's id is told: %v", body)
			}
		})
	}
}
