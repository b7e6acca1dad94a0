package client

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/fieldmaskpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	cartpb "larder.dev/api/cart/v1"
	checkoutpb "larder.dev/api/checkout/v1"
	orderpb "larder.dev/api/order/v1"
	productpb "larder.dev/api/product/v1"
	searchpb "larder.dev/api/search/v1"
	userpb "larder.dev/api/user/v1"
)

// api answers by a list, in turn, and keeps what it was asked.
type api struct {
	mu      sync.Mutex
	answers []answer
	asked   []string
	keys    []string
	tokens  []string
	bodies  []string
}

type answer struct {
	status  int
	body    string
	headers map[string]string
}

func refusal(status int, reason string, headers map[string]string) answer {
	return answer{status, fmt.Sprintf(`{"error":{"code":%d,"status":"X","message":"m","details":[
		{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":%q,"domain":"larder.dev","metadata":{"k":"v"}},
		{"@type":"type.googleapis.com/google.rpc.BadRequest","field_violations":[{"field":"f","description":"d"}]}]}}`, status, reason), headers}
}

func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	a.asked = append(a.asked, r.Method+" "+r.URL.RequestURI())
	a.keys = append(a.keys, r.Header.Get("Idempotency-Key"))
	a.tokens = append(a.tokens, r.Header.Get("Authorization"))
	a.bodies = append(a.bodies, string(body))
	if len(a.answers) == 0 {
		w.WriteHeader(http.StatusTeapot)
		return
	}
	next := a.answers[0]
	a.answers = a.answers[1:]
	for name, value := range next.headers {
		w.Header().Set(name, value)
	}
	w.WriteHeader(next.status)
	_, _ = io.WriteString(w, next.body)
}

func newClient(t *testing.T, answers ...answer) (*Client, *api) {
	t.Helper()
	a := &api{answers: answers}
	server := httptest.NewServer(a)
	t.Cleanup(server.Close)
	c := New(server.URL)
	c.MaxWait = 20 * time.Millisecond
	return c, a
}

// TestRequests holds what goes over the wire against what the paths of the protos say.
func TestRequests(t *testing.T) {
	at := timestamppb.New(time.Date(2026, 11, 27, 6, 0, 0, 0, time.UTC))
	for _, row := range []struct {
		call       func(ctx context.Context, c *Client) error
		want, body string
	}{
		{func(ctx context.Context, c *Client) error {
			_, err := c.GetCart(ctx, &cartpb.GetCartRequest{CartId: "a/b"})
			return err
		}, "GET /v1/carts/a%2Fb", ""},
		{func(ctx context.Context, c *Client) error {
			_, err := c.PutItem(ctx, &cartpb.PutItemRequest{CartId: "me", ProductId: "bananas", Quantity: 2, Etag: "x"})
			return err
		}, "PUT /v1/carts/me/items/bananas", `{"quantity":2,"etag":"x"}`},
		{func(ctx context.Context, c *Client) error {
			_, err := c.Search(ctx, &searchpb.SearchRequest{Store: "soho", Q: "ban & co", Tag: []string{"a", "b"}, Sort: searchpb.SearchRequest_NAME, PageSize: 3})
			return err
		}, "GET /v1/search?page_size=3&q=ban+%26+co&sort=NAME&store=soho&tag=a&tag=b", ""},
		{func(ctx context.Context, c *Client) error {
			_, err := c.UpdateUser(ctx, &userpb.UpdateUserRequest{
				User: &userpb.User{DisplayName: "Ada"}, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"display_name"}},
			})
			return err
		}, "PATCH /v1/users/me?update_mask=displayName", `{"display_name":"Ada"}`},
		{func(ctx context.Context, c *Client) error {
			_, err := c.UpdateProduct(ctx, &productpb.UpdateProductRequest{Product: &productpb.Product{ProductId: "bananas", Name: "B"}})
			return err
		}, "PATCH /v1/products/bananas", `{"name":"B"}`},
		{func(ctx context.Context, c *Client) error {
			_, err := c.DeletePrice(ctx, &productpb.DeletePriceRequest{ProductId: "bananas", StartTime: at})
			return err
		}, "DELETE /v1/products/bananas/prices?start_time=2026-11-27T06%3A00%3A00Z", ""},
	} {
		c, a := newClient(t, answer{status: 200, body: `{"unknown_to_this_release": 1}`})
		if err := row.call(t.Context(), c); err != nil {
			t.Fatal(row.want, err)
		}
		if a.asked[0] != row.want || !sameJSON(a.bodies[0], row.body) {
			t.Errorf("sent %s %s, want %s %s", a.asked[0], a.bodies[0], row.want, row.body)
		}
	}
	c, a := newClient(t)
	if _, err := c.GetCart(t.Context(), &cartpb.GetCartRequest{}); err == nil || len(a.asked) > 0 {
		t.Error("a path with an empty variable was sent")
	}
}

func sameJSON(a, b string) bool {
	if a == "" || b == "" {
		return a == b
	}
	var x, y map[string]any
	return json.Unmarshal([]byte(a), &x) == nil && json.Unmarshal([]byte(b), &y) == nil && fmt.Sprint(x) == fmt.Sprint(y)
}

// TestRetries sends again only what can do no harm, and an order always with the same key.
func TestRetries(t *testing.T) {
	get := func(ctx context.Context, c *Client) error {
		_, err := c.GetCart(ctx, &cartpb.GetCartRequest{CartId: "me"})
		return err
	}
	post := func(ctx context.Context, c *Client) error {
		_, err := c.CreateCart(ctx, &cartpb.CreateCartRequest{StoreId: "soho"})
		return err
	}
	buy := func(ctx context.Context, c *Client) error {
		_, err := c.CreateCheckout(ctx, &checkoutpb.CreateCheckoutRequest{CartId: "me"})
		return err
	}
	away := refusal(503, "UNAVAILABLE", nil)
	for name, row := range map[string]struct {
		call  func(context.Context, *Client) error
		first answer
		tries int
	}{
		"reading":                      {get, away, 2},
		"creating":                     {post, away, 1},
		"creating, refused at once":    {post, refusal(429, "RATE_LIMITED", nil), 2},
		"buying":                       {buy, away, 2},
		"buying, no answer of ours":    {buy, answer{status: 502, body: "<html>"}, 2},
		"buying, declined":             {buy, refusal(402, "PAYMENT_DECLINED", nil), 1},
		"guessing":                     {get, refusal(429, "TOO_MANY_ATTEMPTS", nil), 1},
		"told to wait for too long":    {get, refusal(503, "UNAVAILABLE", map[string]string{"Retry-After": "3600"}), 1},
		"refused for what it is":       {get, refusal(404, "CART_NOT_FOUND", nil), 1},
		"a fault that may be for good": {get, refusal(500, "INTERNAL", nil), 1},
	} {
		c, a := newClient(t, row.first, answer{status: 200, body: "{}"})
		err := row.call(t.Context(), c)
		if len(a.asked) != row.tries || (err == nil) != (row.tries == 2) {
			t.Errorf("%s: %d tries, want %d; %v", name, len(a.asked), row.tries, err)
		}
		if keys := slices.Compact(a.keys); len(keys) != 1 {
			t.Errorf("%s: keys %q", name, keys)
		}
	}
	c, a := newClient(t, away, away, away, away, away, away)
	if err := get(t.Context(), c); ReasonOf(err) != "UNAVAILABLE" || len(a.asked) != c.Tries {
		t.Errorf("%d tries: %v", len(a.asked), err)
	}
}

func TestError(t *testing.T) {
	c, _ := newClient(t, refusal(429, "TOO_MANY_ATTEMPTS", map[string]string{"Retry-After": "7", "X-Request-Id": "r"}))
	_, err := c.SignIn(t.Context(), "ada@shopper.example", "correct-horse-battery")
	e := new(Error)
	if ReasonOf(err) != "TOO_MANY_ATTEMPTS" || !asError(err, &e) {
		t.Fatal(err)
	}
	if e.Status != 429 || e.RetryAfter != 7*time.Second || e.Metadata["k"] != "v" || e.RequestID != "r" || e.Violations[0].Field != "f" || len(e.Details) != 2 {
		t.Errorf("%+v", e)
	}
}

func asError(err error, into **Error) bool {
	found, ok := err.(*Error) //nolint:errorlint // it isn't wrapped
	*into = found
	return ok
}

// TestSessions has many calls at once find a token that is about to expire: it is changed for a new one once. One that the server calls
// expired is changed too.
func TestSessions(t *testing.T) {
	session := func(token string, life time.Duration) answer {
		return answer{status: 200, body: fmt.Sprintf(`{"access_token":%q,"access_token_expire_time":%q,"refresh_token":"refresh of %s"}`,
			token, time.Now().Add(life).UTC().Format(time.RFC3339), token)}
	}
	done := answer{status: 200, body: "{}"}
	c, a := newClient(t, session("first", early/2), session("second", time.Hour), done, done, done, done)
	var kept []string
	c.OnSession = func(s *userpb.Session) { kept = append(kept, s.GetRefreshToken()) }
	if _, err := c.SignIn(t.Context(), "ada@shopper.example", "correct-horse-battery"); err != nil {
		t.Fatal(err)
	}
	var calls sync.WaitGroup
	for range 4 {
		calls.Go(func() {
			if _, err := c.GetUser(t.Context(), &userpb.GetUserRequest{}); err != nil {
				t.Error(err)
			}
		})
	}
	calls.Wait()
	want := []string{"", "", "Bearer second", "Bearer second", "Bearer second", "Bearer second"}
	if !slices.Equal(a.tokens, want) || a.bodies[1] != `{"refresh_token":"refresh of first"}` && !sameJSON(a.bodies[1], `{"refresh_token":"refresh of first"}`) {
		t.Errorf("tokens %q, refreshed with %s", a.tokens, a.bodies[1])
	}
	if !slices.Equal(kept, []string{"refresh of first", "refresh of second"}) {
		t.Errorf("kept %q", kept)
	}
	a.answers = []answer{refusal(401, "TOKEN_EXPIRED", nil), session("third", time.Hour), done}
	if _, err := c.GetUser(t.Context(), &userpb.GetUserRequest{}); err != nil || a.tokens[len(a.tokens)-1] != "Bearer third" {
		t.Error(err, a.tokens)
	}
}

// TestFollowOrder goes on behind a stream that broke, and yields each change once.
func TestFollowOrder(t *testing.T) {
	event := func(version int, final bool) string {
		return fmt.Sprintf("id: %d\nevent: change\ndata: {\"version\":\"%d\",\"final\":%t}\n\n", version, version, final)
	}
	c, a := newClient(t, answer{status: 200, body: ": watching\n\n" + event(1, false)}, refusal(503, "UNAVAILABLE", nil),
		answer{status: 200, body: event(2, false) + ": \n\n" + event(3, true)})
	var seen []int64
	for change, err := range c.FollowOrder(t.Context(), "o", 0) {
		if err != nil {
			t.Fatal(err)
		}
		seen = append(seen, change.GetVersion())
	}
	if !slices.Equal(seen, []int64{1, 2, 3}) || len(a.asked) != 3 {
		t.Errorf("saw %d by %q", seen, a.asked)
	}
	c, _ = newClient(t, refusal(404, "ORDER_NOT_FOUND", nil))
	for change, err := range c.FollowOrder(t.Context(), "o", 0) {
		if change != (*orderpb.OrderChange)(nil) || ReasonOf(err) != "ORDER_NOT_FOUND" {
			t.Errorf("%v, %v", change, err)
		}
	}
}
