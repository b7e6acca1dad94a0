package serve

import (
	"context"
	"crypto/tls"
	"fmt"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"larder.dev/internal/identity"
	"larder.dev/internal/telemetry"
)

// Dial connects to another of our services, lazily. Calls carry this service's ID token, the access token of the person
// that it acts for, the trace and the request id.
func (a *App) Dial(address string) (*grpc.ClientConn, error) {
	conn, err := Dial(address, a.outgoing, a.config.Insecure)
	if err != nil {
		return nil, err
	}
	a.Close(func(context.Context) error { return conn.Close() })
	return conn, nil
}

// Dial is App.Dial for processes that are no App. plain is without TLS, for one machine. The caller closes the connection.
func Dial(address string, outgoing *identity.Outgoing, plain bool) (*grpc.ClientConn, error) {
	transport := credentials.NewTLS(&tls.Config{MinVersion: tls.VersionTLS12})
	if plain {
		transport = insecure.NewCredentials()
	}
	conn, err := grpc.NewClient(address,
		grpc.WithTransportCredentials(transport),
		grpc.WithPerRPCCredentials(outgoing),
		grpc.WithStatsHandler(otelgrpc.NewClientHandler(otelgrpc.WithPropagators(telemetry.Propagator))), // spans, durations, and the trace in each call
		grpc.WithChainUnaryInterceptor(passOn, renew(outgoing)),
		// A service that comes back is found again within a second; gRPC's own longest pause is two minutes.
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: time.Second},
			MinConnectTimeout: 2 * time.Second,
		}),
		// Reads and idempotent calls alike: gRPC itself resends only what never reached the server.
		grpc.WithDefaultServiceConfig(`{"loadBalancingConfig":[{"round_robin":{}}]}`),
	)
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", address, err)
	}
	return conn, nil
}

func passOn(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	md := metadata.MD{}
	if id := RequestID(ctx); id != "" {
		md.Set("x-request-id", id)
	}
	if begun(ctx) {
		md.Set(priorityHeader, veryHigh)
	}
	if outgoing, ok := metadata.FromOutgoingContext(ctx); ok {
		md = metadata.Join(outgoing, md)
	}
	return invoke(metadata.NewOutgoingContext(ctx, md), method, req, reply, cc, opts...)
}

// renew makes a call a second time with a new ID token when the first one is refused: the issuer's key may have gone before the
// token's time was up. Calls between our services may be repeated.
func renew(outgoing *identity.Outgoing) grpc.UnaryClientInterceptor {
	return func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		err := invoke(ctx, method, req, reply, cc, opts...)
		if status.Code(err) == codes.Unauthenticated && outgoing.Forget() {
			return invoke(ctx, method, req, reply, cc, opts...)
		}
		return err
	}
}
