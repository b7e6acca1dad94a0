package checkout_test

import (
	"context"
	"maps"
	"path"
	"strings"
	"sync"
	"testing"
	"time"

	"cloud.google.com/go/spanner"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	checkoutpb "larder.dev/api/checkout/v1"
	checkoutredis "larder.dev/internal/checkout/redis"
	checkoutspanner "larder.dev/internal/checkout/spanner"
	"larder.dev/internal/fault"
)

// calls counts what a client asks of Spanner, but for its sessions.
type calls struct {
	mu sync.Mutex
	of map[string]int
	// rounds is how often a call began while no other was under way: calls at once are one round trip.
	rounds, open int
	// pair, where it isn't nil, is closed by the second call that begins; the first one waits for it.
	pair chan struct{}
}

func (c *calls) begin(ctx context.Context, method string) (end func()) {
	if strings.Contains(method, "Session") {
		return func() {}
	}
	c.mu.Lock()
	c.of[path.Base(method)]++
	if c.open++; c.open == 1 {
		c.rounds++
	}
	pair, second := c.pair, c.open == 2
	if second && pair != nil {
		close(pair)
		c.pair = nil
	}
	c.mu.Unlock()
	if pair != nil && !second {
		select {
		case <-pair:
		case <-ctx.Done():
		}
	}
	return sync.OnceFunc(func() { c.mu.Lock(); c.open--; c.mu.Unlock() })
}

// restart forgets what was counted. The first two calls from now on must be made at once.
func (c *calls) restart() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.of)
	c.rounds, c.pair = 0, make(chan struct{})
}

func (c *calls) unary(ctx context.Context, method string, req, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	defer c.begin(ctx, method)()
	return invoke(ctx, method, req, reply, conn, opts...)
}

// stream counts a stream as under way until its first message, which has a single row whole.
func (c *calls) stream(ctx context.Context, desc *grpc.StreamDesc, conn *grpc.ClientConn, method string, streamer grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	end := c.begin(ctx, method)
	stream, err := streamer(ctx, desc, conn, method, opts...)
	if err != nil {
		end()
		return nil, err
	}
	return counted{stream, end}, nil
}

type counted struct {
	grpc.ClientStream
	end func()
}

func (c counted) RecvMsg(m any) error {
	defer c.end()
	return c.ClientStream.RecvMsg(m)
}

// count opens the shop's database by a client whose calls are counted.
func (s *shop) count() (*spanner.Client, *calls) {
	s.t.Helper()
	c := &calls{of: map[string]int{}}
	return s.connect(20, option.WithGRPCDialOption(grpc.WithChainUnaryInterceptor(c.unary)),
		option.WithGRPCDialOption(grpc.WithChainStreamInterceptor(c.stream))), c
}

// connect opens the shop's database once more, for so many transactions at once.
func (s *shop) connect(sessions uint64, options ...option.ClientOption) *spanner.Client {
	s.t.Helper()
	config := spanner.ClientConfig{SessionPoolConfig: spanner.SessionPoolConfig{MinOpened: 1, MaxOpened: sessions}, DisableNativeMetrics: true}
	client, err := spanner.NewClientWithConfig(s.t.Context(), s.database.DatabaseName(), config, options...)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(client.Close)
	return client
}

// want compares what was counted since the restart, and prints it.
func (c *calls) want(t *testing.T, of string, rounds, reads, commits int) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	t.Logf("bench: spanner %s round_trips=%d reads=%d commits=%d", of, c.rounds, c.of["StreamingRead"], c.of["Commit"])
	want := map[string]int{"StreamingRead": reads, "Commit": commits}
	if c.rounds != rounds || !maps.Equal(c.of, want) {
		t.Errorf("%s: %d round trips, %v; want %d, %v", of, c.rounds, c.of, rounds, want)
	}
}

// What an order asks of Spanner, from the request to the answer: see Books. The reservation asks nothing of it, nor does the answer, which
// is the order that was committed.
func TestRoundTrips(t *testing.T) {
	s := open(t)
	client, calls := s.count()
	s.books = checkoutspanner.NewBooks(client, time.Now)
	s.Service = s.another(s.books, checkoutredis.NewLocks(s.virtual.Client()))
	service := s.serve()
	ctx := service.keyed(t, s.user, "key-0001")
	calls.restart()
	made, err := service.CreateCheckout(ctx, s.message(visa))
	if err != nil || made.GetState() != checkoutpb.Checkout_CONFIRMED {
		t.Fatalf("%v, %v", made, err)
	}
	calls.want(t, "order", 4, 3, 2)

	read, err := s.books.Order(t.Context(), made.GetCheckoutId())
	if err != nil || !proto.Equal(read, made.GetOrder()) {
		t.Errorf("answered %v, kept %v, %v", made.GetOrder(), read, err)
	}
	again, err := service.CreateCheckout(ctx, s.message(visa))
	if err != nil || !proto.Equal(again, made) {
		t.Errorf("answered again %v, want %v, %v", again, made, err)
	}

	// A refusal: the look, and the tombstone, whose transaction looks for a payment that a twin may have initiated (rule 7a).
	calls.restart()
	dear := s.message(visa)
	dear.ExpectedTotal.MinorUnits++
	if _, err := service.CreateCheckout(service.keyed(t, s.user, "key-0002"), dear); !fault.Is(err, fault.PriceChanged) {
		t.Errorf("%v", err)
	}
	calls.want(t, "refusal", 3, 3, 1)
}
