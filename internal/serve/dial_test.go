package serve_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"

	cartpb "larder.dev/api/cart/v1"
	productpb "larder.dev/api/product/v1"
	"larder.dev/internal/fault"
	"larder.dev/internal/identity"
	"larder.dev/internal/serve"
)

// A service calls another one: its ID token, the person it acts for, the trace and the request id arrive.
func TestCallsToOtherServices(t *testing.T) {
	back := newRig(t, nil)
	var asked atomic.Int32
	metadata := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		asked.Add(1)
		if req.Header.Get("Metadata-Flavor") != "Google" || !strings.HasSuffix(req.URL.Path, "/service-accounts/checkout@p/identity") ||
			req.URL.Query().Get("audience") != "https://larder.dev/services" || req.URL.Query().Get("format") != "full" {
			t.Errorf("the metadata server was asked for %s", req.URL)
		}
		_, _ = w.Write([]byte(back.issuer.ServiceToken(t, "checkout")))
	}))
	t.Cleanup(metadata.Close)
	t.Setenv("GCE_METADATA_HOST", strings.TrimPrefix(metadata.URL, "http://"))

	front := newRig(t, func(c *serve.Config) {
		c.Identity = back.issuer.Config().Identity
		c.ServiceAccount = "checkout@p"
	})
	front.issuer = back.issuer
	conn, err := front.app.Dial(strings.TrimPrefix(back.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })

	var caller identity.Caller
	var requestID, traced string
	back.do = func(ctx context.Context) error {
		caller, requestID = identity.FromContext(ctx), serve.RequestID(ctx)
		traced = trace.SpanContextFromContext(ctx).TraceID().String()
		return nil
	}
	clearCart := func(ctx context.Context, conn grpc.ClientConnInterface) error {
		_, err := cartpb.NewCartServiceClient(conn).ClearCart(ctx, &cartpb.ClearCartRequest{CartId: ada, Etag: "1"})
		return err
	}
	front.do = func(ctx context.Context) error { return clearCart(ctx, conn) }
	headers := with(with(front.shopper(t), "x-request-id", "request-7"), "traceparent", traceparent)
	for range 3 {
		if got := wires[0].put(t, front, headers, 1); !got.OK {
			t.Fatalf("through two services: %+v", got)
		}
	}
	if caller.Service != "checkout" || caller.UserID != ada || requestID != "request-7" || traced != traceID {
		t.Errorf("caller %+v, request %q, trace %s arrived", caller, requestID, traced)
	}
	if asked.Load() != 1 {
		t.Errorf("the metadata server was asked %d times, want once for the token's life", asked.Load())
	}

	// A refusal of the other service is taken over; its fault is not told.
	back.do = func(context.Context) error { return fault.OutOfStock.New("too few") }
	front.do = func(ctx context.Context) error { return fault.FromRPC(clearCart(ctx, conn)) }
	refused(t, "a refusal", wires[0].put(t, front, headers, 1), fault.OutOfStock)
	back.do = func(context.Context) error { panic("secret") }
	refused(t, "a fault", wires[0].put(t, front, headers, 1), fault.Internal)

	// A service acts for nobody when nobody asked.
	back.do = func(ctx context.Context) error {
		caller = identity.FromContext(ctx)
		return nil
	}
	if _, err := productpb.NewProductServiceClient(conn).ListStores(t.Context(), &productpb.ListStoresRequest{}); err != nil {
		t.Fatal(err)
	}
	if caller.Service != "checkout" || caller.UserID != "" {
		t.Errorf("outside of a request the caller is %+v", caller)
	}
}
