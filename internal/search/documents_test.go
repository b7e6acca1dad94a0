package search_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	searchpb "larder.dev/api/search/v1"
	checksums "larder.dev/internal/document"
	"larder.dev/internal/fault"
	"larder.dev/internal/identity"
	"larder.dev/internal/search"
	"larder.dev/internal/search/elastic"
	"larder.dev/internal/serve"
	"larder.dev/internal/serve/servetest"
)

// listing starts the service and returns a client of one of our services; an empty name: nobody's.
func listing(t *testing.T, s *search.Service, as string) searchpb.SearchServiceClient {
	t.Helper()
	issuer := servetest.NewIssuer(t)
	server := issuer.Start(t, "search", func(ctx context.Context, app *serve.App) error {
		return app.Register(ctx, &searchpb.SearchService_ServiceDesc, search.NewServer(s), nil)
	})
	var token string
	if as != "" {
		token = issuer.ServiceToken(t, as)
	}
	conn, err := grpc.NewClient(strings.TrimPrefix(server.URL, "http://"), grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithUnaryInterceptor(func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
			if token != "" {
				ctx = metadata.AppendToOutgoingContext(ctx, identity.ServiceTokenHeader, token)
			}
			return invoke(ctx, method, req, reply, cc, opts...)
		}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return searchpb.NewSearchServiceClient(conn)
}

func list(t *testing.T, client searchpb.SearchServiceClient, after, until string, limit int32) []*searchpb.Document {
	t.Helper()
	got, err := client.ListDocuments(t.Context(), &searchpb.ListDocumentsRequest{After: after, Until: until, Limit: limit})
	if err != nil {
		t.Fatal(err)
	}
	return got.GetDocuments()
}

func TestListDocuments(t *testing.T) {
	// The ids' order is that of bytes: a language's would have ab before a-c.
	gone := document{"product_id": "a1", "revision": 9, "deleted": true, "update_time": "2026-11-23T10:00:00.000000Z"}
	draft := product("ab", "Draft", document{"status": "draft", "revision": 3, "prices": map[string]int64{}})
	docs := map[string]document{"a-b": product("a-b", "Plums", nil), "a-c": product("a-c", "Crème & <Figs>", nil), "a1": gone, "ab": draft}
	client := listing(t, open(t, docs["ab"], docs["a1"], docs["a-c"], docs["a-b"]).Service, "product")

	for _, c := range []struct {
		after, until string
		limit        int32
		want         string
	}{
		{"", "", 0, "a-b a-c a1 ab"},
		{"", "", 2, "a-b a-c"},
		{"a-c", "", 2, "a1 ab"},
		{"a-c", "a1", 1000, "a1"},
		{"a-b", "ab", 1, "a-c"},
		{"a", "a-bb", 10, "a-b"},
		{"ab", "", 10, ""},
		{"z", "a", 10, ""},
	} {
		var ids []string
		for _, d := range list(t, client, c.after, c.until, c.limit) {
			ids = append(ids, d.GetProductId())
		}
		if got := strings.Join(ids, " "); got != c.want {
			t.Errorf("behind %q up to %q, %d: %q, want %q", c.after, c.until, c.limit, got, c.want)
		}
	}
	for _, d := range list(t, client, "", "", 0) {
		sent := docs[d.GetProductId()]
		text, err := json.MarshalIndent(sent, "", "  ") // another text than was sent, of the same document
		if err != nil {
			t.Fatal(err)
		}
		want, err := checksums.Checksum(text)
		if err != nil {
			t.Fatal(err)
		}
		if d.GetChecksum() != want {
			t.Errorf("%s: checksum %s, want %s", d.GetProductId(), d.GetChecksum(), want)
		}
		if got, want := fmt.Sprint(d.GetRevision(), d.GetDeleted()), fmt.Sprint(sent["revision"], sent["deleted"]); got != want {
			t.Errorf("%s: revision and deleted %s, want %s", d.GetProductId(), got, want)
		}
	}
}

func TestListDocumentsIsForProductOnly(t *testing.T) {
	s := open(t).Service
	for caller, want := range map[string]fault.Reason{"": fault.Unauthenticated, "checkout": fault.PermissionDenied, "search": fault.PermissionDenied} {
		_, err := listing(t, s, caller).ListDocuments(t.Context(), &searchpb.ListDocumentsRequest{})
		if !fault.Is(err, want) {
			t.Errorf("as %q: %v, want %s", caller, err, want.Name)
		}
	}
	client := listing(t, s, "product")
	if got := list(t, client, "", "", 0); len(got) != 0 {
		t.Errorf("an empty index has %v", got)
	}
	for name, bad := range map[string]*searchpb.ListDocumentsRequest{
		"limit too great": {Limit: 1001}, "limit below 0": {Limit: -1}, "after too long": {After: strings.Repeat("a", 65)},
		"until too long": {Until: strings.Repeat("a", 65)}, "control characters": {After: "a\x00"},
	} {
		if _, err := client.ListDocuments(t.Context(), bad); !fault.Is(err, fault.InvalidArgument) {
			t.Errorf("%s: %v, want INVALID_ARGUMENT", name, err)
		}
	}
}

func TestListDocumentsWithoutElasticsearch(t *testing.T) {
	x, err := elastic.New(elastic.Config{URL: "http://127.0.0.1:1", Index: "products", Weights: weights})
	if err != nil {
		t.Fatal(err)
	}
	_, err = listing(t, search.New(x), "product").ListDocuments(t.Context(), &searchpb.ListDocumentsRequest{})
	if fault.From(err).Reason().Name != fault.Unavailable.Name {
		t.Errorf("Elasticsearch is away: %v, want UNAVAILABLE", err)
	}
}
