package user

import (
	"context"
	"net"
	"strings"

	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
)

// callerAddress is the network address that a request comes from. Each proxy adds the address that it was called from at the end of
// X-Forwarded-For, and the gateway does too; what stands before those is the caller's own word, and can't be trusted. So the address is the
// one that the first of our proxies has seen.
func callerAddress(ctx context.Context, proxies int) string {
	forwarded := strings.Join(metadata.ValueFromIncomingContext(ctx, "x-forwarded-for"), ",")
	if forwarded == "" { // gRPC, past the gateway
		if p, ok := peer.FromContext(ctx); ok {
			if host, _, err := net.SplitHostPort(p.Addr.String()); err == nil {
				return host
			}
		}
		return ""
	}
	hops := strings.Split(forwarded, ",")
	return strings.TrimSpace(hops[max(0, len(hops)-1-proxies)])
}
