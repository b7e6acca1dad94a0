package spanner_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"cloud.google.com/go/spanner"
	"cloud.google.com/go/spanner/apiv1/spannerpb"
	"github.com/google/uuid"
	"google.golang.org/api/option"
	"google.golang.org/grpc"

	"larder.dev/internal/identity"
	"larder.dev/internal/order"
	orderspanner "larder.dev/internal/order/spanner"
	"larder.dev/internal/spannerdb/spannertest"
)

// reads keeps what a client reads of Spanner, and how many values come back.
type reads struct {
	mu      sync.Mutex
	asked   []*spannerpb.ReadRequest
	queries int
	values  int
}

func (r *reads) stream(ctx context.Context, desc *grpc.StreamDesc, conn *grpc.ClientConn, method string, streamer grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	stream, err := streamer(ctx, desc, conn, method, opts...)
	if err != nil {
		return nil, err
	}
	return watched{stream, r}, nil
}

type watched struct {
	grpc.ClientStream
	reads *reads
}

func (w watched) SendMsg(m any) error {
	w.reads.mu.Lock()
	switch request := m.(type) {
	case *spannerpb.ReadRequest:
		w.reads.asked = append(w.reads.asked, request)
	case *spannerpb.ExecuteSqlRequest:
		w.reads.queries++
	}
	w.reads.mu.Unlock()
	return w.ClientStream.SendMsg(m)
}

func (w watched) RecvMsg(m any) error {
	err := w.ClientStream.RecvMsg(m)
	if part, ok := m.(*spannerpb.PartialResultSet); ok && err == nil {
		w.reads.mu.Lock()
		w.reads.values += len(part.GetValues())
		w.reads.mu.Unlock()
	}
	return err
}

// cost is what a page costs: the reads by table and index with their limits, and the values that came back.
func (r *reads) cost(t *testing.T, page func()) string {
	t.Helper()
	r.mu.Lock()
	r.asked, r.queries, r.values = nil, 0, 0
	r.mu.Unlock()
	page()
	r.mu.Lock()
	defer r.mu.Unlock()
	var of []string
	for _, request := range r.asked {
		if request.GetKeySet().GetAll() {
			t.Errorf("all of %s is read", request.GetTable())
		}
		of = append(of, fmt.Sprintf("%s %s limit %d", request.GetTable(), request.GetIndex(), request.GetLimit()))
	}
	slices.Sort(of)
	return fmt.Sprintf("%q, %d values, %d queries", of, r.values, r.queries)
}

// A page of a shopper's list costs the same with few orders and with many, at the list's start and deep in it: one read of the index from the
// page's place on, no further than the page, and the page's own orders by their keys. No query has a plan that could turn into a scan. So a
// page among a million orders costs what it costs among a hundred, for the index is a sorted tree.
func TestPageCostsTheSameAmongMany(t *testing.T) {
	client := spannertest.Open(t)
	seen := &reads{}
	config := spanner.ClientConfig{SessionPoolConfig: spanner.SessionPoolConfig{MinOpened: 1, MaxOpened: 10}, DisableNativeMetrics: true}
	watching, err := spanner.NewClientWithConfig(t.Context(), client.DatabaseName(), config, option.WithGRPCDialOption(grpc.WithChainStreamInterceptor(seen.stream)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(watching.Close)
	service := order.New(orderspanner.New(watching), nil, nil, time.Now)

	const size = 10
	costs := map[string]string{}
	var took []time.Duration
	for _, many := range []int{100, 3000} {
		me := identity.Caller{UserID: uuid.NewString(), Roles: []string{identity.RoleShopper}}
		for done := 0; done < many; done += 100 {
			var mutations []*spanner.Mutation
			for range 100 {
				mutations = append(mutations, orderspanner.InsertConfirmed(newOrder(t, me.UserID))...)
			}
			apply(t, client, mutations...)
		}
		all, err := ids(t, client, me.UserID)
		if err != nil || len(all) != many {
			t.Fatalf("%d orders, %v", len(all), err)
		}
		for place, behind := range map[string]int{"first": -1, "deep": many/2 - 1} {
			token := ""
			if behind >= 0 {
				token = tokenBehind(t, me.UserID, all[behind])
			}
			var page []order.Order
			began := time.Now()
			cost := seen.cost(t, func() {
				if page, _, err = service.List(t.Context(), me, size, token); err != nil {
					t.Fatal(err)
				}
			})
			took = append(took, time.Since(began))
			for i, o := range page {
				if o.ID != all[behind+1+i].OrderID {
					t.Fatalf("the %s page of %d has %s in place %d", place, many, o.ID, i)
				}
			}
			if len(page) != size {
				t.Errorf("the %s page of %d has %d orders", place, many, len(page))
			}
			costs[fmt.Sprintf("the %s page of %d", place, many)] = cost
		}
	}
	t.Logf("%v; the pages took %s", costs, took)
	want := fmt.Sprintf(`["OrderHistory  limit 0" "OrderLines  limit 0" "Orders  limit 0" "Orders OrdersByUser limit %d" "Payments  limit 0"]`, size+1)
	first := costs["the first page of 100"]
	if len(first) < len(want) || first[:len(want)] != want {
		t.Errorf("the first page costs %s, want %s", first, want)
	}
	for page, cost := range costs {
		if cost != first {
			t.Errorf("%s costs %s, the first page of 100 %s", page, cost, first)
		}
	}
}

// ids are the places of a person's orders in their list.
func ids(t *testing.T, client *spanner.Client, user string) (places []order.Position, err error) {
	t.Helper()
	err = client.Single().ReadUsingIndex(t.Context(), "Orders", "OrdersByUser", spanner.Key{user}.AsPrefix(), []string{"CreateTime", "OrderId"}).
		Do(func(row *spanner.Row) error {
			var p order.Position
			err := row.Columns(&p.CreateTime, &p.OrderID)
			places = append(places, p)
			return err
		})
	return places, err
}

// tokenBehind is the page token of whoever has read the list down to a place.
func tokenBehind(t *testing.T, user string, p order.Position) string {
	t.Helper()
	text, err := json.Marshal(map[string]any{"u": user, "t": p.CreateTime.UnixNano(), "o": p.OrderID})
	if err != nil {
		t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(text)
}
