package user

import (
	"context"
	"net"
	"testing"

	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
)

func TestCallerAddress(t *testing.T) {
	direct := peer.NewContext(context.Background(), &peer.Peer{Addr: &net.TCPAddr{IP: net.IPv4(192, 0, 2, 9), Port: 4711}})
	for _, c := range []struct {
		forwarded []string
		proxies   int
		want      string
	}{
		{nil, 2, "192.0.2.9"},
		{[]string{"203.0.113.7, 127.0.0.1"}, 1, "203.0.113.7"},
		{[]string{"203.0.113.7", "127.0.0.1"}, 1, "203.0.113.7"},
		{[]string{"10.9.9.9, 203.0.113.7, 35.191.0.1, 169.254.1.1"}, 2, "203.0.113.7"}, // the first is the caller's own word
		{[]string{"made up, 203.0.113.7, 35.191.0.1, 169.254.1.1"}, 2, "203.0.113.7"},
		{[]string{"203.0.113.7"}, 2, "203.0.113.7"}, // fewer proxies than there are said to be
		{[]string{"203.0.113.7"}, 0, "203.0.113.7"},
	} {
		headers := metadata.MD{}
		headers.Append("x-forwarded-for", c.forwarded...)
		if got := callerAddress(metadata.NewIncomingContext(direct, headers), c.proxies); got != c.want {
			t.Errorf("%q behind %d proxies: %q, want %q", c.forwarded, c.proxies, got, c.want)
		}
	}
}
