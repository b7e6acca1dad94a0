//go:build bench

package rooms

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	cartpb "larder.dev/api/cart/v1"
	typepb "larder.dev/api/type/v1"
	"larder.dev/internal/identity"
	"larder.dev/internal/serve"
	"larder.dev/internal/serve/servetest"
	"larder.dev/load/bench/figure"
)

// idle does nothing: whatever a call takes is the edge's.
type idle struct {
	cartpb.UnimplementedCartServiceServer
	answer *cartpb.Cart
}

func (i idle) PutItem(context.Context, *cartpb.PutItemRequest) (*cartpb.Cart, error) {
	return i.answer, nil
}

// TestEdge has calls come in by each way, through all that every call goes through (tokens, rules, limits, spans, the log), and compares with a
// bare server of the same kind that says the same.
func TestEdge(t *testing.T) {
	answer := &cartpb.Cart{CartId: uuid.NewString(), StoreId: "soho", Etag: "1-1"}
	for i := range 5 {
		answer.Items = append(answer.Items, &cartpb.CartItem{
			ProductId: fmt.Sprintf("product-of-some-length-%d", i), Name: "A product, 500 g", Quantity: 2,
			UnitPrice: &typepb.Money{Currency: "GBP", MinorUnits: 125},
		})
	}
	issuer := servetest.NewIssuer(t)
	server := issuer.Start(t, "cart", func(ctx context.Context, app *serve.App) error {
		return app.Register(ctx, &cartpb.CartService_ServiceDesc, idle{answer: answer}, func(ctx context.Context, mux *runtime.ServeMux, conn grpc.ClientConnInterface) error {
			return cartpb.RegisterCartServiceHandlerClient(ctx, mux, cartpb.NewCartServiceClient(conn))
		})
	})
	token := issuer.Token(t, identity.Caller{UserID: uuid.NewString(), Roles: []string{identity.RoleShopper}}, time.Hour)

	bare := grpc.NewServer()
	cartpb.RegisterCartServiceServer(bare, idle{answer: answer})
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = bare.Serve(listener) }() // until it is stopped
	defer bare.Stop()

	rest := func(base string) func() error {
		return func() error {
			body := bytes.NewReader([]byte(`{"quantity":2}`))
			request, err := http.NewRequestWithContext(t.Context(), http.MethodPut, base+"/v1/carts/me/items/bananas", body)
			if err != nil {
				return err
			}
			request.Header.Set("Authorization", "Bearer "+token)
			request.Header.Set("Content-Type", "application/json")
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				return err
			}
			defer func() { _ = response.Body.Close() }()
			if _, err := io.Copy(io.Discard, response.Body); err != nil || response.StatusCode != http.StatusOK {
				return fmt.Errorf("status %d, %w", response.StatusCode, err)
			}
			return nil
		}
	}
	rpc := func(at string) func() error {
		conn, err := grpc.NewClient(at, grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		client := cartpb.NewCartServiceClient(conn)
		ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+token)
		return func() error {
			_, err := client.PutItem(ctx, &cartpb.PutItemRequest{CartId: "me", ProductId: "bananas", Quantity: 2})
			return err
		}
	}

	// The bare JSON server reads the body and writes the bytes that ours does.
	text := capture(t, server.URL, token)
	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(text)
	}))
	defer plain.Close()

	const rounds, calls = 31, 300
	ways := []struct {
		name string
		call func() error
	}{
		{"gRPC", rpc(server.Listener.Addr().String())}, {"a bare gRPC server", rpc(listener.Addr().String())},
		{"JSON", rest(server.URL)}, {"a bare JSON server", rest(plain.URL)},
	}
	cost, took := make([][]float64, len(ways)), make([][]float64, len(ways)) // microseconds a call: CPU of both ends, and on the clock
	for round := range rounds + 1 {
		for i, way := range ways {
			before, began := cpu(t), time.Now()
			for range calls {
				if err := way.call(); err != nil {
					t.Fatalf("%s: %v", way.name, err)
				}
			}
			if round > 0 { // the first one warms
				cost[i] = append(cost[i], float64((cpu(t)-before).Nanoseconds())/1e3/calls)
				took[i] = append(took[i], float64(time.Since(began).Nanoseconds())/1e3/calls)
			}
		}
	}
	for i, way := range ways {
		report("edge %s cpu=%.1fus clock=%.1fus a call, client and server", way.name, median(cost[i]), median(took[i]))
	}
	for i := 0; i < len(ways); i += 2 {
		ratios := make([]float64, rounds)
		for round := range ratios {
			ratios[round] = cost[i+1][round] / cost[i][round]
		}
		tell(t, figure.Figure{
			Name:  "a call by " + ways[i].name,
			Seen:  fmt.Sprintf("%.0f us of CPU with the caller's, %.0f us more than bare", median(cost[i]), median(cost[i])-median(cost[i+1])),
			Ratio: median(ratios), To: ways[i+1].name,
		})
	}
}

// capture is what the service answers.
func capture(t *testing.T, base, token string) []byte {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPut, base+"/v1/carts/me/items/bananas", bytes.NewReader([]byte(`{"quantity":2}`)))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%d %s, %v", response.StatusCode, text, err)
	}
	return text
}
