package world

import (
	"context"
	"encoding/json"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/emptypb"
)

// mailbox is a Pub/Sub that hands out its messages once.
type mailbox struct {
	pubsubpb.UnimplementedSubscriberServer
	mu       sync.Mutex
	messages []*pubsubpb.ReceivedMessage
	acked    []string
}

func (m *mailbox) Pull(ctx context.Context, _ *pubsubpb.PullRequest) (*pubsubpb.PullResponse, error) {
	m.mu.Lock()
	out := m.messages
	m.messages = nil
	m.mu.Unlock()
	if len(out) == 0 {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return &pubsubpb.PullResponse{ReceivedMessages: out}, nil
}

func (m *mailbox) Acknowledge(_ context.Context, req *pubsubpb.AcknowledgeRequest) (*emptypb.Empty, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.acked = append(m.acked, req.GetAckIds()...)
	return &emptypb.Empty{}, nil
}

// A message that is refused comes again until it is taken in, as Pub/Sub would push it, and doesn't hold up others.
func TestPostmanRings(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	box := &mailbox{messages: []*pubsubpb.ReceivedMessage{
		{AckId: "a1", Message: &pubsubpb.PubsubMessage{MessageId: "1", Data: []byte("never"), Attributes: map[string]string{"ce-id": "e1"}}},
		{AckId: "a2", Message: &pubsubpb.PubsubMessage{MessageId: "2", Data: []byte("late")}},
	}}
	server := grpc.NewServer()
	pubsubpb.RegisterSubscriberServer(server, box)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)

	var mu sync.Mutex
	tries, taken := map[string]int{}, map[string]int{}
	function := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var d delivery
		if err := json.NewDecoder(r.Body).Decode(&d); err != nil || r.URL.Path != "/push/f" || d.Subscription != "s" {
			t.Errorf("%s got %+v, %v", r.URL.Path, d, err)
		}
		mu.Lock()
		defer mu.Unlock()
		text := string(d.Message.Data)
		if tries[text]++; d.Attempt != tries[text] || text == "never" && d.Message.Attributes["ce-id"] != "e1" {
			t.Errorf("attempt %d of %+v", tries[text], d)
		}
		if text == "never" || tries[text] < 3 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		taken[text]++
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(function.Close)

	p, err := newPostman(t.Context(), listener.Addr().String(), function.URL+"/push/", map[string]string{"s": "f"}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the late one taken, the other tried again", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return taken["late"] == 1 && tries["never"] >= 3
	})
	if err := p.end(); err != nil {
		t.Error(err)
	}
	mu.Lock()
	defer mu.Unlock()
	if taken["late"] != 1 || tries["late"] != 3 || len(box.acked) != 2 {
		t.Errorf("taken %v, tried %v, acknowledged %v", taken, tries, box.acked)
	}
}
