package world

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"cloud.google.com/go/spanner/apiv1/spannerpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// Methods of Spanner that the faults know.
const (
	commitMethod   = "/google.spanner.v1.Spanner/Commit"
	rollbackMethod = "/google.spanner.v1.Spanner/Rollback"
	spannerPrefix  = "/google.spanner.v1.Spanner/"
)

const (
	spannerLines = 4 // connections to the emulator
	maxMessage   = 64 << 20
	longestLoss  = 20 * time.Second // of an answer that never comes
)

// spannerFaults are probabilities, from 0 to 1.
type spannerFaults struct {
	abort   float64       // a commit is rolled back and answered ABORTED
	refuse  float64       // a call isn't passed on and answered UNAVAILABLE
	lose    float64       // a commit is made, and its answer lost: UNAVAILABLE, DEADLINE_EXCEEDED, or none until the caller gives up
	slow    float64       // a call waits
	slowFor time.Duration // at most
	lag     time.Duration // each call waits so long
}

// spannerProxy stands before the Spanner emulator. It passes every gRPC call on as it is, and breaks some.
type spannerProxy struct {
	server  *grpc.Server
	address string
	lines   []*grpc.ClientConn
	next    atomic.Uint64
	turns   turnstile
	done    chan struct{}
	log     *slog.Logger

	mu     sync.Mutex
	rng    *rand.Rand
	faults spannerFaults
	broken map[string]int // injected, by kind
}

func newSpannerProxy(ctx context.Context, address, emulator string, rng *rand.Rand, log *slog.Logger) (*spannerProxy, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("proxy of Spanner: %w", err)
	}
	p := &spannerProxy{address: listener.Addr().String(), rng: rng, log: log, done: make(chan struct{}), broken: map[string]int{}}
	for range spannerLines {
		line, err := grpc.NewClient("passthrough:///"+emulator, grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithDefaultCallOptions(grpc.ForceCodecV2(rawCodec{}), grpc.MaxCallRecvMsgSize(maxMessage), grpc.MaxCallSendMsgSize(maxMessage)))
		if err != nil {
			_ = listener.Close()
			return nil, fmt.Errorf("proxy of Spanner: %w", err)
		}
		p.lines = append(p.lines, line)
	}
	p.server = grpc.NewServer(grpc.ForceServerCodecV2(rawCodec{}), grpc.UnknownServiceHandler(p.handle),
		grpc.MaxRecvMsgSize(maxMessage), grpc.MaxSendMsgSize(maxMessage))
	go func() {
		defer close(p.done)
		if err := p.server.Serve(listener); err != nil {
			log.Error("proxy of Spanner", "error", err)
		}
	}()
	return p, nil
}

func (p *spannerProxy) stop() {
	p.server.Stop()
	<-p.done
	for _, line := range p.lines {
		_ = line.Close()
	}
}

// set changes what is broken from now on.
func (p *spannerProxy) set(faults spannerFaults) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = faults
}

// injected returns how many calls were broken, by kind.
func (p *spannerProxy) injected() map[string]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := make(map[string]int, len(p.broken))
	for kind, n := range p.broken {
		out[kind] = n
	}
	return out
}

// draw decides what happens to a call: "", abort, refuse or lose, and how long it waits before.
func (p *spannerProxy) draw(method string) (kind string, pause time.Duration) {
	if !strings.HasPrefix(method, spannerPrefix) {
		return "", 0 // the making of the database
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.faults == (spannerFaults{}) {
		return "", 0
	}
	f := p.faults
	pause = f.lag
	if p.rng.Float64() < f.slow {
		pause += time.Duration(p.rng.Float64() * float64(f.slowFor))
		p.broken["slow"]++
	}
	switch x := p.rng.Float64(); {
	case method == commitMethod && x < f.abort:
		kind = "abort"
	case method == commitMethod && x < f.abort+f.lose:
		kind = []string{"lose", "expire", "hang"}[p.rng.IntN(3)]
	case p.rng.Float64() < f.refuse:
		kind = "refuse"
	}
	if kind != "" {
		p.broken[kind]++
	}
	return kind, pause
}

// handle passes one call on. All of Spanner's calls bring one message, and are answered by any number.
func (p *spannerProxy) handle(_ any, caller grpc.ServerStream) error {
	method, _ := grpc.MethodFromServerStream(caller)
	var request frame
	if err := caller.RecvMsg(&request); err != nil {
		return err
	}
	kind, pause := p.draw(method)
	ctx := caller.Context()
	if pause > 0 && !wait(ctx, pause) {
		return status.FromContextError(ctx.Err()).Err()
	}
	if kind == "refuse" {
		return status.Error(codes.Unavailable, "the prover refuses the call")
	}
	intent := intentOf(method, request)
	if intent.begins {
		if err := p.turns.enter(ctx, intent.session); err != nil {
			return status.FromContextError(err).Err()
		}
	}
	err := p.answer(ctx, method, request, caller, kind)
	if intent.ends || status.Code(err) == codes.Aborted {
		p.turns.leave(intent.session)
	} else if intent.session != "" {
		p.turns.touch(intent.session)
	}
	if err != nil {
		return err
	}
	switch kind {
	case "lose":
		return status.Error(codes.Unavailable, "the prover lost the answer")
	case "expire":
		return status.Error(codes.DeadlineExceeded, "the prover lost the answer")
	case "hang":
		wait(ctx, longestLoss)
		return status.Error(codes.DeadlineExceeded, "the prover lost the answer")
	}
	return nil
}

// answer has a call made, and its answers told unless they are to be lost.
func (p *spannerProxy) answer(ctx context.Context, method string, request frame, caller grpc.ServerStream, kind string) error {
	switch kind {
	case "":
		return p.passOn(ctx, method, request, caller)
	case "abort":
		return p.abort(ctx, request)
	default:
		return p.line().Invoke(outgoing(ctx), method, &request, &frame{})
	}
}

// abort rolls the transaction back, as Spanner does with one that it aborts: the emulator lets no other one in while it is open.
func (p *spannerProxy) abort(ctx context.Context, request frame) error {
	var commit spannerpb.CommitRequest
	if err := proto.Unmarshal(request, &commit); err != nil {
		return status.Errorf(codes.Internal, "the prover can't read a commit: %v", err)
	}
	if id := commit.GetTransactionId(); len(id) > 0 {
		rollback, err := proto.Marshal(&spannerpb.RollbackRequest{Session: commit.GetSession(), TransactionId: id})
		if err != nil {
			return status.Errorf(codes.Internal, "the prover can't roll back: %v", err)
		}
		out, in := frame(rollback), frame{}
		if err := p.line().Invoke(outgoing(ctx), rollbackMethod, &out, &in); err != nil {
			return err
		}
	}
	return status.Error(codes.Aborted, "the prover aborts the transaction")
}

func (p *spannerProxy) line() *grpc.ClientConn {
	return p.lines[p.next.Add(1)%uint64(len(p.lines))]
}

// outgoing carries a caller's metadata on.
func outgoing(ctx context.Context) context.Context {
	md, _ := metadata.FromIncomingContext(ctx)
	return metadata.NewOutgoingContext(ctx, md.Copy())
}

// passOn makes a call and tells the caller every answer.
func (p *spannerProxy) passOn(ctx context.Context, method string, request frame, caller grpc.ServerStream) error {
	ctx, cancel := context.WithCancel(outgoing(ctx))
	defer cancel()
	callee, err := p.line().NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, method)
	if err != nil {
		return err
	}
	// What goes wrong with sending, receiving tells.
	if err := callee.SendMsg(&request); err == nil {
		_ = callee.CloseSend()
	}
	header, err := callee.Header()
	if err != nil {
		return err
	}
	if err := caller.SetHeader(header); err != nil {
		return err
	}
	for {
		var message frame
		err := callee.RecvMsg(&message)
		if errors.Is(err, io.EOF) {
			caller.SetTrailer(callee.Trailer())
			return nil
		}
		if err != nil {
			caller.SetTrailer(callee.Trailer())
			return err
		}
		if err := caller.SendMsg(&message); err != nil {
			return err
		}
	}
}

// frame is a message's bytes.
type frame []byte

// rawCodec leaves messages as they are.
type rawCodec struct{}

func (rawCodec) Marshal(v any) (mem.BufferSlice, error) {
	message, ok := v.(*frame)
	if !ok {
		return nil, fmt.Errorf("%T is no frame", v)
	}
	return mem.BufferSlice{mem.SliceBuffer(*message)}, nil
}

func (rawCodec) Unmarshal(data mem.BufferSlice, v any) error {
	message, ok := v.(*frame)
	if !ok {
		return fmt.Errorf("%T is no frame", v)
	}
	*message = data.Materialize()
	return nil
}

func (rawCodec) Name() string { return "proto" }
