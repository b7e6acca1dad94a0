package world

import (
	"bytes"
	"context"
	"log/slog"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"cloud.google.com/go/spanner/apiv1/spannerpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"
)

// books is a Spanner that only counts.
type books struct {
	spannerpb.UnimplementedSpannerServer
	mu                 sync.Mutex
	commits, rollbacks int
	header             []string
}

func (b *books) Commit(ctx context.Context, _ *spannerpb.CommitRequest) (*spannerpb.CommitResponse, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.commits++
	md, _ := metadata.FromIncomingContext(ctx)
	b.header = md.Get("google-cloud-resource-prefix")
	return &spannerpb.CommitResponse{}, nil
}

func (b *books) Rollback(context.Context, *spannerpb.RollbackRequest) (*emptypb.Empty, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.rollbacks++
	return &emptypb.Empty{}, nil
}

func (b *books) StreamingRead(_ *spannerpb.ReadRequest, stream spannerpb.Spanner_StreamingReadServer) error {
	for _, token := range []string{"1", "2", "3"} {
		if err := stream.Send(&spannerpb.PartialResultSet{ResumeToken: []byte(token)}); err != nil {
			return err
		}
	}
	return status.Error(codes.NotFound, "that was all")
}

func (b *books) counts() (commits, rollbacks int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.commits, b.rollbacks
}

func spannerBehind(t *testing.T) (*books, *spannerProxy, spannerpb.SpannerClient) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &books{}
	server := grpc.NewServer()
	spannerpb.RegisterSpannerServer(server, b)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	p, err := newSpannerProxy(t.Context(), "127.0.0.1:0", listener.Addr().String(), rand.New(rand.NewPCG(1, 2)), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.stop)
	conn, err := grpc.NewClient(p.address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return b, p, spannerpb.NewSpannerClient(conn)
}

func commitOf(session string) *spannerpb.CommitRequest {
	return &spannerpb.CommitRequest{Session: session, Transaction: &spannerpb.CommitRequest_TransactionId{TransactionId: []byte("t")}}
}

func TestSpannerIsPassedOn(t *testing.T) {
	b, _, client := spannerBehind(t)
	ctx := metadata.AppendToOutgoingContext(within(t), "google-cloud-resource-prefix", "here")
	if _, err := client.Commit(ctx, commitOf("s")); err != nil {
		t.Fatal(err)
	}
	if len(b.header) != 1 || b.header[0] != "here" {
		t.Errorf("metadata arrived as %q", b.header)
	}
	stream, err := client.StreamingRead(ctx, &spannerpb.ReadRequest{Session: "s"})
	if err != nil {
		t.Fatal(err)
	}
	var tokens string
	for {
		part, err := stream.Recv()
		if err != nil {
			if status.Code(err) != codes.NotFound || tokens != "123" {
				t.Errorf("got %q and then %v", tokens, err)
			}
			break
		}
		tokens += string(part.GetResumeToken())
	}
}

// intents are read from the requests as the client library encodes them.
func TestIntents(t *testing.T) {
	readWrite := &spannerpb.TransactionOptions{Mode: &spannerpb.TransactionOptions_ReadWrite_{ReadWrite: &spannerpb.TransactionOptions_ReadWrite{}}}
	readOnly := &spannerpb.TransactionOptions{Mode: &spannerpb.TransactionOptions_ReadOnly_{ReadOnly: &spannerpb.TransactionOptions_ReadOnly{}}}
	begin := func(options *spannerpb.TransactionOptions) *spannerpb.TransactionSelector {
		return &spannerpb.TransactionSelector{Selector: &spannerpb.TransactionSelector_Begin{Begin: options}}
	}
	id := &spannerpb.TransactionSelector{Selector: &spannerpb.TransactionSelector_Id{Id: []byte("t")}}
	for name, c := range map[string]struct {
		method  string
		request proto.Message
		want    intent
	}{
		"begin":             {"BeginTransaction", &spannerpb.BeginTransactionRequest{Session: "s", Options: readWrite}, intent{"s", true, false}},
		"begin read-only":   {"BeginTransaction", &spannerpb.BeginTransactionRequest{Session: "s", Options: readOnly}, intent{"s", false, false}},
		"read that begins":  {"StreamingRead", &spannerpb.ReadRequest{Session: "s", Transaction: begin(readWrite), Table: "T"}, intent{"s", true, false}},
		"read-only read":    {"StreamingRead", &spannerpb.ReadRequest{Session: "s", Transaction: begin(readOnly), Table: "T"}, intent{"s", false, false}},
		"read":              {"StreamingRead", &spannerpb.ReadRequest{Session: "s", Transaction: id, Table: "T"}, intent{"s", false, false}},
		"single read":       {"StreamingRead", &spannerpb.ReadRequest{Session: "s", Table: "T"}, intent{"s", false, false}},
		"query that begins": {"ExecuteStreamingSql", &spannerpb.ExecuteSqlRequest{Session: "s", Transaction: begin(readWrite), Sql: "Q"}, intent{"s", true, false}},
		"commit":            {"Commit", commitOf("s"), intent{"s", false, true}},
		"blind write": {"Commit", &spannerpb.CommitRequest{
			Session: "s", Transaction: &spannerpb.CommitRequest_SingleUseTransaction{SingleUseTransaction: readWrite},
		}, intent{"s", true, true}},
		"rollback": {"Rollback", &spannerpb.RollbackRequest{Session: "s", TransactionId: []byte("t")}, intent{"s", false, true}},
		"session":  {"DeleteSession", &spannerpb.DeleteSessionRequest{Name: "s"}, intent{}},
	} {
		text, err := proto.Marshal(c.request)
		if err != nil {
			t.Fatal(err)
		}
		if got := intentOf(spannerPrefix+c.method, text); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
	for n := range 20 { // whatever it is, it is read or means nothing
		intentOf(commitMethod, bytes.Repeat([]byte{byte(n * 13)}, n))
	}
}

func TestSpannerFaults(t *testing.T) {
	for name, c := range map[string]struct {
		faults             spannerFaults
		codes              []codes.Code
		commits, rollbacks int
	}{
		"abort":  {spannerFaults{abort: 1}, []codes.Code{codes.Aborted}, 0, 1},
		"refuse": {spannerFaults{refuse: 1}, []codes.Code{codes.Unavailable}, 0, 0},
		"lose":   {spannerFaults{lose: 1}, []codes.Code{codes.Unavailable, codes.DeadlineExceeded}, 1, 0},
		"slow":   {spannerFaults{slow: 1, slowFor: time.Millisecond}, []codes.Code{codes.OK}, 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			b, p, client := spannerBehind(t)
			p.set(c.faults)
			ctx, cancel := context.WithTimeout(t.Context(), time.Second) // ends an answer that never comes
			defer cancel()
			_, err := client.Commit(ctx, commitOf("s"))
			met := false
			for _, code := range c.codes {
				met = met || status.Code(err) == code
			}
			commits, rollbacks := b.counts()
			if !met || commits != c.commits || rollbacks != c.rollbacks {
				t.Errorf("%v, %d commits, %d rollbacks", err, commits, rollbacks)
			}
			if total := p.injected(); len(total) != 1 {
				t.Errorf("injected %v", total)
			}
		})
	}
}

// A second transaction waits for the first one's end, or until it has been idle for long.
func TestTransactionsTakeTurns(t *testing.T) {
	var turns turnstile
	ctx := within(t)
	if err := turns.enter(ctx, "a"); err != nil {
		t.Fatal(err)
	}
	if err := turns.enter(ctx, "a"); err != nil {
		t.Fatalf("its own turn: %v", err)
	}
	entered := make(chan error, 1)
	go func() { entered <- turns.enter(ctx, "b") }()
	eventually(t, "somebody waiting", func() bool {
		turns.mu.Lock()
		defer turns.mu.Unlock()
		return len(turns.queue) == 1
	})
	turns.touch("a")
	turns.leave("b") // it has no turn to end
	select {
	case err := <-entered:
		t.Fatal("two at once", err)
	default:
	}
	turns.leave("a")
	if err := <-entered; err != nil {
		t.Fatal(err)
	}
	// b falls asleep.
	if err := turns.enter(ctx, "c"); err != nil {
		t.Fatal(err)
	}
	given, cancel := context.WithCancel(ctx)
	cancel()
	if err := turns.enter(given, "d"); err == nil {
		t.Error("entered without waiting")
	}
	if len(turns.queue) != 0 || turns.holder != "c" {
		t.Errorf("%d wait, %s is in", len(turns.queue), turns.holder)
	}
}
